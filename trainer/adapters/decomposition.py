"""The core directions of every frozen weight, ready by the time launch asks for them.

A service hands the weights to worker processes that decompose them while training runs and put the
results into an on-disk cache; the base never changes, so the next run on it finds them there.
Workers only ever fill the cache: what is not in it when asked for, for whatever reason, is computed
on the spot. So a killed worker or a full disk costs time, never the result.

Knows weights by path and file; nothing of adapters or steps. The maths is in `directions`.

Shapes: k = min(out, in).
"""

from __future__ import annotations

import hashlib
import logging
import os
import threading
from collections import deque
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import torch
from torch import Tensor

from trainer.adapters.decomposition_process import DecompositionProcess, WorkerGoneError
from trainer.adapters.directions import Side, core_directions, count_excluded, smaller_side
from trainer.adapters.tensor_cache import TensorCache
from trainer.adapters.weights import WeightSource, read_weight, tensor_bytes, weight_shape
from trainer.errors import NonFiniteError

logger = logging.getLogger(__name__)

ALGORITHM = "gram-eigh-fp64-1"  # raise the number when results change: it is part of every key
DEFAULT_LIMIT_BYTES = 8 * 2**30  # two and a half SDXL bases; one that is larger gets what it needs


@dataclass(frozen=True)
class Decomposition:
    """Singular vectors of the smaller side of one weight, and its spectrum."""

    side: Side
    vectors: Tensor  # (k, k) fp32, a vector a column; fp16 would lose the order of the tail
    sigma: Tensor  # (k) fp64, descending
    excluded: int  # how many of the last directions are rounding noise of the stored dtype
    key: str

    @property
    def usable(self) -> int:
        """How many of the first directions may be chosen."""
        return len(self.sigma) - self.excluded


def decompose(weight: Tensor, path: str) -> Decomposition:
    """Decompose one weight; NonFiniteError names the layer where it holds NaN or Inf."""
    if not torch.isfinite(weight).all():
        raise NonFiniteError(f"{path}: the base's weight holds NaN or Inf; the checkpoint is bad.")
    vectors, sigma = core_directions(weight)
    excluded = count_excluded(weight, sigma)
    return Decomposition(
        smaller_side(weight), vectors.float().contiguous(), sigma, excluded, weight_key(weight)
    )


def weight_key(weight: Tensor) -> str:
    """Name of a weight's decomposition: bytes, shape, stored dtype and algorithm."""
    digest = hashlib.sha256(f"{ALGORITHM} {tuple(weight.shape)} {weight.dtype}\n".encode())
    digest.update(tensor_bytes(weight))
    return digest.hexdigest()


def read_cached(cache: TensorCache, key: str) -> Decomposition | None:
    """The decomposition of that key, if the cache holds it whole."""
    entry = cache.read(key)
    if entry is None:
        return None
    tensors, metadata = entry
    side: Side = "left" if metadata["side"] == "left" else "right"
    return Decomposition(side, tensors["vectors"], tensors["sigma"], int(metadata["excluded"]), key)


def read_or_decompose(cache: TensorCache, weight: Tensor, path: str) -> Decomposition:
    """From the cache, or computed and put there."""
    found = read_cached(cache, weight_key(weight))
    if found is not None:
        return found
    result = decompose(weight, path)
    tensors = {"vectors": result.vectors, "sigma": result.sigma}
    metadata = {"side": result.side, "excluded": str(result.excluded), "layer": path}
    cache.write(result.key, tensors, metadata)
    return result


def entry_bytes(weight: WeightSource) -> int:
    """What the decomposition of a weight takes on disk at most, the file's header included."""
    k = min(weight_shape(weight))
    return 4 * k * k + 8 * k + 2048


@dataclass(frozen=True)
class DecompositionProgress:
    """How many of the submitted weights the workers are through with."""

    done: int
    total: int


class DecompositionService:
    """Decompositions of many weights, computed beside the training.

    Each worker is a process of its own with one thread. It ends when nothing is
    left to do, and with this process however that ends. `workers=0` computes here when asked.
    """

    def __init__(
        self, cache_dir: Path, workers: int = 1, limit_bytes: int = DEFAULT_LIMIT_BYTES
    ) -> None:
        self._cache = TensorCache(Path(cache_dir), limit_bytes)
        self._worker_count = workers
        self._sources: dict[str, WeightSource] = {}
        self._keys: dict[str, Future[str | None]] = {}  # None: not in the cache, compute it here
        self._lock = threading.Lock()  # over the next two
        self._waiting: deque[str] = deque()
        self._workers: dict[DecompositionProcess, threading.Thread] = {}

    def submit(self, weights: Mapping[str, WeightSource]) -> None:
        """Start on these weights; returns at once."""
        self._sources.update(weights)
        self._make_room()
        if self._worker_count == 0:
            return
        self._keys.update({path: Future() for path in weights})
        with self._lock:
            self._waiting.extend(weights)
            missing = min(self._worker_count, len(weights)) - len(self._workers)
            for _ in range(missing):
                worker = DecompositionProcess(self._cache.folder, self._cache.limit_bytes)
                thread = threading.Thread(target=self._feed, args=(worker,), daemon=True)
                self._workers[worker] = thread
                thread.start()

    def _make_room(self) -> None:
        """Raise the limit to what was submitted: read in turn, a base that is larger than it would
        find each entry dropped just before its turn comes."""
        needed = sum(map(entry_bytes, self._sources.values()))
        self._cache.limit_bytes = max(self._cache.limit_bytes, needed)

    def _feed(self, worker: DecompositionProcess) -> None:
        """One thread a worker: hand it a weight, wait for its key, take the next."""
        while (path := self._next_for(worker)) is not None:
            try:
                self._keys[path].set_result(worker.key_of(path, self._sources[path]))
            except WorkerGoneError as error:
                logger.warning("%s: %s; it is computed at launch", path, error)
                self._keys[path].set_result(None)
                self._lose(worker)
            except Exception as error:  # `result` meets it again; it must not wait for us for ever
                logger.warning("a worker could not decompose %s: %s", path, error)
                self._keys[path].set_result(None)
        worker.end()

    def _next_for(self, worker: DecompositionProcess) -> str | None:
        with self._lock:
            if worker in self._workers and self._waiting:
                return self._waiting.popleft()
            self._workers.pop(worker, None)
            return None

    def _lose(self, worker: DecompositionProcess) -> None:
        with self._lock:
            self._workers.pop(worker, None)
            if not self._workers:
                self._leave_to_result()

    def _leave_to_result(self) -> None:
        """Nobody works on what is still waiting any more: `result` will."""
        for path in self._waiting:
            self._keys[path].set_result(None)
        self._waiting.clear()

    def result(self, path: str) -> Decomposition:
        """Wait for one weight's decomposition. Read from disk each time: SDXL's take 3.3 GB."""
        if path in self._keys and (key := self._keys[path].result()) is not None:
            found = read_cached(self._cache, key)
            if found is not None:
                return found
            logger.warning("the cache lost %s (a full disk, or another run); it is computed", path)
        return read_or_decompose(self._cache, read_weight(self._sources[path]), path)

    def progress(self) -> DecompositionProgress:
        """How far the workers are."""
        done = sum(future.done() for future in self._keys.values())
        return DecompositionProgress(done, len(self._keys))

    def close(self) -> None:
        """End the workers, finished or not. What is in the cache stays; `result` still answers."""
        with self._lock:
            self._leave_to_result()
            workers = dict(self._workers)
        for worker, thread in workers.items():
            worker.end()
            thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def shared_decompositions(workspace: Path) -> DecompositionService:
    """Shared by all runs of a workspace; half of the cores work at low priority."""
    workers = max(1, (os.cpu_count() or 2) // 2)
    return DecompositionService(workspace / "cache" / "decompositions", workers)
