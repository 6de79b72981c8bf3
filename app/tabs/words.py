"""Every sentence of the page, by key, from assets/studio/en.json: a translation is another file."""

from __future__ import annotations

import functools
import json
import string

from trainer.config import ASSETS

LANGUAGE = "en"


@functools.cache
def _sentences(language: str) -> dict[str, str]:
    sections = json.loads((ASSETS / "studio" / f"{language}.json").read_text("utf-8"))
    return {f"{name}.{key}": text for name, part in sections.items() for key, text in part.items()}


class _Filling(string.Formatter):
    """Placeholders as of `str.format`, and `{n:photo|photos}` for the word that fits the number."""

    def format_field(self, value: object, format_spec: str) -> str:
        one, bar, many = format_spec.partition("|")
        if bar:
            return one if str(value) == "1" else many
        return str(super().format_field(value, format_spec))


def say(key: str, **values: object) -> str:
    """The sentence called `section.key`, its {placeholders} filled in."""
    sentence = _sentences(LANGUAGE)[key]
    return _Filling().vformat(sentence, (), values) if values else sentence
