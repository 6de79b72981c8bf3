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
import queue
import subprocess
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import safetensors.torch
import torch
from torch import Tensor

from trainer.adapters.directions import Side, core_directions, count_excluded, smaller_side
from trainer.adapters.tensor_cache import TensorCache
from trainer.adapters.weights import StoredWeight, WeightSource, read_weight, tensor_bytes
from trainer.errors import NonFiniteError

logger = logging.getLogger(__name__)

ALGORITHM = "gram-eigh-fp64-1"  # raise the number when results change: it is part of every key
WORKER = "trainer.adapters.decomposition_worker"
DEFAULT_LIMIT_BYTES = 8 * 2**30  # two and a half SDXL bases


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


@dataclass(frozen=True)
class DecompositionProgress:
    """How many of the submitted weights the workers are through with."""

    done: int
    total: int


class DecompositionService:
    """Decompositions of many weights, computed beside the training.

    Each worker is a process of its own with one thread at low priority, and ends with this process
    however that ends. `workers=0` computes in this process when asked.
    """

    def __init__(
        self, cache_dir: Path, workers: int = 1, limit_bytes: int = DEFAULT_LIMIT_BYTES
    ) -> None:
        self._cache = TensorCache(Path(cache_dir), limit_bytes)
        self._worker_count = workers
        self._workers: list[_Worker] = []
        self._threads: list[threading.Thread] = []
        self._sources: dict[str, WeightSource] = {}
        self._keys: dict[str, Future[str | None]] = {}  # None: not in the cache, compute it here
        self._waiting: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._closed = False

    def submit(self, weights: Mapping[str, WeightSource]) -> None:
        """Start on these weights; returns at once."""
        self._sources.update(weights)
        if self._worker_count == 0:
            return
        for path in weights:
            self._keys[path] = Future()
            self._waiting.put(path)
        for _ in range(self._worker_count - len(self._workers)):
            worker = _Worker(self._cache)
            thread = threading.Thread(target=self._feed, args=(worker,), daemon=True)
            self._workers.append(worker)
            self._threads.append(thread)
            thread.start()

    def _feed(self, worker: _Worker) -> None:
        """One thread a worker: hand it a weight, wait for its key, take the next."""
        while (path := self._waiting.get()) is not None:
            try:
                self._keys[path].set_result(worker.key_of(path, self._sources[path]))
            except (EOFError, OSError):
                self._keys[path].set_result(None)
                self._lose(worker, path)
                return
            except Exception as error:  # `result` meets it again; it must not wait for us for ever
                logger.warning("a worker could not decompose %s: %s", path, error)
                self._keys[path].set_result(None)

    def _lose(self, worker: _Worker, path: str) -> None:
        if not self._closed:
            logger.warning("a decomposition worker was killed at %s", path)
        worker.end()
        self._workers.remove(worker)
        if not self._workers:
            self._leave_to_result()

    def _leave_to_result(self) -> None:
        """Nobody works on what is still waiting: `result` will."""
        while not self._waiting.empty():
            if (path := self._waiting.get()) is not None:
                self._keys[path].set_result(None)

    def result(self, path: str) -> Decomposition:
        """Wait for one weight's decomposition. Read from disk each time: SDXL's take 3.3 GB."""
        if path in self._keys and (key := self._keys[path].result()) is not None:
            found = read_cached(self._cache, key)
            if found is not None:
                return found
            logger.warning("the cache lost %s; is its limit below what this base needs?", path)
        return read_or_decompose(self._cache, read_weight(self._sources[path]), path)

    def progress(self) -> DecompositionProgress:
        """How far the workers are."""
        done = sum(future.done() for future in self._keys.values())
        return DecompositionProgress(done, len(self._keys))

    def close(self) -> None:
        """End the workers, finished or not. What is in the cache stays."""
        self._closed = True
        self._leave_to_result()
        for _ in self._threads:
            self._waiting.put(None)
        for worker in tuple(self._workers):
            worker.end()
        for thread in self._threads:
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


class _Worker:
    """The near end of one worker process.

    A plain child with a socket, not a multiprocessing.Process: that would run the caller's main
    module again in the child and leave semaphores behind when killed. Its standard input is its
    lifeline: when this process dies, the pipe closes and the worker ends.
    """

    def __init__(self, cache: TensorCache) -> None:
        self._near, far = Pipe()
        command = [sys.executable, "-P", "-m", WORKER, str(far.fileno())]
        self._process = subprocess.Popen(
            [*command, str(cache.folder), str(cache.limit_bytes)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            pass_fds=[far.fileno()],
            env=_one_thread_environment(),
        )
        far.close()

    def key_of(self, path: str, source: WeightSource) -> str:
        """Have one weight decomposed into the cache; the key it lies under.

        EOFError or OSError where the worker is gone; RuntimeError where it failed, with its words.
        """
        self._near.send((path, _portable(source)))
        ok, answer = self._near.recv()
        if not ok:
            raise RuntimeError(answer)
        return str(answer)

    def end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()
        self._near.close()


def _one_thread_environment() -> dict[str, str]:
    """One thread for the worker's maths, no GPU, and the same packages as here."""
    root = str(Path(__file__).resolve().parents[2])
    inherited = os.environ.get("PYTHONPATH")
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([root, inherited] if inherited else [root]),
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
    }


def _portable(source: WeightSource) -> tuple[str, str] | bytes:
    """A source as it travels to a worker: a stored weight by name, a live one by its bytes."""
    if isinstance(source, StoredWeight):
        return str(source.file), source.key
    weight = read_weight(source).contiguous()
    data: bytes = safetensors.torch.save({"weight": weight})
    return data


def unpacked(portable: tuple[str, str] | bytes) -> Tensor:
    """The weight that `_portable` packed, at the worker's end."""
    if isinstance(portable, bytes):
        weight: Tensor = safetensors.torch.load(portable)["weight"]
        return weight
    file, key = portable
    return read_weight(StoredWeight(Path(file), key))


def serve(connection: Connection[Any, Any], cache: TensorCache) -> None:
    """A worker's whole life: weights in, keys out, until the other end is closed."""
    while True:
        try:
            path, portable = connection.recv()
        except EOFError:
            return
        try:
            answer = True, read_or_decompose(cache, unpacked(portable), path).key
        except Exception as error:  # whatever it is, the service meets it again and raises it
            answer = False, f"{type(error).__name__}: {error}"
        connection.send(answer)
