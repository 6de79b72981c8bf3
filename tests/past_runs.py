"""Run folders of finished trainings, for whoever learns from them how long the next takes."""

from __future__ import annotations

import json
import os

from trainer.files import write_json
from trainer.run import RunFolder


def write_past(run: RunFolder, config: object, *, step: float, beside: float, gib: float) -> None:
    """A finished run of 10 steps of `step` seconds each, and `beside` seconds of other work."""
    run.write_config(config)
    rows = [
        {"kind": "step", "step": n, "attempt": 1, "seconds": step, "memory_gib": gib}
        for n in range(1, 11)
    ]
    run.metrics.write_text("".join(json.dumps(row) + "\n" for row in rows))
    write_json(run.status_file, {"state": "succeeded", "step": 10})
    began = run.config_file.stat().st_mtime
    os.utime(run.status_file, (began, began + 10 * step + beside))
