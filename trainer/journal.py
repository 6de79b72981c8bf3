"""What a run writes down and tells while it goes on: metrics, previews, checkpoints.

A caller looks on, and asks things of the run, by its `Watch`; the loop comes here by its hooks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from trainer.checkpoints import write_checkpoint
from trainer.config import CheckpointConfig
from trainer.loop import StepReport, Trained
from trainer.memory import give_back_freed_memory
from trainer.reporting import RunLog, SaveClock
from trainer.run import Run, Subject
from trainer.sdxl.previews import Previews

SLOW_STEP = 2.0
"""Seconds; after a step of a large model the memory it freed is given back, which takes a while."""


@dataclass(frozen=True)
class Watch:
    """How a caller looks at a run while it goes on, asks things of it, and stops it.

    The `_now` questions are put after every step; the answer to yes is `on_save` or `on_preview`.
    """

    on_start: Callable[[Run, Subject, int, int], None] = lambda run, subject, start, total: None
    """Run, subject, steps done already, steps in all."""
    on_step: Callable[[StepReport], None] = lambda report: None
    on_preview: Callable[[int, list[Path]], None] = lambda step, paths: None
    on_save: Callable[[int], None] = lambda step: None
    """A checkpoint of that many steps is written."""
    stop: Callable[[], bool] = lambda: False
    """Save and end, to be resumed."""
    save_now: Callable[[], bool] = lambda: False
    sample_now: Callable[[], bool] = lambda: False
    finish_now: Callable[[], bool] = lambda: False
    """Train no further, and publish the adapter as it is."""
    before_publish: Callable[[], None] = lambda: None
    """Called when all is learnt and nothing published; raises where it must not be."""


class Journal:
    """What is written down while the loop runs: metrics, previews, checkpoints."""

    def __init__(
        self,
        run: Run,
        trained: Trained,
        previews: Previews,
        config: CheckpointConfig,
        watch: Watch,
        start: int,
        total_steps: int,
    ) -> None:
        self.run = run
        self.trained = trained
        self.previews = previews
        self.watch = watch
        self.start = start
        self.total_steps = total_steps
        self.log = RunLog(run, start)
        self.config = config
        self.clock = SaveClock(config)

    def before_first_step(self) -> None:
        if self.start == 0 and self.previews.due(0, self.total_steps):
            self._preview(0)

    def on_step(self, report: StepReport) -> None:
        if report.seconds > SLOW_STEP:
            give_back_freed_memory()
        self.log.write_step(report)
        self.watch.on_step(report)
        if self.previews.due(report.step, self.total_steps) or self.watch.sample_now():
            self._preview(report.step)

    def _preview(self, step: int) -> None:
        paths = self.previews.draw(step)
        self.log.write("preview", step, files=[path.name for path in paths])
        self.watch.on_preview(step, paths)

    def save_due(self, step: int) -> bool:
        return self.clock.due(step) or self.watch.save_now()

    def save(self, step: int) -> None:
        write_checkpoint(self.run.checkpoints, step, self.trained, self.config.keep)
        self.clock.saved()
        self.log.write("checkpoint", step)
        self.watch.on_save(step)
