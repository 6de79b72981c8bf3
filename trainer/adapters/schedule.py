"""Pre-launch phase, launch, dash phase: what the loop's clock does to an adapter.

"Task-Specific Directions", Section 4.1 (find the directions after t steps), 4.2 (dash), 4.3 (init).
The loop owns the clock and tells the schedule each optimizer step; nothing here counts. Launch is
all or nothing: every layer's directions are chosen before the first tensor is written.

Knows adapters, weights and optimizers; nothing of data or losses.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.optim import Optimizer

from trainer.adapters.attach import Adapter
from trainer.adapters.decomposition import DecompositionService
from trainer.adapters.directions import ChosenDirections
from trainer.adapters.launch import choose_directions, launch_branch, no_directions
from trainer.adapters.layer import LowRankBranch
from trainer.adapters.weights import WeightSource, read_weight
from trainer.errors import ResumeError

Probe = Callable[[], Tensor]
"""Runs the model on a stored batch, without dropout; launch compares its answers."""


@dataclass(frozen=True)
class LayerLaunch:
    """What launch chose in one layer, best first."""

    index: tuple[int, ...]
    """Place in the spectrum of W; 0 is the largest singular value."""
    rate: tuple[float, ...]
    """Change rate."""
    excluded: int
    """Directions of this weight that are rounding noise of its stored dtype."""


@dataclass(frozen=True)
class LaunchReport:
    """What a launch did, for the log."""

    step: int
    layers: dict[str, LayerLaunch]
    """The layers launched, by path."""
    plain: tuple[str, ...]
    """Layers that had learned nothing yet and go on as plain LoRA."""
    seconds_waited: float
    """Time spent waiting for decompositions."""
    seconds: float
    """Time of the whole launch, waiting included."""
    probe_difference: float | None
    """max |y_after - y_before| of the probe; 0 where launch is continuous, None without probe."""

    @property
    def excluded(self) -> int:
        """Directions left out as rounding noise, over all launched layers."""
        return sum(layer.excluded for layer in self.layers.values())


class LaunchSchedule:
    """When an adapter launches.

    The loop calls `prepare` once and `after_step` after every optimizer step and `zero_grad`; also
    once before its first step, with the step the run stands at (0, or where it resumes), since the
    directions `top`, `bottom` and `random` may launch at 0. It multiplies the learning rate of A
    and B by `lr_factor`, inside whatever scheduler it has: a function of the step needs no state
    and survives a resume, where a factor written into the optimizer is overwritten by LambdaLR.
    """

    def __init__(
        self,
        adapter: Adapter,
        total_steps: int,
        decompositions: DecompositionService,
        *,
        sources: Mapping[str, WeightSource] | None = None,
        probe: Probe | None = None,
    ) -> None:
        """`sources`: whence each layer's weight is read, by path; unset, the live weights."""
        adapter.config.validate(total_steps)
        adapter.plan(total_steps)
        self.adapter = adapter
        self.prelaunch_steps = adapter.config.resolved_prelaunch_steps(total_steps)
        self._decompositions = decompositions
        live = {path: linear.weight for path, linear in adapter.linears().items()}
        self._sources = sources if sources is not None else live
        self._probe = probe

    def prepare(self) -> None:
        """Have the weights decomposed in the background, if a launch that needs them lies ahead."""
        ahead = self.prelaunch_steps is not None and self.adapter.phase == "pre-launch"
        if ahead and self.adapter.config.chosen:
            self._decompositions.submit({p: self._sources[p] for p in self.adapter.layers})

    def waiting(self) -> bool:
        """Whether the weights are still being decomposed."""
        progress = self._decompositions.progress()
        return progress.done < progress.total

    def due(self, step: int) -> bool:
        """Whether the pre-launch phase is `step` steps long and over; launched already, it is not.

        Raises ResumeError where that step has passed without a launch.
        """
        due = self.prelaunch_steps
        if due is None or step < due or self.adapter.phase == "dash":
            return False
        if step > due:
            raise ResumeError(f"step {step}: launch was due at step {due} and has not happened.")
        return True

    def after_step(self, step: int, optimizer: Optimizer) -> LaunchReport | None:
        """Launch if it is due; asked again, do nothing.

        Raises whatever the choice of directions raises; the adapter is then as it was.
        """
        return self._launch(step, optimizer) if self.due(step) else None

    def lr_factor(self, step: int) -> float:
        """Factor on the rate of A and B for the update that follows `step` optimizer steps."""
        due, config = self.prelaunch_steps, self.adapter.config
        restarted = config.restarts and due is not None and step >= due
        return config.lr_post if restarted else 1.0

    @torch.no_grad()
    def _launch(self, step: int, optimizer: Optimizer) -> LaunchReport:
        start = time.perf_counter()
        before = self._probe() if self._probe else None
        choices, waited = self._choose()
        launched = {path: chosen for path, chosen in choices.items() if chosen is not None}
        for path, chosen in launched.items():
            launch_branch(path, self.adapter.layers[path], self.adapter.config, chosen)
        self.enter_dash(step, optimizer, launched)
        return LaunchReport(
            step=step,
            layers={path: _summary(chosen) for path, chosen in launched.items()},
            plain=tuple(path for path in choices if path not in launched),
            seconds_waited=waited,
            seconds=time.perf_counter() - start,
            probe_difference=self._difference(before),
        )

    def enter_dash(self, step: int, optimizer: Optimizer, launched: Collection[str]) -> None:
        """What follows once the layers of these paths hold their launched tensors."""
        for path in launched:
            branch = self.adapter.layers[path]
            _drop_stale_state(optimizer, branch, restarted=self.adapter.config.restarts)
        if launched and self.adapter.config.restarts:
            _correct_bias_anew(optimizer)
        self.adapter.phase, self.adapter.launch_step = "dash", step

    def _choose(self) -> tuple[dict[str, ChosenDirections | None], float]:
        """Directions by path, None for a layer that stays plain; and the seconds waited."""
        adapter, waited = self.adapter, 0.0
        if not adapter.config.chosen:
            return dict.fromkeys(adapter.layers, no_directions()), waited
        choices = {}
        for path, branch in adapter.layers.items():
            start = time.perf_counter()
            decomposition = self._decompositions.result(path)
            waited += time.perf_counter() - start
            weight = read_weight(self._sources[path])
            choices[path] = choose_directions(path, branch, adapter.config, weight, decomposition)
        return choices, waited

    def _difference(self, before: Tensor | None) -> float | None:
        if self._probe is None or before is None:
            return None
        return float((self._probe() - before).abs().max())


class NoLaunch:
    """The schedule of a method that never launches."""

    def after_step(self, step: int, optimizer: Optimizer) -> LaunchReport | None:
        return None

    def lr_factor(self, step: int) -> float:
        return 1.0


def _drop_stale_state(optimizer: Optimizer, branch: LowRankBranch, *, restarted: bool) -> None:
    """Forget moments that belong to values which are gone; the Parameter objects stay.

    delta_sigma had zero moments and a step count of t, which would make its first updates up to
    twice the rate.
    """
    stale = [branch.lora_A, branch.lora_B] if restarted else []
    if branch.delta_sigma is not None:
        stale.append(branch.delta_sigma)
    for parameter in stale:
        optimizer.state.pop(parameter, None)


def _correct_bias_anew(optimizer: Optimizer) -> None:
    """Prodigy corrects all moments by one count of steps, `k` of its groups, and for nothing else.

    Late in a run the correction is gone, and the first updates of what restarts would be some three
    times the rate. What keeps its moments, a head, goes slower for a while.
    """
    for group in optimizer.param_groups:
        if "k" in group:
            group["k"] = 0


def _summary(chosen: ChosenDirections) -> LayerLaunch:
    return LayerLaunch(tuple(chosen.index.tolist()), tuple(chosen.rate.tolist()), chosen.excluded)
