"""Which scheduler draws: the base's own, or another on the base's noise schedule.

What the base was trained with stays: betas, zero terminal SNR, prediction type, timestep spacing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    UniPCMultistepScheduler,
)

from trainer.config import Scheduler

_CLASSES: dict[Scheduler, Any] = {
    "euler": EulerDiscreteScheduler,
    "euler-a": EulerAncestralDiscreteScheduler,
    "dpm++": DPMSolverMultistepScheduler,
    "ddim": DDIMScheduler,
    "unipc": UniPCMultistepScheduler,
}
# DDIM cuts its estimate of the picture to [-1, 1] unless told not to; latents are wider.
_CHANGES: dict[Scheduler, dict[str, Any]] = {"ddim": {"clip_sample": False}}


@contextmanager
def scheduled(pipeline: Any, name: Scheduler) -> Iterator[None]:
    """A fresh scheduler of that name inside the block; afterwards the pipeline has its own again.

    Fresh also for `base`: a scheduler remembers where it was.
    """
    own = pipeline.scheduler
    kind = type(own) if name == "base" else _CLASSES[name]
    pipeline.scheduler = kind.from_config(own.config, **_CHANGES.get(name, {}))
    try:
        yield
    finally:
        pipeline.scheduler = own
