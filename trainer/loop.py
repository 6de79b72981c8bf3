"""fit(): the one loop of all recipes. Its rhythm: load, forward, backward, clip, step, launch?,
report, finish?, save?

The loop owns the clock. `step` counts optimizer steps done; nothing else counts. Everything random
in a step is a function of seed, step and process, so k + (N − k) steps are N straight steps.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.amp.grad_scaler import GradScaler
from torch.optim import Optimizer

from trainer.adapters.schedule import LaunchReport
from trainer.adapters.trainable import Trainable
from trainer.errors import Interrupted, NonFiniteError
from trainer.peers import ALONE, Peers
from trainer.seeds import mix


@dataclass(frozen=True)
class MicroLoss:
    """The loss of some of a step's examples: pictures, sentences."""

    loss: Tensor
    """Scalar, with gradient; a mean over these examples."""
    share: float
    """Part of the whole step that it stands for; a step's shares sum to the step's weight."""
    names: tuple[str, ...]
    """Of the pictures, for errors."""


class Task(Protocol):
    """What a recipe gives the loop."""

    def micro_losses(self, step: int) -> Iterator[MicroLoss]:
        """The losses of optimizer step `step` (from 0), one micro-batch at a time."""
        ...


class Schedule(Protocol):
    """What the loop tells the time, once before its first step and after every one."""

    def after_step(self, step: int, optimizer: Optimizer) -> LaunchReport | None:
        """Do what is due after `step` steps."""
        ...

    def lr_factor(self, step: int) -> float:
        """Factor on the rate of the first param group for the update after `step` steps."""
        ...


@dataclass(frozen=True)
class StepReport:
    """What happened in one optimizer step."""

    step: int
    """Optimizer steps done, this one included."""
    total_steps: int
    loss: float
    grad_norm: float
    """Before clipping."""
    learning_rate: float
    """Of the first param group: A and B."""
    seconds: float
    launch: LaunchReport | None
    """If this step ended the pre-launch phase."""


@dataclass(frozen=True)
class Trained:
    """What training changes: all of it, and nothing else, is in a checkpoint."""

    adapter: Trainable
    optimizer: Optimizer
    """Each param group's own rate is its `initial_lr`."""
    scaler: GradScaler
    """Loss scaling; switched off unless the base runs in fp16."""
    base_fingerprint: str
    head: Mapping[str, nn.Parameter] = field(default_factory=dict)
    """What is trained whole beside the adapter, such as a classifier, by name in the model."""

    def parameters(self) -> list[nn.Parameter]:
        return [*self.adapter.trainable_parameters(), *self.head.values()]


def constant(step: int) -> float:
    """No schedule of the learning rate."""
    return 1.0


@dataclass(frozen=True)
class FitConfig:
    """What the loop is told."""

    total_steps: int
    max_grad_norm: float
    seed: int
    rate_factor: Callable[[int], float] = constant
    """Factor on every learning rate for the update after so many steps."""


@dataclass(frozen=True)
class Hooks:
    """What the loop calls after each step."""

    on_step: Callable[[StepReport], None]
    save: Callable[[int], None]
    """Write a checkpoint of that many steps done."""
    save_due: Callable[[int], bool]
    stop: Callable[[], bool]
    """Whether to save and raise Interrupted, to go on another time."""
    finish: Callable[[], bool] = lambda: False
    """Whether to end here as if these were all the steps."""


def fit(
    task: Task,
    trained: Trained,
    schedule: Schedule,
    config: FitConfig,
    hooks: Hooks,
    start: int = 0,
    peers: Peers = ALONE,
) -> int:
    """Train from `start` steps done to `config.total_steps`, or until `finish`; the steps done.

    Raises NonFiniteError naming examples or a layer, and Interrupted after a stop was asked for and
    the checkpoint written.
    """
    launch_at_start = schedule.after_step(start, trained.optimizer)
    for step in range(start, config.total_steps):
        began = time.perf_counter()
        torch.manual_seed(_step_seed(config.seed, step, peers))
        rate = _set_rates(trained.optimizer, config.rate_factor(step), schedule.lr_factor(step))
        loss = _backward(task, step, trained, peers)
        done = step + 1
        grad_norm = _update(trained, done, config.max_grad_norm)
        launch = schedule.after_step(done, trained.optimizer) or launch_at_start
        launch_at_start = None
        seconds = time.perf_counter() - began
        hooks.on_step(StepReport(done, config.total_steps, loss, grad_norm, rate, seconds, launch))
        if peers.any(hooks.finish()):
            return done
        stopping = peers.any(hooks.stop()) and done < config.total_steps
        if stopping or hooks.save_due(done):
            hooks.save(done)
        if stopping:
            raise Interrupted(f"stopped after step {done} of {config.total_steps}")
    return config.total_steps


def _step_seed(seed: int, step: int, peers: Peers) -> int:
    """Each process drops on rows of its own; the first draws what one alone would."""
    common = mix(seed, step)
    return common if peers.first else mix(common, peers.rank)


def _set_rates(optimizer: Optimizer, factor: float, first_factor: float) -> float:
    """Set every group's rate for one update; that of the first group."""
    for group in optimizer.param_groups:
        group["lr"] = group["initial_lr"] * factor
    first = optimizer.param_groups[0]
    first["lr"] *= first_factor
    rate: float = first["lr"]
    return rate


def _backward(task: Task, step: int, trained: Trained, peers: Peers) -> float:
    """Accumulate the gradient of the whole step; return its loss, without the method's penalty.

    The losses are read back once, after the last micro-batch: each reading would wait for a GPU.
    """
    losses, shares, names = [], [], []
    for part in task.micro_losses(step):
        _add_gradient(part.loss * part.share, trained.scaler)
        losses.append(part.loss.detach())
        shares.append(part.share)
        names.append(part.names)
    if peers.first and (penalty := trained.adapter.penalty()) is not None:
        _add_gradient(penalty, trained.scaler)
    peers.sum_gradients(trained.parameters())
    values: list[float] = torch.stack(losses).tolist() if losses else []
    for value, examples in zip(values, names, strict=True):
        if not math.isfinite(value):
            raise NonFiniteError(
                f"the loss is {value} at step {step + 1} on {', '.join(examples)}. Lower "
                "--optim.learning-rate, or use --model.precision bf16 or fp32."
            )
    return peers.sum(sum(value * share for value, share in zip(values, shares, strict=True)))


def _add_gradient(loss: Tensor, scaler: GradScaler) -> None:
    scaled: Tensor = scaler.scale(loss)
    scaled.backward()  # type: ignore[no-untyped-call]


def _update(trained: Trained, done: int, max_norm: float) -> float:
    """Clip, step, zero. Returns the norm before clipping."""
    optimizer, scaler = trained.optimizer, trained.scaler
    scaler.unscale_(optimizer)
    norm = float(torch.nn.utils.clip_grad_norm_(trained.parameters(), max_norm))
    if not math.isfinite(norm) and not scaler.is_enabled():
        raise NonFiniteError(f"the gradient is NaN or Inf in {_culprit(trained)}")
    scaler.step(optimizer)  # skips the update by itself where fp16 overflowed
    scaler.update()
    trained.adapter.after_update(done)
    optimizer.zero_grad(set_to_none=True)
    return norm


def _culprit(trained: Trained) -> str:
    """The first layer, or part of the head, whose gradient is not finite."""
    gradients = {name: parameter.grad for name, parameter in trained.head.items()}
    broken = (name for name, g in gradients.items() if g is not None and not g.isfinite().all())
    layer = trained.adapter.first_non_finite() or next(broken, None)
    return layer or "no single layer; their sum overflows"
