"""A job's own process: `python -m app.jobs.program JOB_FOLDER`, started by the supervisor.

Reads job.json, does what it asks, appends to events.jsonl, writes result.json or error.txt, and
ends with a code of `programs.exits`. An attempt goes on with what an earlier one began. Standard
input is the lifeline to the supervisor: when it closes, the program is gone at once.

Imports torch only with the program of the kind that is asked for, after the lifeline is watched.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
import threading
import traceback
from collections.abc import Sequence
from pathlib import Path

from app.jobs.programs.exits import Exit, exit_of, words_for
from app.jobs.programs.folder import JobFolder
from app.jobs.programs.stopping import stop_on_sigterm
from app.jobs.records import Wish

_SPOKEN = (Exit.REFUSED, Exit.DISK_FULL, Exit.OUT_OF_MEMORY)
"""Endings that leave words for a person."""


def main(arguments: Sequence[str]) -> int:
    end_with_parent()
    [folder] = arguments
    return run_job(Path(folder))


def end_with_parent() -> None:
    """End this process, and the group it leads, when its standard input closes."""
    threading.Thread(target=_wait_for_the_end, daemon=True).start()


def _wait_for_the_end() -> None:
    while os.read(0, 1024):  # not sys.stdin: its lock, held here, would keep Python from ending
        pass
    if os.getpgid(0) == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(Exit.CRASHED)


def run_job(folder: Path) -> Exit:
    """Do the job of that folder; how it ended."""
    (folder / "error.txt").unlink(missing_ok=True)
    try:
        job = JobFolder(folder)
        program = importlib.import_module(f"app.jobs.programs.{job.kind}")
        with stop_on_sigterm() as stop:
            job.publish(program.run(job, stop))
            job.grant(Wish.FINISH)
    except (Exception, KeyboardInterrupt) as error:
        return _ended_by(error, folder)
    return Exit.DONE


def _ended_by(error: BaseException, folder: Path) -> Exit:
    ending = exit_of(error)
    if ending is Exit.CRASHED:
        traceback.print_exception(error)
        return ending
    words = words_for(error, folder)
    print(words, file=sys.stderr)
    if ending in _SPOKEN:
        try:
            (folder / "error.txt").write_text(words + "\n", "utf-8")
        except OSError:  # the full disk itself; the log, in the supervisor's pipe, has the words
            pass
    return ending


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
