"""The losses of the recipes on text, one optimizer step at a time.

Dropout is the only thing random in a loss; the loop seeds it by (seed, step) and the process.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from trainer.loop import MicroLoss
from trainer.peers import ALONE, Peers
from trainer.text.batches import Batches, Example, collate, split
from trainer.text.load import TextModel


class Objective(Protocol):
    """A loss over examples, as a sum of so many equal parts."""

    def parts(self, examples: Sequence[Example]) -> int:
        """How many numbers the loss of these examples is a mean of."""
        ...

    def loss(self, examples: Sequence[Example]) -> Tensor:
        """Their mean, a scalar in fp32."""
        ...


class TextTask:
    """A step's losses: one batch, its share of it cut into parts, each weighing what it holds."""

    def __init__(
        self,
        text: TextModel,
        objective: Objective,
        batches: Batches,
        micro_batch_size: int,
        peers: Peers = ALONE,
    ) -> None:
        self.text = text
        self.objective = objective
        self.batches = batches
        self.micro_batch_size = micro_batch_size
        self.peers = peers

    def micro_losses(self, step: int) -> Iterator[MicroLoss]:
        batch = self.batches.of_step(step)
        whole = self.objective.parts(batch)
        self.text.model.train()
        for part in split(self.peers.share(batch), self.micro_batch_size):
            share = self.objective.parts(part) / whole
            names = tuple(example.name for example in part)
            yield MicroLoss(self.objective.loss(part), share, names)
        self.text.model.eval()


class Classification:
    """Cross-entropy over the labels; for one output the squared error of a number."""

    def __init__(self, text: TextModel) -> None:
        self.text = text

    def parts(self, examples: Sequence[Example]) -> int:
        return len(examples)

    def loss(self, examples: Sequence[Example]) -> Tensor:
        logits = self.logits(examples)
        target = torch.tensor([example.label for example in examples], device=logits.device)
        if logits.shape[1] == 1:
            return F.mse_loss(logits[:, 0], target.float())
        return F.cross_entropy(logits, target)

    def logits(self, examples: Sequence[Example]) -> Tensor:
        """(batch, labels), fp32"""
        told = collate(self.text.tokenizer, examples, self.text.device)
        logits: Tensor = self.text.model(**told).logits
        return logits.float()


class AnswerLoss:
    """Cross-entropy of a language model over the tokens of the answers alone."""

    def __init__(self, text: TextModel) -> None:
        self.text = text

    def parts(self, examples: Sequence[Example]) -> int:
        return sum(example.answer for example in examples)

    def loss(self, examples: Sequence[Example]) -> Tensor:
        """Padded at the left, all answers stand at the end: only there are logits computed."""
        told = collate(self.text.tokenizer, examples, self.text.device)
        longest = max(example.answer for example in examples)
        logits = self.text.model(**told, **self._asked(told, longest)).logits
        predicted = logits[:, -longest - 1 : -1].float()
        target = told["input_ids"][:, -longest:].clone()
        for row, example in zip(target, examples, strict=True):
            row[: longest - example.answer] = -100
        return F.cross_entropy(predicted.flatten(0, 1), target.flatten())

    def _asked(self, told: dict[str, Tensor], longest: int) -> dict[str, Any]:
        """Positions that do not count the padding, where a model takes them."""
        positions = (told["attention_mask"].cumsum(-1) - 1).clamp(min=0)
        return self.text.accepted(
            position_ids=positions, logits_to_keep=longest + 1, use_cache=False
        )
