"""Every sentence of the page, by key, from assets/studio/en.json: a translation is another file."""

from __future__ import annotations

import functools
import json

from trainer.config import ASSETS

LANGUAGE = "en"


@functools.cache
def _sentences(language: str) -> dict[str, str]:
    sections = json.loads((ASSETS / "studio" / f"{language}.json").read_text("utf-8"))
    return {f"{name}.{key}": text for name, part in sections.items() for key, text in part.items()}


def say(key: str, **values: object) -> str:
    """The sentence called `section.key`, its {placeholders} filled in."""
    sentence = _sentences(LANGUAGE)[key]
    return sentence.format(**values) if values else sentence
