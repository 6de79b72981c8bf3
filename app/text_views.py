"""What the verbs of `app.texts` answer with, as `app.views` does for photos. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from app.views import BaseState

Recipe = Literal["glue", "llm"]
Source = Literal["bundled", "hub", "uploaded"]


@dataclass(frozen=True)
class TextSetView:
    """Labelled texts that can be trained on or scored."""

    id: str
    name: str
    recipe: Recipe
    task: str | None
    """Of GLUE; None for instructions."""
    source: Source
    train: int | None
    """Rows to train on: 0 where there are none, None where only the hub knows."""
    test: int | None
    """Rows to score: a dev set of GLUE, test items of instructions."""


@dataclass(frozen=True)
class TextBase:
    """A model that may be trained on texts."""

    id: str
    label: str
    recipe: Recipe
    state: BaseState
    gigabytes: float
    """To download, or on disk."""
    note: str
