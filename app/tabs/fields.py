"""The Advanced forms, made of the dataclasses behind the command line: no second list of fields.

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
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal

import gradio as gr

from app.tabs.words import say
from trainer.config import DreamBoothConfig
from trainer.errors import ConfigError

SET_ELSEWHERE = {"photos", "base", "run", "workspace"}


@dataclass(frozen=True)
class Setting:
    """One field of a config that a person may change."""

    section: str
    """Empty for a field of the config itself."""
    name: str
    hint: Any
    info: str

    @property
    def path(self) -> str:
        """As on the command line: `adapter.num-directions`."""
        return ".".join(part.replace("_", "-") for part in (self.section, self.name) if part)

    def of(self, config: Any) -> Any:
        """The field's value in a config."""
        return getattr(getattr(config, self.section) if self.section else config, self.name)


def all_settings(
    config: type = DreamBoothConfig, elsewhere: Collection[str] = SET_ELSEWHERE
) -> list[Setting]:
    """The fields of a config itself, then every field of every section, in their order; without
    those that are set elsewhere."""
    own = [one for one in _settings_of("", config) if one.name not in elsewhere]
    return [
        *(setting for setting in own if not dataclasses.is_dataclass(setting.hint)),
        *(
            setting
            for section in own
            if isinstance(section.hint, type) and dataclasses.is_dataclass(section.hint)
            for setting in _settings_of(section.name, section.hint)
        ),
    ]


def _settings_of(section: str, kind: type) -> Iterator[Setting]:
    hints = typing.get_type_hints(kind)
    words = {name: text for part in reversed(kind.__mro__[:-1])
             for name, text in field_words(part).items()}  # fmt: skip
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


def advanced(settings: Sequence[Setting], start: Any) -> list[Any]:
    """The components of a form, folded away: a part for each section of the config."""
    components: list[Any] = []
    with gr.Accordion(say("train.advanced"), open=False, elem_classes="advanced"):
        for section, group in groupby(settings, key=lambda setting: setting.section):
            with gr.Accordion(say(f"section.{section or 'own'}"), open=False):
                components += [component(setting, setting.of(start)) for setting in group]
    return components


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


def shown_values(settings: Sequence[Setting], start: Any) -> list[Any]:
    """What the form shows for the config of a preset."""
    return [shown(setting, setting.of(start)) for setting in settings]


def changes(settings: Sequence[Setting], values: Sequence[Any], start: Any) -> dict[str, Any]:
    """What the form says other than the config of a preset, nested as in config.json.

    Raises one ConfigError with every value that cannot be read.
    """
    nested: dict[str, Any] = {}
    faults = []
    for setting, value in zip(settings, values, strict=True):
        try:
            read = _read(setting.hint, value)
        except ValueError:
            faults.append(say("fields.unreadable", field=setting.path, value=repr(value),
                              kind=_kind(setting.hint)))  # fmt: skip
            continue
        if read != _plain(setting.of(start)):
            place = nested.setdefault(setting.section, {}) if setting.section else nested
            place[setting.name] = read
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
