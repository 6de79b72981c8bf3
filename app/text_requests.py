"""What is asked for where a model learns from texts: one frozen request a job kind. No torch.

A set of texts (`app.text_sets`) says by itself which recipe it is for and, in GLUE, which task.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import ConfigDict

from trainer.methods.config import Instead
from trainer.text_presets import GluePreset, LLMPreset

Way = Literal["likelihood", "generation"]


class Strict:
    """Requests in which a misspelt field is a mistake, not a wish for the default."""

    __pydantic_config__ = ConfigDict(extra="forbid")


@dataclass(frozen=True)
class TextTrainRequest(Strict):
    """Teach an encoder a task, or a language model to answer."""

    data: str
    """Id of a set of texts that has rows to train on."""
    preset: GluePreset | LLMPreset = "demo"
    """Where the values start from; one of the set's recipe."""
    base: str | None = None
    """A base of the list that the page shows; unset, the preset's."""
    instead: Instead | None = None
    """A method of comparison in place of the adapter's."""
    settings: dict[str, Any] = field(default_factory=dict)
    """Changes of single values, nested as in a run's config.json; base, data, task, run, workspace
    and instead are not among them."""
    score: bool = True
    """Score it when training is done, where the set has rows for that."""


@dataclass(frozen=True)
class TextScoreRequest(Strict):
    """Score a finished run on texts."""

    run: str
    data: str | None = None
    """Id of another set of the run's task; unset, the set it was trained on."""
    by: Way = "likelihood"
    """How a language model answers: the likeliest choice, or read out of what it writes."""
    items: int | None = None
    """Only the first so many items of instructions; unset, all."""
    test: bool = False
    """Predict the test set of the run's texts, whose labels only GLUE's server knows, and write the
    file that it takes; `data` is then left out."""


@dataclass(frozen=True)
class TextMethodsRequest(Strict):
    """Methods side by side on one task at one budget, over seeds: a job for each cell."""

    data: str
    methods: tuple[str, ...]
    """Methods of the adapter or in its place, milora, and method:direction."""
    seeds: tuple[int, ...] = (0, 1, 2)
    base: str | None = None
    """A base of the list; unset, the small one of the recipe."""
    steps: int = 300
    """Optimizer steps of every cell, and of every trial of a rate."""
    batch_size: int = 32
    rank: int = 8
    """Of every method that has one; alpha is twice that."""
    rates: tuple[float, ...] = ()
    """Learning rates to choose from; unset, two for the kind of method."""
    examples: int | None = None
    """Train on so many; unset, on all."""
    test_items: int | None = None
    """Score the first so many items of instructions by likelihood; unset, all."""
    generated_items: int = 0
    """Also read the answer out of what is written, for the first so many items."""
    settings: dict[str, Any] = field(default_factory=dict)
    """Other values of every cell, nested as in a run's config.json."""


@dataclass(frozen=True)
class TextCellRequest(Strict):
    """Train and score one cell of a comparison."""

    comparison: str
    method: str
    seed: int


TextRequest = TextTrainRequest | TextScoreRequest | TextCellRequest
