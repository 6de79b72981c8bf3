"""Our own step, by the code that trains: DreamBoothTask under `fit`, one optimizer step a call."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from torch.amp.grad_scaler import GradScaler
from torch.nn.functional import normalize

from benchmarks.fitting import Fitting
from benchmarks.material import Material
from trainer.adapters.attach import Adapter, attach
from trainer.adapters.config import AdapterConfig, Method
from trainer.adapters.decomposition import DecompositionService
from trainer.adapters.directions import ChosenDirections
from trainer.adapters.launch import launch_branch
from trainer.adapters.schedule import LaunchSchedule
from trainer.config import OptimConfig
from trainer.loop import FitConfig, Hooks, StepReport, Trained, fit
from trainer.optimizer import build_optimizer
from trainer.sdxl.denoise import Denoising
from trainer.sdxl.task import DreamBoothTask

FAR = 1_000_000_000  # optimizer steps that no benchmark reaches: the schedule never launches here
PRELAUNCH_STEPS = 2


class Ours:
    """A recipe's training state on the shared UNet, always just before its next step."""

    def __init__(
        self,
        name: str,
        material: Material,
        config: AdapterConfig,
        optim: OptimConfig,
        denoising: Denoising | None = None,
    ) -> None:
        self.name = name
        self.losses: list[float] = []
        self._unet = material.sdxl.unet
        self._optim = optim
        self.adapter = attach(self._unet, config)
        self.fitting = Fitting.of(self._unet, self.adapter.layers)
        self._task = DreamBoothTask(
            denoising or Denoising(material.sdxl),
            self.adapter,
            material.examples,
            batch_size=material.batch_size,
            micro_batch_size=material.batch_size,
            seed=optim.seed,
        )
        # Never asked for a decomposition: no launch of the schedule's own is ever due.
        self._schedule = LaunchSchedule(self.adapter, FAR, DecompositionService(Path(), workers=0))
        self._scaler = GradScaler(material.sdxl.device.type, enabled=False)
        self._trained = self._with_fresh_optimizer()
        self._bare = replace(self.fitting, modules=self.adapter.linears())
        self.leave()

    def enter(self) -> None:
        self.fitting.install(self._unet)

    def leave(self) -> None:
        """The UNet as it was loaded."""
        self._bare.install(self._unet)

    def step(self) -> float:
        """One step of the real loop; its loss."""
        done = len(self.losses)
        config = FitConfig(done + 1, self._optim.max_grad_norm, self._optim.seed)
        hooks = Hooks(self._report, _nothing, _never, _not_now)
        fit(self._task, self._trained, self._schedule, config, hooks, start=done)
        return self.losses[-1]

    def _with_fresh_optimizer(self) -> Trained:
        optimizer = build_optimizer(self.adapter, self._optim)
        return Trained(self.adapter, optimizer, self._scaler, base_fingerprint="")

    def _report(self, report: StepReport) -> None:
        self.losses.append(report.loss)

    def train_and_launch(self) -> None:
        """Go through the pre-launch phase, shortened, and launch on directions drawn at random.

        The launch writes what a real one writes, into the same tensors; which directions they are
        changes no shape, and to find SDXL's would take longer than the benchmark.
        """
        self.enter()
        for _ in range(PRELAUNCH_STEPS):
            self.step()
        launch_at_random(self.adapter, step=len(self.losses))
        self._trained = self._with_fresh_optimizer()
        self.leave()


def launch_at_random(adapter: Adapter, step: int) -> None:
    """Every layer's launch, with random unit vectors for directions."""
    for path, branch in adapter.layers.items():
        out_features, in_features = branch.lora_B.shape[0], branch.lora_A.shape[1]
        device, count = branch.lora_A.device, adapter.config.chosen
        chosen = ChosenDirections(
            index=torch.arange(count, device=device),
            sigma=torch.rand(count, device=device) + 0.1,
            rate=torch.rand(count, device=device),
            u=normalize(torch.randn(out_features, count, device=device), dim=0),
            v=normalize(torch.randn(in_features, count, device=device), dim=0),
            excluded=0,
        )
        launch_branch(path, branch, adapter.config, chosen)
    adapter.phase, adapter.launch_step = "dash", step


def _nothing(_step: int) -> None:
    """No checkpoints."""


def _never(_step: int) -> bool:
    return False


def _not_now() -> bool:
    return False


def recipe(method: Method, rank: int, num_directions: int, seed: int) -> AdapterConfig:
    """The adapter of a row: alpha = rank, folding where the method restarts."""
    return AdapterConfig(
        method=method,
        rank=rank,
        alpha=rank,
        num_directions=num_directions,
        prelaunch_steps=FAR - 1,
        seed=seed,
    )
