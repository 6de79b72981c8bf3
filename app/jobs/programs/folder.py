"""A job's folder as its own program sees it: what is asked, told, wished and made. No torch.

job.json        written by the supervisor before each attempt
events.jsonl    appended here, read by the supervisor
wishes/<wish>   put there by the supervisor, taken away when granted
begun-*/        what is not whole yet, for the next attempt to go on from
features/       what scorers saw in pictures, for as long as the job scores
result.json     what was made; there only when all of it is
error.txt       what a person reads where it was not
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from app.checks import request_from_json
from app.jobs.lease import still_held
from app.jobs.programs.exits import LeaseLost
from app.jobs.programs.log import JobLog
from app.jobs.records import JobKind, Wish
from app.workspace import Workspace
from trainer.errors import ArtifactError, Interrupted
from trainer.files import write_json

MOST_OFTEN = 0.2
"""Seconds between two rows of progress; a step of a small base takes less."""

TRAINS = (JobKind.TRAIN, JobKind.TEXT_TRAIN, JobKind.TEXT_CELL)
COUNTED = ("pre-launch", "dash", "train", "rate")
"""Phases whose steps are those of a job that trains; it counts the others apart."""


class Finished(Interrupted):
    """A person wishes no more than what is there."""


class JobFolder:
    """One job's folder, read once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        values = _read(path / "job.json")
        self.kind = JobKind(values["kind"])
        self.request = request_from_json(self.kind, values["request"])
        self.run: str | None = values.get("run")
        self.workspace = Workspace(Path(values["workspace"]))
        self.low_memory = values.get("memory_profile") == "low"
        self._progress_at = 0.0
        self._phase = ""
        self._kept = 0
        self._log = JobLog()

    def tell(self, kind: str, **values: Any) -> None:
        """Append an event."""
        self._log.event(kind, values)
        with (self.path / "events.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps({"kind": kind, **values}) + "\n")

    def warn(self, text: str) -> None:
        self.tell("warning", text=text)

    def progress(self, step: int, total: int, phase: str, **more: float) -> None:
        """Tell how far it is: every phase, and within one no more often than a person can see.

        `more` may have the loss, and in `after` how many seconds come after the last step.
        """
        self._log.progress(step, total, phase, more.get("loss"))
        now = time.monotonic()
        if step == total or phase != self._phase or now - self._progress_at >= MOST_OFTEN:
            self._progress_at, self._phase = now, phase
            apart = {"apart": True} if self.kind in TRAINS and phase not in COUNTED else {}
            self.tell("progress", step=step, total=total, phase=phase, **more, **apart)

    def keep(self, more: int) -> None:
        """Tell that so many more parts of the work are on disk, for the next attempt to go on from.

        An attempt counts from nothing, what it finds included: the same work, the same count.
        """
        if more:
            self._kept += more
            self.tell("kept", step=self._kept)

    @property
    def features(self) -> Path:
        """What scorers saw in pictures, for the next attempt."""
        return self.path / "features"

    def begun(self, files: Sequence[Path]) -> Path:
        """Where to begin what is made from these files, and to find what an earlier attempt began.

        Another place once a file has changed: a name may have become another run's since.
        """
        stamps = [(file.stat().st_size, file.stat().st_mtime_ns) for file in files]
        return self.path / f"begun-{hashlib.sha256(f'{stamps}'.encode()).hexdigest()[:12]}"

    def hand_over(self, made: Path, folder: Path) -> None:
        """Put what was made in its place, and take away the rest of what was begun with it."""
        self.confirm()
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        made.rename(folder)
        shutil.rmtree(made.parent)

    def wished(self, wish: Wish) -> bool:
        return self._wish(wish).exists()

    def grant(self, wish: Wish) -> None:
        """Say that a wish was served, if it was made; it is open until now, so a crash keeps it."""
        if self.wished(wish):
            self.tell("wish", wish=wish)
            self._wish(wish).unlink(missing_ok=True)

    def finish_if_wished(self) -> None:
        """Raise Finished where a person wishes no more."""
        if self.wished(Wish.FINISH):
            raise Finished("stopped on request; what is there is kept")

    def _wish(self, wish: Wish) -> Path:
        return self.path / "wishes" / wish

    def confirm(self) -> None:
        """Raise LeaseLost unless this attempt still holds the job. Called before publishing."""
        if "DASHBOOTH_EPOCH" not in os.environ:
            return  # no supervisor: started by hand
        database, job, epoch = (os.environ[f"DASHBOOTH_{name}"]
                                for name in ("DATABASE", "JOB", "EPOCH"))  # fmt: skip
        if not still_held(database, job, int(epoch)):
            raise LeaseLost(f"another attempt has job {job}; nothing was published")

    def publish(self, result: dict[str, Any]) -> None:
        self.confirm()
        write_json(self.path / "result.json", result)


def _read(path: Path) -> dict[str, Any]:
    try:
        values: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ArtifactError(
            f"{path} cannot be read ({error}); give the folder of a job."
        ) from error
    return values
