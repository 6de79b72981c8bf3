"""Where a figure comes from: commit, versions, machine, and how fast it multiplies matrices."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

PACKAGES = ("diffusers", "peft", "transformers")
MEASURED = ("trainer/*.py", "app/*.py", "benchmarks/*.py")  # the code that figures depend on
REPOSITORY = Path(__file__).resolve().parent.parent


@contextmanager
def cpu_threads(count: int) -> Iterator[None]:
    """Torch with that many threads inside the block."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def provenance(device: torch.device) -> dict[str, Any]:
    """What somebody needs to judge a figure, or to measure it again."""
    return {
        "commit": _git("rev-parse", "HEAD"),
        "uncommitted_changes": (_git("status", "--porcelain", "--", *MEASURED) or "").splitlines(),
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            **{name: version(name) for name in PACKAGES},
            "cuda": torch.version.cuda if device.type == "cuda" else None,
        },
        "machine": {
            "cpu": _cpu_model(),
            "cores": os.cpu_count(),
            "cores_usable": _usable_cores(),
            "threads": torch.get_num_threads(),
            "load_average": [round(load, 2) for load in os.getloadavg()],
            "gpu": torch.cuda.get_device_name(device) if device.type == "cuda" else None,
            "system": platform.platform(),
        },
    }


def _git(*arguments: str) -> str | None:
    """What git answers; None outside of a checkout."""
    try:
        answer = subprocess.run(
            ["git", *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return answer.stdout.rstrip()


def _cpu_model() -> str:
    """As Linux names it, elsewhere as Python does."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def _usable_cores() -> int | None:
    """How many this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count()


@torch.no_grad()
def matmul_rate(device: torch.device, dtype: torch.dtype) -> float:
    """FLOP/s of a large square product of random matrices, the best of some; on a CPU by CPU time,
    which with one thread is what the core can do."""
    size = 8192 if device.type == "cuda" else 1024
    left, right = torch.randn(2, size, size, device=device, dtype=dtype)
    times = []
    for _ in range(8):
        start = _now(device)
        torch.mm(left, right)
        times.append(_now(device) - start)
    return 2 * float(size) ** 3 / min(times[1:])


def _now(device: torch.device) -> float:
    """Seconds, with the device's work done."""
    if device.type != "cuda":
        return time.process_time()
    torch.cuda.synchronize(device)
    return time.perf_counter()
