"""The near end of a decomposition worker: start its process, ask it, end it.

A plain child with a socket, not a multiprocessing.Process: that would run the caller's main module
once more in the child, and leave semaphores behind when killed. The child's standard input is its
lifeline: the pipe closes when this process ends in any way, and the child ends with it.

The far end is `decomposition_worker`; this one knows nothing of what it computes.
"""

from __future__ import annotations

import os
import subprocess
import sys
from multiprocessing.connection import Pipe
from pathlib import Path

from trainer.adapters.weights import WeightSource, pack_weight

FAR_END = "trainer.adapters.decomposition_worker"


class WorkerGoneError(Exception):
    """The process has ended, by our hand or another's."""


class DecompositionProcess:
    """One worker process, which decomposes weights into the cache in `folder`."""

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self._near, far = Pipe()
        command = [sys.executable, "-P", "-m", FAR_END, str(far.fileno())]
        self._process = subprocess.Popen(
            [*command, str(folder), str(limit_bytes)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            pass_fds=[far.fileno()],
            env=_environment(),
        )
        far.close()

    def key_of(self, path: str, source: WeightSource) -> str:
        """Have one weight decomposed; the key it lies under in the cache.

        Raises WorkerGoneError, or RuntimeError with the worker's words where it could not do it.
        """
        try:
            self._near.send((path, pack_weight(source)))
            done, answer = self._near.recv()
        except (EOFError, OSError) as error:
            raise WorkerGoneError("the worker process has ended") from error
        if not done:
            raise RuntimeError(answer)
        return str(answer)

    def end(self) -> None:
        """Cut the lifeline, and wait until the process is gone."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def _environment() -> dict[str, str]:
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
