"""A folder that a job makes: there complete, or not at all. No torch."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.jobs.programs.folder import JobFolder


@contextmanager
def whole_folder(job: JobFolder, folder: Path) -> Iterator[Path]:
    """Yields where to write; at the end of the block all of it takes the place of `folder`.

    Raises LeaseLost, and publishes nothing, where another attempt has the job.
    """
    unfinished = folder.with_name(f".{folder.name}")
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        yield unfinished
        job.confirm()
        shutil.rmtree(folder, ignore_errors=True)
        unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
