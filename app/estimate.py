"""How long a training will take and how much memory it needs, said before it starts. No torch.

From finished runs like it where there are some, else from a short table; `basis` says which, and
the range is as wide as the ignorance.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

from app.gpus import has_gpu
from app.views import Estimate
from app.workspace import Workspace
from trainer.config import EMBEDDED_BASE, DreamBoothConfig
from trainer.errors import UserError
from trainer.run import Run

RECENT = 5
"""Runs that count: an older one may be of another machine or version."""


@dataclass(frozen=True)
class Kind:
    """A row of the table: a base on a device, for a batch of four."""

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


def estimate(config: DreamBoothConfig, photos: int, workspace: Workspace) -> Estimate:
    """The estimate for a run of `config` on so many photos."""
    steps = config.total_steps(photos)
    like_it = _recent_runs(config, workspace)
    return _from_runs(steps, like_it) if like_it else _from_table(config, steps)


@dataclass(frozen=True)
class _Past:
    """What a finished run took."""

    seconds_a_step: float
    overhead: float
    """Seconds beside plain steps: the launch, previews, checkpoints, publishing."""
    memory_gib: float


def _recent_runs(config: DreamBoothConfig, workspace: Workspace) -> list[_Past]:
    """The newest finished runs that are like it in all that decides the time of a step."""
    finished = sorted(workspace.runs.glob("*/status.json"), key=lambda file: -file.stat().st_mtime)
    found: list[_Past] = []
    for status in finished:
        if len(found) == RECENT:
            break
        past = _past(Run(status.parent), config)
        if past is not None:
            found.append(past)
    return found


def _past(run: Run, config: DreamBoothConfig) -> _Past | None:
    try:
        if _kind(run.read_config()) != _kind(config):
            return None
    except UserError:
        return None
    steps = [row for row in run.metric_rows() if row["kind"] == "step"]
    if not steps or steps[-1]["attempt"] != 1:  # a stop in between tells nothing of time
        return None
    seconds = median(row["seconds"] for row in steps)
    wall = run.status_file.stat().st_mtime - run.config_file.stat().st_mtime
    overhead = max(0.0, wall - seconds * len(steps))
    return _Past(seconds, overhead, max(row["memory_gib"] for row in steps))


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


def _from_runs(steps: int, past: list[_Past]) -> Estimate:
    totals = [run.seconds_a_step * steps + run.overhead for run in past]
    seconds = median(totals)
    # Two runs of the same config differ by a quarter where a machine does other things as well.
    return Estimate(
        seconds=seconds,
        low=min(*totals, 0.75 * seconds),
        high=max(*totals, 1.4 * seconds),
        steps=steps,
        memory_gib=max(run.memory_gib for run in past),
        basis=f"from the last {len(past)} run{'s' * (len(past) > 1)} like this one",
    )


def _from_table(config: DreamBoothConfig, steps: int) -> Estimate:
    kind = _row(config)
    work = config.optim.batch_size / 4 * (4 / 3 if config.model.gradient_checkpointing else 1)
    seconds = kind.start + kind.seconds_a_step * work * steps
    low_memory = config.model.gradient_checkpointing and config.base != EMBEDDED_BASE
    return Estimate(
        seconds=seconds,
        low=seconds / kind.doubt,
        high=seconds * kind.doubt,
        steps=steps,
        memory_gib=10 if low_memory else kind.memory_gib,
        basis=kind.basis,
    )


def _row(config: DreamBoothConfig) -> Kind:
    if config.base == EMBEDDED_BASE:
        return _EMBEDDED
    return _SDXL_GPU if config.model.device != "cpu" and has_gpu() else _SDXL_CPU
