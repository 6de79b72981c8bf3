"""A program that keeps the contract and only counts: for tests of the queue.

The request says how many steps of how many seconds, and what goes wrong where. Every step done is
a line of steps.jsonl with process and times, so that steps that overlapped, got lost or were done
twice can be counted. A checkpoint after each `save_every` steps is a file with the step.
"""

from __future__ import annotations

import errno
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

stopping = False


def main(folder: Path) -> int:
    try:
        return count(folder)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        return 74


def count(folder: Path) -> int:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    signal.signal(signal.SIGTERM, _stop)
    job = json.loads((folder / "job.json").read_text())
    request = job["request"]
    first = _resume(folder)
    _misbehave(request, first, folder, job["memory_profile"])
    for step in range(first, request["steps"]):
        _step(folder, step, request.get("seconds", 0.02))
        done = step + 1
        _tell(folder, kind="progress", step=done, total=request["steps"], phase="count")
        if done % request.get("save_every", 5) == 0 or stopping:
            _save(folder, done)
        if stopping:
            return 130
        if (early := _wishes(folder, done)) is not None:
            return early
    told = os.environ.get("DASHBOOTH_INFERENCE")
    return _publish(folder, {"steps": request["steps"], "inference": told})


def _step(folder: Path, step: int, seconds: float) -> None:
    began = time.time()
    time.sleep(seconds)
    row = {"step": step, "pid": os.getpid(), "began": began, "ended": time.time()}
    with (folder / "steps.jsonl").open("a") as file:
        file.write(json.dumps(row) + "\n")


def _wishes(folder: Path, done: int) -> int | None:
    for wish in ("save", "sample", "finish"):
        path = folder / "wishes" / wish
        if path.exists():
            path.unlink()
            _tell(folder, kind="wish", wish=wish)
            if wish == "save":
                _save(folder, done)
            if wish == "finish":
                return _publish(folder, {"steps": done, "message": f"stopped early at {done}"})
    return None


def _misbehave(request: dict[str, Any], first: int, folder: Path, profile: str | None) -> None:
    """Once, where the request says so and nothing was resumed; `always` says each time."""
    if first and not request.get("always"):
        return
    match request.get("fault"):
        case "crash":
            print("about to crash")
            raise SystemExit(1)
        case "user error":
            (folder / "error.txt").write_text("no such subject; make one first\n")
            raise SystemExit(2)
        case "memory" if request.get("always") or profile != "low":
            raise SystemExit(77)
        case "disk":
            (folder / "error.txt").write_text("3 GB are missing\n")
            raise SystemExit(74)
        case "kill the supervisor":
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(5)


def _publish(folder: Path, result: dict[str, Any]) -> int:
    from app.jobs.lease import still_held

    names = ("DASHBOOTH_DATABASE", "DASHBOOTH_JOB", "DASHBOOTH_EPOCH")
    database, job, epoch = (os.environ[name] for name in names)
    if not still_held(database, job, int(epoch)):
        return 75
    (folder / "result.tmp").write_text(json.dumps(result))
    (folder / "result.tmp").rename(folder / "result.json")
    return 0


def _resume(folder: Path) -> int:
    path = folder / "checkpoint"
    return int(path.read_text()) if path.exists() else 0


def _save(folder: Path, done: int) -> None:
    (folder / "checkpoint.new").write_text(str(done))
    (folder / "checkpoint.new").rename(folder / "checkpoint")
    _tell(folder, kind="checkpoint", step=done)


def _tell(folder: Path, **row: Any) -> None:
    with (folder / "events.jsonl").open("a") as file:
        file.write(json.dumps(row) + "\n")


def _end_with_parent() -> None:
    while os.read(0, 1024):
        pass
    os._exit(1)


def _stop(*_: object) -> None:
    global stopping
    stopping = True


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
