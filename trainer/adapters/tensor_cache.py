"""Tensors on disk by key: checksummed, within a byte limit, safe for several processes at once.

One safetensors file an entry, whole or absent. Least recently used entries go first. A damaged or
unwritable cache costs time, never correctness: a reader gets None and a line in the log.

Knows keys and tensors; nothing of what they mean.
"""

from __future__ import annotations

import hashlib
import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from trainer.adapters.weights import tensor_bytes
from trainer.files import whole_file

logger = logging.getLogger(__name__)

ABANDONED_AFTER = 3600.0  # seconds after which a temporary file is taken for a dead writer's


class TensorCache:
    """A folder of entries, together at most `limit_bytes`."""

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self.folder = folder
        self.limit_bytes = limit_bytes

    def path(self, key: str) -> Path:
        """Where the entry of that key lies."""
        return self.folder / f"{key}.safetensors"

    def read(self, key: str) -> tuple[dict[str, Tensor], dict[str, str]] | None:
        """Tensors and metadata of an entry; None where there is none that passes its checksum."""
        path = self.path(key)
        try:
            with safe_open(path, framework="pt") as file:
                metadata: dict[str, str] = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}
            os.utime(path)  # the clock of "least recently used"
        except FileNotFoundError:
            return None
        except (SafetensorError, OSError) as error:
            self._drop_damaged(path, str(error))
            return None
        if metadata.pop("checksum", None) != _checksum(tensors, metadata):
            self._drop_damaged(path, "its checksum does not fit")
            return None
        return tensors, metadata

    def _drop_damaged(self, path: Path, reason: str) -> None:
        logger.warning("cache entry %s is damaged (%s); it is computed again", path, reason)
        path.unlink(missing_ok=True)

    def write(self, key: str, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
        """Store an entry, then drop the oldest others beyond the limit."""
        checksum = _checksum(tensors, metadata)
        try:
            with whole_file(self.path(key)) as temporary:
                save_file(dict(tensors), temporary, {**metadata, "checksum": checksum})
            self._evict(keep=self.path(key))
        except (SafetensorError, OSError) as error:
            logger.warning("cannot write the cache in %s: %s", self.folder, error)

    def _evict(self, keep: Path) -> None:
        for temporary in self.folder.glob(".*.safetensors"):
            if time.time() - _modified(temporary) > ABANDONED_AFTER:
                temporary.unlink(missing_ok=True)
        entries = sorted(self.folder.glob("[!.]*.safetensors"), key=_modified)
        excess = sum(map(_size, entries)) - self.limit_bytes
        for path in entries:
            if excess > 0 and path != keep:
                excess -= _size(path)
                path.unlink(missing_ok=True)


def _checksum(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> str:
    digest = hashlib.sha256(repr(sorted(metadata.items())).encode())
    for name in sorted(tensors):
        digest.update(f"{name} {tuple(tensors[name].shape)} {tensors[name].dtype}".encode())
        digest.update(tensor_bytes(tensors[name]))
    return digest.hexdigest()


def _modified(path: Path) -> float:
    """Time of last use; another process may have dropped the file meanwhile."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
