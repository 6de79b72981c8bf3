"""Which runs differ in nothing but their seed, and what to call them together.

Knows configs, not studies.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from trainer.config import CheckpointConfig
from trainer.config_file import to_json
from trainer.text_config import GlueConfig, LLMConfig, TextModelConfig, ValidationConfig

Settings = dict[str, Any]
"""What decides a run, by the field's name with its section, such as adapter.rank."""

DIRECTION, LAUNCH_STEP, COUNT = (
    "adapter.direction", "adapter.prelaunch_steps", "adapter.num_directions",
)  # fmt: skip
OF_THE_LAUNCH = (DIRECTION, LAUNCH_STEP, COUNT, "adapter.prelaunch", "adapter.lr_post")
"""Settings that say nothing where nothing is launched."""
DONE = "done"
"""Optimizer steps done: fewer than asked for where a training was ended early and kept."""
_SHORT = {LAUNCH_STEP: "t ", COUNT: "s ", DIRECTION: "", DONE: "after step ", "task": ""}
"""How a value is introduced, where not by the field's name."""


def settings_of(config: GlueConfig | LLMConfig, launch_step: int | None, done: int) -> Settings:
    """All but seeds, and what is only looked at or kept while training; with the step of the launch
    and the steps done as they were."""
    bare = replace(
        config,
        run=None,
        workspace=type(config)().workspace,
        optim=replace(config.optim, seed=0, micro_batch_size=None),
        adapter=replace(config.adapter, seed=0, prelaunch_steps=launch_step),
        model=TextModelConfig(precision=config.model.precision),
        validation=ValidationConfig(),
        checkpoint=CheckpointConfig(),
    )
    values = _flat(to_json(bare))
    if config.instead is not None:
        values = {key: value for key, value in values.items() if not key.startswith("adapter.")}
    elif not config.adapter.launches:
        values = {key: value for key, value in values.items() if key not in OF_THE_LAUNCH}
    return {**values, "method": config.method, DONE: done}


def _flat(values: dict[str, Any], prefix: str = "") -> Settings:
    flat: Settings = {}
    for key, value in values.items():
        if isinstance(value, dict):
            flat.update(_flat(value, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = tuple(value) if isinstance(value, list) else value
    return flat


def pools(settings: Sequence[Settings]) -> dict[str, list[int]]:
    """Label → places in the sequence, in its order.

    A label is the method, and the values in which the pool is not as most pools of that method.
    """
    members: dict[tuple[tuple[str, Any], ...], list[int]] = {}
    for place, each in enumerate(settings):
        members.setdefault(tuple(each.items()), []).append(place)
    distinct = [dict(key) for key in members]
    labels = (_label(each, distinct) for each in distinct)
    return dict(zip(labels, members.values(), strict=True))


def plain_lora(own: Settings, others: Sequence[Settings]) -> int | None:
    """Where LoRA with the same settings, as far as it has them, stands among the others."""
    if own["method"] == "lora" or "adapter.method" not in own:
        return None
    names = ("method", "adapter.method", *OF_THE_LAUNCH)
    for place, other in enumerate(others):
        alike = all(own.get(key) == value for key, value in other.items() if key not in names)
        if other["method"] == "lora" and alike:
            return place
    return None


def _label(own: Settings, distinct: Sequence[Settings]) -> str:
    kin = [each for each in distinct if each["method"] == own["method"]]
    told = [
        f"{_SHORT.get(key, key.rpartition('.')[2] + ' ')}{_told(key, value)}"
        for key, value in own.items()
        if value != _usual([each.get(key) for each in kin])
    ]
    return ", ".join([own["method"], *told])


def _told(key: str, value: Any) -> Any:
    """Where data lie on some machine tells a reader nothing."""
    return Path(value).name if key == "data" and value else value


def _usual(values: Sequence[Any]) -> Any:
    """What most have; where each has its own, none is usual."""
    value, count = Counter(values).most_common(1)[0]
    return value if count > 1 or len(values) == 1 else _UNUSUAL


_UNUSUAL = object()


def folder_of(label: str) -> str:
    """A folder's name for a label."""
    return re.sub(r"[^a-z0-9.]+", "-", label.lower()).strip("-")
