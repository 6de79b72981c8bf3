"""From a request to train on texts to the config of the run, and to a command. No torch.

What a client may not decide (where texts lie, where the run goes, which folders are opened) it
cannot say.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast, get_args

from app import training
from app.text_bases import resolve_text_base
from app.text_intake import Part, part_file
from app.text_requests import TextTrainRequest
from app.text_sets import ITEMS_DEMO, TextSets
from app.text_views import Recipe, TextSetView
from app.workspace import Workspace
from trainer.config_file import from_json
from trainer.data.instruct import (
    DEMO_FILE,
    Style,
    read_items,
    require_learnable,
    require_scorable,
)
from trainer.errors import ConfigError, DataError
from trainer.text_config import GlueConfig, LLMConfig, ValidationConfig
from trainer.text_presets import DEMO, GluePreset, LLMPreset, glue_preset, llm_preset

TextConfig = GlueConfig | LLMConfig
OURS = ("base", "data", "task", "run", "workspace", "instead")
"""Settings that the request says elsewhere, or that hold paths."""
PRESETS: dict[Recipe, tuple[str, ...]] = {
    "glue": get_args(GluePreset), "llm": get_args(LLMPreset)
}  # fmt: skip
_SCRIPTS: dict[Recipe, str] = {"glue": "train_glue.py", "llm": "train_llm.py"}


def config_of(
    request: TextTrainRequest, workspace: Workspace, run: str | None = None
) -> TextConfig:
    """The config that the request trains; a UserError names everything at fault."""
    sets = TextSets(workspace)
    view = sets.get(request.data)
    require_rows(view, "train")
    start = preset_of(view, request.preset)
    check_settings(request.settings)
    told = from_json(dict(request.settings), _fitting(start, view))
    base = resolve_text_base(workspace, request.base or start.base, view.recipe)
    config = dataclasses.replace(
        told,
        base=base,
        data=_bundled_for(request.preset) if view.id == ITEMS_DEMO else sets.data_of(view),
        run=workspace.run(run) if run else None,
        workspace=workspace.root,
        instead=request.instead,
    )
    config.validate()
    if config.validation.every and view.recipe == "glue":
        require_rows(view, "test")
    if view.train:
        config.validate_for(min(view.train, config.examples or view.train))
    require_fitting_items(config, view, "train")
    return config


def _bundled_for(preset_name: str) -> str | None:
    """The bundled items, by name where the preset is the paper's, which takes none unasked."""
    return None if preset_name == DEMO else str(DEMO_FILE)


def require_fitting_items(config: TextConfig, view: TextSetView, part: Part) -> None:
    """DataError, by the set's name, where an item of a part cannot be learnt from, or scored by, in
    the style: before it is queued. Sets other than uploaded instructions fit."""
    if not isinstance(config, LLMConfig) or view.source != "uploaded":
        return
    file = part_file(config.items, None, part)
    written = file.stat().st_mtime_ns if file.exists() else 0
    if fault := _fault(file, written, part, config.style):
        raise DataError(fault.replace(str(file), view.name))


@functools.lru_cache(maxsize=32)
def _fault(file: Path, written: int, part: Part, style: Style) -> str:
    """Read once and not whenever the page asks; `written` tells a new file of the same name."""
    require = require_learnable if part == "train" else require_scorable
    try:
        require(read_items(file, part), style)
    except DataError as error:
        return str(error)
    return ""


def preset_of(view: TextSetView, name: str) -> TextConfig:
    """The values that a preset means for a set; ConfigError where it is another recipe's."""
    possible = PRESETS[view.recipe]
    if name not in possible:
        raise ConfigError(
            f"The preset {name[:100]!r} is not for {view.name}; possible: {', '.join(possible)}."
        )
    return _preset(view.recipe, name, view.task)


def base_of(recipe: Recipe, preset_name: str) -> str:
    """The base that a preset of the recipe is for."""
    return _preset(recipe, preset_name).base


def _preset(recipe: Recipe, name: str, task: str | None = None) -> TextConfig:
    if recipe == "glue":
        return glue_preset(cast(GluePreset, name), task)
    return llm_preset(cast(LLMPreset, name))


def _fitting(start: TextConfig, view: TextSetView) -> TextConfig:
    """The preset for this set: where there are no rows to look at while training, no looks."""
    if view.recipe == "glue" and view.test == 0:
        return dataclasses.replace(start, validation=ValidationConfig(every=0))
    return start


def check_settings(settings: Mapping[str, Any]) -> None:
    """ConfigError where settings say what is not theirs, or what no number should be."""
    training.check_settings(settings, OURS)


def require_rows(view: TextSetView, part: str) -> None:
    """DataError where a set lacks the part; the hub's are believed."""
    if getattr(view, part) == 0:
        use = "train on" if part == "train" else "score by"
        raise DataError(f"{view.name} has no rows to {use}: upload a set that has some.")


def command_line(config: TextConfig, view: TextSetView, preset_name: str) -> str:
    """The headless command that trains the same: preset and task, then what differs from them."""
    words = [f"trainer/{_SCRIPTS[view.recipe]}", "--preset", preset_name]
    task = ["--task", view.task] if view.task else []
    return training.as_command([*words, *task], config, preset_of(view, preset_name))
