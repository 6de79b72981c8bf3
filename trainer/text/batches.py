"""Sentences and instructions as tokens, and which of them one optimizer step sees.

The order is a function of (seed, epoch) alone. Batches hold examples of like length, so that little
is spent on padding: chunks of fifty batches, drawn at random, are each sorted by length, and the
batches then shuffled (transformers' `group_by_length`, with whole batches shuffled too).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

import torch
from torch import Tensor

from trainer.data.glue import LabelledText
from trainer.data.instruct import Item, Style, completion_of, prompt_of
from trainer.seeds import mix

Row = TypeVar("Row")
CHUNK = 50
"""Batches in a chunk that is sorted by length."""


@dataclass(frozen=True)
class Example:
    """One row as a model takes it."""

    name: str
    """For errors."""
    tokens: dict[str, list[int]]
    """The tokenizer's answer: `input_ids` and what else the model wants."""
    label: int | float | None = None
    """Of a sentence."""
    answer: int = 0
    """Of an instruction: how many of the last tokens are its answer."""

    @property
    def length(self) -> int:
        return len(self.tokens["input_ids"])


def tokenise_sentences(
    tokenizer: Any, rows: Sequence[LabelledText], max_length: int
) -> list[Example]:
    """Sentences and pairs of them, cut at the longer one's end."""
    if not rows:
        return []
    columns = [list(column) for column in zip(*(row.texts for row in rows), strict=True)]
    told = tokenizer(*columns, truncation=True, max_length=max_length)
    return [
        Example(f"row {place + 1}", {name: told[name][place] for name in told}, row.label)
        for place, row in enumerate(rows)
    ]


def tokenise_instructions(
    tokenizer: Any, items: Sequence[Item], style: Style, max_length: int
) -> list[Example]:
    """Prompts with their answers, each ended by the end of text."""
    return [
        with_answer(
            tokenizer, prompt_of(item, style), completion_of(item, style), max_length,
            name=f"item {place + 1}",
        )
        for place, item in enumerate(items)
    ]  # fmt: skip


def with_answer(
    tokenizer: Any, prompt: str, answer: str, max_length: int, *, name: str = "", end: bool = True
) -> Example:
    """A prompt and an answer to it, with the end of text unless not wished.

    Each is made to tokens on its own, so that a prompt's are the same whatever follows. What is too
    long loses the beginning of its prompt; the last token of it always stays.
    """
    given = tokenizer(prompt)["input_ids"]
    told = tokenizer(answer, add_special_tokens=False)["input_ids"]
    told = [*told, *([tokenizer.eos_token_id] if end else [])][: max_length - 1]
    return Example(name, {"input_ids": [*given, *told][-max_length:]}, answer=len(told))


def draw(rows: Sequence[Row], count: int | None, seed: int) -> list[Row]:
    """`count` of them by the seed, in their order; all where None or not that many."""
    return list(rows) if count is None else hold_out(rows, count, seed)[1]


def hold_out(rows: Sequence[Row], count: int, seed: int) -> tuple[list[Row], list[Row]]:
    """All but `count` of them, and these, by the seed; both in their order."""
    generator = torch.Generator().manual_seed(mix(seed, -1))
    places = set(torch.randperm(len(rows), generator=generator)[:count].tolist())
    return (
        [row for place, row in enumerate(rows) if place not in places],
        [row for place, row in enumerate(rows) if place in places],
    )


class Batches:
    """Which examples each optimizer step sees."""

    def __init__(self, examples: Sequence[Example], batch_size: int, seed: int) -> None:
        self.examples = examples
        self.batch_size = batch_size
        self.seed = seed
        self.per_epoch = math.ceil(len(examples) / batch_size)
        self._epoch = lru_cache(maxsize=1)(self._ordered)

    def of_step(self, step: int) -> list[Example]:
        """The examples of a step, the longest first; an epoch's last batch may be a smaller one."""
        epoch, place = divmod(step, self.per_epoch)
        return [self.examples[index] for index in self._epoch(epoch)[place]]

    def _ordered(self, epoch: int) -> list[list[int]]:
        generator = torch.Generator().manual_seed(mix(self.seed, epoch))
        shuffled = torch.randperm(len(self.examples), generator=generator).tolist()
        chunk = CHUNK * self.batch_size
        by_length = [
            index
            for start in range(0, len(shuffled), chunk)
            for index in sorted(
                shuffled[start : start + chunk], key=lambda index: -self.examples[index].length
            )
        ]
        batches = [
            by_length[start : start + self.batch_size]
            for start in range(0, len(by_length), self.batch_size)
        ]
        order = torch.randperm(len(batches), generator=generator).tolist()
        return [batches[index] for index in order]


def split(batch: Sequence[Example], size: int) -> list[Sequence[Example]]:
    """A batch in parts that fit through the base at once."""
    return [batch[start : start + size] for start in range(0, len(batch), size)]


def collate(tokenizer: Any, batch: Sequence[Example], device: torch.device) -> dict[str, Tensor]:
    """Tokens as (batch, length) tensors on `device`, filled up at the tokenizer's side."""
    padded = tokenizer.pad([example.tokens for example in batch], return_tensors="pt")
    return {name: tensor.to(device) for name, tensor in padded.items()}
