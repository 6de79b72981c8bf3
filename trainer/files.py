"""Files that are whole or absent: temporary name, fsync, rename. And what pictures are called."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the same folder; on success it becomes `path`, else it is gone.

    A reader never sees half a file, and a crash leaves the old one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # The suffix stays: writers such as PIL and matplotlib choose the format by it.
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}.", suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        _settle(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """The same for a folder, which takes the place of what was there.

    One writer at a time: what a killed one left half done, the next one clears.
    """
    temporary = path.with_name(f".{path.name}.part")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        yield temporary
        for file in temporary.rglob("*"):
            if file.is_file():
                _settle(file)
        shutil.rmtree(path, ignore_errors=True)
        temporary.rename(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def deletion_mark(folder: Path) -> Path:
    """The file beside a deleted folder that keeps its name from being given again: what knows the
    folder by its name must not meet another one there."""
    return folder.with_name(f".{folder.name}.deleted")


def _settle(path: Path) -> None:
    """On the disk, and to be read by all: safetensors and mkstemp write for the owner alone."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())
    path.chmod(0o644)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as readable JSON, whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", "utf-8")


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8, whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_text(text, "utf-8")


def picture_name(prompt: str, seed: int) -> str:
    """A name a person can read, made unique by the prompt's hash."""
    words = re.sub(r"[^a-z0-9]+", "-", prompt.lower()).strip("-")[:60]
    digest = hashlib.sha256(prompt.encode()).hexdigest()[:6]
    return f"{words}-{digest}-{seed}.png"


def sha256_of(path: Path) -> str:
    """Hex digest of a file's bytes, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
