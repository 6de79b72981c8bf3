"""The GPUs of this machine, asked of the driver's own tool: loading torch for it takes seconds."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache

from app.views import GpuView

_ASK = ("--query-gpu=name,memory.used,memory.total", "--format=csv,noheader,nounits")


def gpus() -> list[GpuView]:
    """In the driver's order; none where no driver answers."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    try:
        answer = subprocess.run(
            [tool, *_ASK], capture_output=True, text=True, timeout=20, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return []
    return [_gpu(line) for line in answer.stdout.splitlines() if line.strip()]


@cache
def has_gpu() -> bool:
    return bool(gpus())


def runs_on_gpu(device: str) -> bool:
    """Whether a training with this `--model.device` runs on a GPU of this machine."""
    return device != "cpu" and has_gpu()


def _gpu(line: str) -> GpuView:
    name, used, total = (part.strip() for part in line.rsplit(",", 2))
    return GpuView(name, _gib(used), _gib(total))


def _gib(mebibytes: str) -> float:
    """0 where the driver does not say, as for a GPU that shares the machine's memory: [N/A]."""
    return float(mebibytes) / 1024 if mebibytes.isdecimal() else 0.0
