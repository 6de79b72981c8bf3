"""What a run writes down and tells while it goes on: metrics, samples, checkpoints.

A caller looks on, and asks things of the run, by its `Watch`; the loop comes here by its hooks.
Knows no recipe: what a sample is, pictures or a loss on held-out text, the recipe says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from trainer.checkpoints import write_checkpoint
from trainer.config import CheckpointConfig
from trainer.loop import StepReport, Trained
from trainer.memory import give_back_freed_memory
from trainer.reporting import RunLog, SaveClock
from trainer.run import RunFolder

SLOW_STEP = 2.0
"""Seconds; after a step of a large model the memory it freed is given back, which takes a while."""


@dataclass(frozen=True)
class Watch:
    """How a caller looks at a run while it goes on, asks things of it, and stops it.

    The `_now` questions are put after every step; the answer to yes is `on_save`, or what the
    recipe's samples call.
    """

    on_start: Callable[[RunFolder, int, int], None] = lambda run, start, total: None
    """Run, steps done already, steps in all."""
    on_step: Callable[[StepReport], None] = lambda report: None
    on_preview: Callable[[int, list[Path]], None] = lambda step, paths: None
    on_save: Callable[[int], None] = lambda step: None
    """A checkpoint of that many steps is written."""
    on_validation: Callable[[int, float], None] = lambda step, loss: None
    """The loss on text that is held out, after so many steps."""
    stop: Callable[[], bool] = lambda: False
    """Save and end, to be resumed."""
    save_now: Callable[[], bool] = lambda: False
    sample_now: Callable[[], bool] = lambda: False
    finish_now: Callable[[], bool] = lambda: False
    """Train no further, and publish the adapter as it is."""
    before_publish: Callable[[], None] = lambda: None
    """Called when all is learnt and nothing published; raises where it must not be."""


class Samples(Protocol):
    """What a recipe looks at beside the steps, to see how far it is."""

    kind: str
    """Of its rows in metrics.jsonl."""

    def due(self, step: int, total_steps: int) -> bool:
        """Whether to look after so many steps."""
        ...

    def take(self, step: int, watch: Watch) -> dict[str, Any]:
        """Look, and tell the watch; what stands in the row."""
        ...


class Journal:
    """What is written down while the loop runs: metrics, samples, checkpoints."""

    def __init__(
        self,
        run: RunFolder,
        trained: Trained,
        samples: Samples,
        config: CheckpointConfig,
        watch: Watch,
        start: int,
        total_steps: int,
    ) -> None:
        self.run = run
        self.trained = trained
        self.samples = samples
        self.watch = watch
        self.start = start
        self.total_steps = total_steps
        self.log = RunLog(run, start)
        self.config = config
        self.clock = SaveClock(config)

    def before_first_step(self) -> None:
        if self.start == 0 and self.samples.due(0, self.total_steps):
            self._sample(0)

    def on_step(self, report: StepReport) -> None:
        if report.seconds > SLOW_STEP:
            give_back_freed_memory()
        self.log.write_step(report)
        self.watch.on_step(report)
        if self.samples.due(report.step, self.total_steps) or self.watch.sample_now():
            self._sample(report.step)

    def _sample(self, step: int) -> None:
        self.log.write(self.samples.kind, step, **self.samples.take(step, self.watch))

    def save_due(self, step: int) -> bool:
        return self.clock.due(step) or self.watch.save_now()

    def save(self, step: int) -> None:
        write_checkpoint(self.run.checkpoints, step, self.trained, self.config.keep)
        self.clock.saved()
        self.log.write("checkpoint", step)
        self.watch.on_save(step)
