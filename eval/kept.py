"""Parts of a long evaluation on disk, so that one that was killed goes on where it was.

    KeptFeatures    what a scorer saw in pictures, a file a batch
    KeptRows        rows of numbers by name, a line each

Both belong to one piece of work: whoever starts another one gives another place.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

from eval.features import Extractor, Features
from trainer.files import whole_file

BATCH = 32


class KeptFeatures:
    """Looks at pictures by a scorer; in a folder, what it has looked at is found again."""

    def __init__(
        self, folder: Path | None = None, on_kept: Callable[[int], object] = lambda pictures: None
    ) -> None:
        """`on_kept` is told how many pictures were looked at, or found to have been."""
        self._folder = folder
        self._on_kept = on_kept
        self._weights: dict[Extractor, str] = {}

    def images(
        self,
        scorer: Extractor,
        pictures: Sequence[Path],
        on_batch: Callable[[int], object] = lambda done: None,
    ) -> Features:
        """`scorer.images`, batch by batch, not again where the files are the same."""
        if self._folder is None:
            return scorer.images(pictures, on_batch=on_batch)
        rows = []
        for start in range(0, len(pictures), BATCH):
            batch = pictures[start : start + BATCH]
            rows.append(self._batch(self._folder, scorer, batch))
            self._on_kept(len(batch))
            on_batch(len(batch))
        return np.concatenate(rows)

    def _batch(self, folder: Path, scorer: Extractor, batch: Sequence[Path]) -> Features:
        file = folder / f"{self._name(scorer, batch)}.safetensors"
        if file.exists():
            found: Features = load_file(file)["features"]
            return found
        features = scorer.images(batch)
        with whole_file(file) as temporary:
            save_file({"features": features}, temporary)
        return features

    def _name(self, scorer: Extractor, batch: Sequence[Path]) -> str:
        """Of the scorer's weights and of the files as they are now."""
        if scorer not in self._weights:
            self._weights[scorer] = scorer.fingerprint()
        files = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in batch]
        return hashlib.sha256(f"{self._weights[scorer]} {files}".encode()).hexdigest()


class KeptRows:
    """Rows by name; in a file, those of an earlier call are there."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._rows: dict[str, Any] = dict(_read(file)) if file and file.exists() else {}

    def get(self, name: str) -> Any:
        """The row of that name, or None."""
        return self._rows.get(name)

    def add(self, name: str, row: Any) -> None:
        self._rows[name] = row
        if self._file is not None:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with self._file.open("a", encoding="utf-8") as file:
                file.write("\n" + json.dumps([name, row]))  # a line cut short spoils no other


def _read(file: Path) -> Iterator[tuple[str, Any]]:
    for line in file.read_text("utf-8").splitlines():
        try:
            name, row = json.loads(line)
        except ValueError:  # the empty first line, or one that was cut short
            continue
        yield name, row
