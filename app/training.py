"""From a request to train to the config of the run, and to the same thing as a command. No torch.

The page, REST and the job's own program all come through `config_of`; what a client may not decide
(where photos lie, where the run goes, which files are opened) it cannot say.
"""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from app import bases, typed
from app.requests import TrainRequest
from app.workspace import Workspace
from trainer.config import DreamBoothConfig, preset
from trainer.config_file import from_json, to_json
from trainer.errors import ConfigError

OURS = ("photos", "base", "run", "workspace", "model.vae")
"""Settings that hold paths: the server sets them."""
LARGEST = 1e9
"""Of any number among the settings."""


def config_of(
    request: TrainRequest, workspace: Workspace, alpha_color: str, run: str | None = None
) -> DreamBoothConfig:
    """The config that trains the request's subject; ConfigError names every setting at fault."""
    start = preset(request.preset)
    check_settings(request.settings, OURS)
    settings = {"subject": {"alpha_color": alpha_color}}
    config = from_json(merged(settings, request.settings), start)
    config = dataclasses.replace(
        config,
        photos=workspace.subject(request.subject),
        base=bases.resolve(workspace, request.base or start.base),
        run=workspace.run(run) if run else None,
        workspace=workspace.root,
    )
    config.validate()
    typed.color(config.subject.alpha_color)
    return config


def command_line(config: DreamBoothConfig, preset_name: str) -> str:
    """The headless command that trains the same: the preset, then what differs from it."""
    words = ["trainer/train_dreambooth.py", "--preset", preset_name]
    return as_command(words, config, preset(preset_name))


def as_command(words: Sequence[str], config: Any, start: Any) -> str:
    """A script's command for a config: these words, then what differs from where they start."""
    default = dict(_flags(to_json(start)))
    changed = [
        part
        for flag, value in _flags(to_json(config))
        if value != default[flag]
        for part in _flag(flag, value)
    ]
    return shlex.join(["python", *words, *changed])


def with_settings(request: TrainRequest, changes: Mapping[str, Any]) -> TrainRequest:
    """The request with some settings changed, nested as they are."""
    return dataclasses.replace(request, settings=merged(request.settings, changes))


def merged(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`values` with `changes`, object by object; anything else is replaced."""
    result = dict(values)
    for key, value in changes.items():
        below = result.get(key)
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            value = merged(below, value)
        result[key] = value
    return result


def check_settings(settings: Mapping[str, Any], ours: Sequence[str]) -> None:
    """ConfigError where settings say what the studio says, or numbers that are out of range."""
    faults = [
        f"{name} is set by the studio; leave it out." for name in ours if _has(settings, name)
    ]
    for name, value in _flags(settings):
        for number in value if isinstance(value, list) else [value]:
            if isinstance(number, int | float) and not abs(number) <= LARGEST:
                faults.append(f"{name}: is out of range; at most {LARGEST:.0e} is possible.")
    if faults:
        raise ConfigError("\n".join(faults))


def _has(settings: Mapping[str, Any], name: str) -> bool:
    first, _, rest = name.partition(".")
    if first not in settings:
        return False
    return not rest or (isinstance(settings[first], Mapping) and _has(settings[first], rest))


def _flags(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flags(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _flag(name: str, value: Any) -> list[str]:
    flag = f"--{name.replace('_', '-')}"
    if isinstance(value, bool):
        head, _, last = flag.removeprefix("--").rpartition(".")
        return [flag] if value else [f"--{head}.no-{last}"]
    if isinstance(value, list):
        return [flag, *map(str, value)]
    return [flag, str(value)]
