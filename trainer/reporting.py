"""What a run tells while it goes on: `metrics.jsonl`, and when a checkpoint is due."""

from __future__ import annotations

import dataclasses
import json
import time
from typing import Any

from trainer.config import CheckpointConfig
from trainer.files import write_text
from trainer.loop import StepReport
from trainer.memory import memory_gib
from trainer.run import RunFolder


class RunLog:
    """Appends rows to metrics.jsonl; each has `kind`, `step` and `attempt`.

    On resume the rows after the checkpoint are cut off, so that every step is there once.
    """

    def __init__(self, run: RunFolder, start: int) -> None:
        self.run = run
        rows = list(run.metric_rows())
        self.attempt = 1 + max((row["attempt"] for row in rows), default=0)
        kept = [row for row in rows if row["step"] <= start] if start else []
        write_text(run.metrics, "".join(json.dumps(row) + "\n" for row in kept))

    def write(self, kind: str, step: int, **values: Any) -> None:
        row = {"kind": kind, "step": step, "attempt": self.attempt, **values}
        with self.run.metrics.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")

    def write_step(self, report: StepReport) -> None:
        self.write(
            "step",
            report.step,
            loss=report.loss,
            grad_norm=report.grad_norm,
            learning_rate=report.learning_rate,
            seconds=round(report.seconds, 4),
            memory_gib=round(memory_gib(), 3),
        )
        if report.launch is not None:
            self.write("launch", report.step, **_launch_row(report))


def _launch_row(report: StepReport) -> dict[str, Any]:
    launch = report.launch
    assert launch is not None
    return {
        "layers": len(launch.layers),
        "plain": list(launch.plain),
        "excluded": launch.excluded,
        "seconds_waited": round(launch.seconds_waited, 3),
        "seconds": round(launch.seconds, 3),
        "probe_difference": launch.probe_difference,
        "directions": {path: dataclasses.asdict(row) for path, row in launch.layers.items()},
    }


class SaveClock:
    """When a checkpoint is due: every so many minutes, and every so many steps if asked."""

    def __init__(self, config: CheckpointConfig) -> None:
        self.config = config
        self._last = time.monotonic()

    def due(self, step: int) -> bool:
        by_step = bool(self.config.every) and step % self.config.every == 0
        return by_step or time.monotonic() - self._last >= 60 * self.config.minutes

    def saved(self) -> None:
        self._last = time.monotonic()
