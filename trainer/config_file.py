"""Configs as JSON: any of our frozen dataclasses to `config.json` and back. No torch.

A file, a request or flags lie as a layer on the values of a preset.
"""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Collection
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar, runtime_checkable

from trainer.errors import ConfigError

Config = TypeVar("Config")
"""A frozen dataclass whose fields are plain values, paths, or such dataclasses."""


@runtime_checkable
class Layered(Protocol):
    """A config in which one field can take the place of another."""

    def put_aside(self, given: Collection[str]) -> Any:
        """Without what the fields of the uppermost layer, those `given`, take the place of."""
        ...


def to_json(config: Any) -> dict[str, Any]:
    """A config as plain JSON values."""
    return {f.name: _plain(getattr(config, f.name)) for f in dataclasses.fields(config)}


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return to_json(value)
    if isinstance(value, Path):
        return str(value)
    return list(value) if isinstance(value, tuple) else value


def from_json(values: dict[str, Any], default: Config) -> Config:
    """Rebuild a config; fields that are absent keep `default`'s value.

    Raises ConfigError naming every unknown field and every value of the wrong kind.
    """
    faults: list[str] = []
    config: Config = _replace(default, values, "", faults)
    if faults:
        raise ConfigError("\n".join(faults))
    return config


def read_config(path: Path, default: Config) -> Config:
    """Read a config file, on top of `default`."""
    return from_json(read_values(path), default)


def read_values(path: Path) -> dict[str, Any]:
    """What a config file says, before it is known of what recipe."""
    try:
        values = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"--config {path}: cannot be read as JSON ({error}).") from error
    if not isinstance(values, dict):
        raise ConfigError(f"--config {path}: an object is needed, like a run's config.json.")
    return values


def _replace(default: Any, values: dict[str, Any], prefix: str, faults: list[str]) -> Any:
    hints = typing.get_type_hints(type(default))
    changes: dict[str, Any] = {}
    for name, value in values.items():
        where = f"{prefix}{name}"
        if name not in hints:
            faults.append(f"{where}: no such field; possible: {', '.join(hints)}.")
        elif dataclasses.is_dataclass(hints[name]):
            if isinstance(value, dict):
                current = getattr(default, name)
                changes[name] = _replace(current, value, f"{where}.", faults)
            else:
                faults.append(f"{where}: is {value!r}; an object is needed.")
        else:
            try:
                changes[name] = _converted(hints[name], value)
            except (TypeError, ValueError):
                faults.append(f"{where}: is {value!r}; needed: {_name(hints[name])}.")
    layered = dataclasses.replace(default, **changes)
    return layered.put_aside(changes) if isinstance(layered, Layered) else layered


def _converted(hint: Any, value: Any) -> Any:
    """`value` from JSON as the field's type; TypeError or ValueError where it is not."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        if value in arguments:
            return value
        raise ValueError
    if origin in (types.UnionType, typing.Union):
        if value is None and type(None) in arguments:
            return None
        return _converted(next(a for a in arguments if a is not type(None)), value)
    if origin is tuple:
        return _converted_tuple(arguments, value)
    if hint is Path and isinstance(value, str):
        return Path(value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is hint:
        return value
    raise TypeError


def _converted_tuple(arguments: tuple[Any, ...], value: Any) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise TypeError
    if arguments[-1] is Ellipsis:
        return tuple(_converted(arguments[0], item) for item in value)
    if len(arguments) != len(value):
        raise ValueError
    return tuple(_converted(a, item) for a, item in zip(arguments, value, strict=True))


def _name(hint: Any) -> str:
    if typing.get_origin(hint) is Literal:
        return " | ".join(map(str, typing.get_args(hint)))
    return getattr(hint, "__name__", str(hint)) if isinstance(hint, type) else str(hint)
