"""The Advanced form, made of the dataclasses behind the command line: no second list of fields.

A field's type chooses the component, its docstring is the explanation, its place in the config is
its name. `settings` is the way back: only what differs from the preset.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import inspect
import textwrap
import types
import typing
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import gradio as gr

from app.tabs.words import say
from trainer.config import DreamBoothConfig, preset
from trainer.errors import ConfigError

SET_ELSEWHERE = {"photos", "base", "run", "workspace"}


@dataclass(frozen=True)
class Setting:
    """One field of a config that a person may change."""

    section: str
    name: str
    hint: Any
    info: str

    @property
    def path(self) -> str:
        """As on the command line: `adapter.num-directions`."""
        return f"{self.section}.{self.name.replace('_', '-')}"

    def of(self, config: DreamBoothConfig) -> Any:
        """The field's value in a config."""
        return getattr(getattr(config, self.section), self.name)


def all_settings() -> list[Setting]:
    """Every field of every section of the config, in its order."""
    sections = typing.get_type_hints(DreamBoothConfig)
    return [
        setting
        for section, kind in sections.items()
        if section not in SET_ELSEWHERE
        for setting in _settings_of(section, kind)
    ]


def _settings_of(section: str, kind: type) -> Iterator[Setting]:
    words, hints = field_words(kind), typing.get_type_hints(kind)
    for field in dataclasses.fields(kind):
        yield Setting(section, field.name, hints[field.name], words.get(field.name, ""))


@functools.cache
def field_words(kind: type) -> dict[str, str]:
    """The docstring under each field of a dataclass, on one line."""
    (body,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    assert isinstance(body, ast.ClassDef)
    return {
        field.target.id: " ".join(words.value.value.split())
        for field, words in zip(body.body, body.body[1:], strict=False)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(words, ast.Expr)
        and isinstance(words.value, ast.Constant)
        and isinstance(words.value.value, str)
    }


def component(setting: Setting, value: Any) -> Any:
    """The component for a field: a list of choices, a tick, a number, or a line of text."""
    hint, optional = _without_none(setting.hint)
    options: dict[str, Any] = {"label": setting.path, "info": setting.info, "interactive": True}
    if typing.get_origin(hint) is Literal:
        return gr.Dropdown(list(typing.get_args(hint)), value=value, **options)
    if hint is bool:
        return gr.Checkbox(value=value, **options)
    if hint in (int, float) and not optional:
        return gr.Number(value, precision=0 if hint is int else None, **options)
    # Gradio's Number shows an unset value as 0, so what may be unset is a line of text.
    placeholder = say("fields.automatic") if optional else None
    return gr.Textbox(shown(setting, value), placeholder=placeholder, **options)


def shown(setting: Setting, value: Any) -> Any:
    """A field's value as its component holds it."""
    if isinstance(value, tuple):
        return " ".join(map(str, value))
    _, optional = _without_none(setting.hint)
    return ("" if value is None else str(value)) if optional else value


def shown_values(settings: Sequence[Setting], preset_name: str) -> list[Any]:
    """What the form shows for a preset."""
    return [shown(setting, setting.of(preset(preset_name))) for setting in settings]


def changes(settings: Sequence[Setting], values: Sequence[Any], preset_name: str) -> dict[str, Any]:
    """What the form says other than the preset, nested as in config.json.

    Raises one ConfigError with every value that cannot be read.
    """
    nested: dict[str, dict[str, Any]] = {}
    faults = []
    for setting, value in zip(settings, values, strict=True):
        try:
            read = _read(setting.hint, value)
        except ValueError:
            faults.append(say("fields.unreadable", field=setting.path, value=repr(value),
                              kind=_kind(setting.hint)))  # fmt: skip
            continue
        if read != _plain(setting.of(preset(preset_name))):
            nested.setdefault(setting.section, {})[setting.name] = read
    if faults:
        raise ConfigError("\n".join(faults))
    return nested


def _read(hint: Any, value: Any) -> Any:
    """What a component holds as a JSON value of the field's type."""
    hint, optional = _without_none(hint)
    if value in (None, ""):
        if optional:
            return None
        raise ValueError
    if typing.get_origin(hint) is tuple:
        return [typing.get_args(hint)[0](part) for part in str(value).replace(",", " ").split()]
    return hint(value) if hint in (int, float) else value


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _without_none(hint: Any) -> tuple[Any, bool]:
    """The type of a field that may be unset, and whether it may."""
    if isinstance(hint, types.UnionType):
        rest = [part for part in typing.get_args(hint) if part is not type(None)]
        return rest[0], len(rest) < len(typing.get_args(hint))
    return hint, False


def _kind(hint: Any) -> str:
    hint, _ = _without_none(hint)
    if typing.get_origin(hint) is tuple:
        return say("fields.row")
    return say({int: "fields.whole", float: "fields.number"}.get(hint, "fields.value"))
