"""The folders below a run's checkpoints/, each whole or absent. No torch.

A folder has its name only when its manifest is written, and that last of all: whoever lists them
need not read them. Whoever goes on from one first compares its files with the manifest.
"""

from __future__ import annotations

import json
from pathlib import Path

from trainer.files import sha256_of

MANIFEST = "manifest.json"
"""sha256 of the other files by name."""


def checkpoint_folder(checkpoints: Path, step: int) -> Path:
    return checkpoints / f"step-{step:08d}"


def checkpoint_folders(checkpoints: Path) -> list[Path]:
    """All that are there, ascending by step."""
    return sorted(path.parent for path in checkpoints.glob(f"step-*/{MANIFEST}"))


def step_of(folder: Path) -> int:
    """Optimizer steps done."""
    return int(folder.name.removeprefix("step-"))


def is_whole(folder: Path) -> bool:
    """Whether all files are as the manifest says; reads every byte."""
    try:
        digests = json.loads((folder / MANIFEST).read_text("utf-8"))
        return all(sha256_of(folder / name) == digest for name, digest in digests.items())
    except (OSError, ValueError, AttributeError):
        return False
