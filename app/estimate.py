"""How long a training will take and how much memory it needs, said before it starts. No torch.

From finished runs like it where there are some, else from a short table; `basis` says which, and
the range is as wide as the ignorance.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from app.gpus import runs_on_gpu
from app.past_runs import estimate_from, past_runs
from app.scoring_time import scoring_time, with_scoring
from app.views import Estimate
from app.workspace import Workspace
from trainer.config import EMBEDDED_BASE, DreamBoothConfig
from trainer.run import Run


@dataclass(frozen=True)
class Kind:
    """A row of a table: a base on a device, for steps of one size."""

    seconds_a_step: float
    start: float
    """Seconds to load, encode, publish and prove."""
    memory_gib: float
    doubt: float
    """The true time may lie this factor above or below."""
    basis: str


_EMBEDDED = Kind(0.2, 20, 1.2, 2.5, "measured on two CPU cores for the embedded base")
_SDXL_GPU = Kind(2.0, 180, 24, 4, "a guess: no run on SDXL has finished in this workspace yet")
_SDXL_CPU = Kind(400, 900, 24, 4, "a guess from one step on two CPU cores; SDXL wants a GPU")


def estimate(config: DreamBoothConfig, photos: int, workspace: Workspace, score: bool) -> Estimate:
    """The estimate for a run of `config` on so many photos, scored when it is trained if asked."""
    training = _of_training(config, photos, workspace)
    return with_scoring(training, scoring_time(config, workspace)) if score else training


def _of_training(config: DreamBoothConfig, photos: int, workspace: Workspace) -> Estimate:
    steps = config.total_steps(photos)
    like_it = past_runs(workspace, Run, lambda run: _kind(run.read_config()) == _kind(config))
    return estimate_from(like_it, steps) if like_it else _from_table(config, steps)


def _kind(config: DreamBoothConfig) -> tuple[object, ...]:
    return (
        config.base,
        config.subject.resolution,
        config.optim.batch_size,
        config.optim.micro_batch_size,
        config.model.gradient_checkpointing,
        config.model.device,
        config.prior.mode,
        config.adapter.method,
    )


def _from_table(config: DreamBoothConfig, steps: int) -> Estimate:
    kind = _row(config)
    checkpointing = config.model.gradient_checkpointing
    work = config.optim.batch_size / 4 * (4 / 3 if checkpointing else 1)
    if checkpointing and config.base != EMBEDDED_BASE:
        kind = dataclasses.replace(kind, memory_gib=10)
    return estimate_by(kind, steps, work)


def estimate_by(kind: Kind, steps: int, work: float) -> Estimate:
    """By a row of a table, for steps that are each `work` times the row's."""
    seconds = kind.start + kind.seconds_a_step * work * steps
    return Estimate(
        seconds=seconds,
        low=seconds / kind.doubt,
        high=seconds * kind.doubt,
        steps=steps,
        memory_gib=kind.memory_gib,
        basis=kind.basis,
    )


def _row(config: DreamBoothConfig) -> Kind:
    if config.base == EMBEDDED_BASE:
        return _EMBEDDED
    return _SDXL_GPU if runs_on_gpu(config.model.device) else _SDXL_CPU
