"""The loss on examples that are not trained on, taken while training goes on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from trainer.journal import Watch
from trainer.text.batches import Example, split
from trainer.text.task import Objective
from trainer.text_config import ValidationConfig


class Validation:
    """A row `validation` with the mean loss, without dropout, every so many steps."""

    kind = "validation"

    def __init__(
        self,
        objective: Objective,
        examples: Sequence[Example],
        batch_size: int,
        config: ValidationConfig,
    ) -> None:
        self.objective = objective
        self.examples = sorted(examples, key=lambda example: example.length)
        self.batch_size = batch_size
        self.config = config

    def due(self, step: int, total_steps: int) -> bool:
        """At the start, every so many steps, and at the end."""
        every = self.config.every
        return bool(every) and (step % every == 0 or step == total_steps)

    @torch.no_grad()
    def take(self, step: int, watch: Watch) -> dict[str, Any]:
        """The mean over all of them, however they are batched."""
        total = 0.0
        for part in split(self.examples, self.batch_size):
            total += float(self.objective.loss(part)) * self.objective.parts(part)
        loss = total / self.objective.parts(self.examples)
        watch.on_validation(step, loss)
        return {"loss": loss, "examples": len(self.examples)}
