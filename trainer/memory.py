"""How much memory a run holds, and giving back what it only keeps."""

from __future__ import annotations

import ctypes
import gc
import sys

import psutil
import torch


def memory_gib() -> float:
    """Most GPU memory held since `begin_anew`, or on a CPU what this process holds now; GiB."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**30
    return float(psutil.Process().memory_info().rss) / 2**30


def begin_anew() -> None:
    """Let go of what earlier work left, so that the next has the memory, and the peak, to itself.

    A model that was trained has cycles, which only a collection frees.
    """
    gc.collect()
    give_back_freed_memory()
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def give_back_freed_memory() -> None:
    """Have the C library return freed memory to the system.

    glibc keeps freed blocks under 32 MB in its heap; measured, that grows by 1.6 GiB in a training
    step of SDXL's UNet on a CPU, with nothing of it in use.
    """
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # absent from other C libraries
        if trim is not None:
            trim(0)
