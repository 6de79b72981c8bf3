"""The one loop of all stages: two optimizers, cosine rate, running mean, exact resume.

Whatever a step draws (batch, noise, timesteps) it draws from a generator seeded by the step, so a
checkpoint needs no random state: weights, running mean, moments and the step are all of it.
Checkpoints are safetensors and JSON, never pickles.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from trainer.embedded_base.config import FitConfig
from trainer.embedded_base.muon import Muon
from trainer.files import whole_file
from trainer.seeds import mix

MAX_GRADIENT_NORM = 1.0


def rate_share(step: int, config: FitConfig) -> float:
    """Share of the peak rate: linear warm-up, then a cosine to zero at the last step."""
    warm = min(1.0, (step + 1) / max(1, config.warmup_steps))
    return warm * 0.5 * (1 + math.cos(math.pi * step / config.steps))


def generator_at(step: int, config: FitConfig) -> torch.Generator:
    """The source of all chance in one step, on the CPU whatever the device."""
    return torch.Generator().manual_seed(config.seed * 1_000_003 + step)


def rows_at(step: int, config: FitConfig, n: int) -> list[int]:
    """The scenes of one step: all n come once before any comes again, each round in its order."""
    places = range(step * config.batch_size, (step + 1) * config.batch_size)
    return [_order(config.seed, place // n, n)[place % n] for place in places]


@lru_cache(maxsize=4)
def _order(seed: int, round_number: int, n: int) -> list[int]:
    generator = torch.Generator().manual_seed(mix(seed, round_number))
    order: list[int] = torch.randperm(n, generator=generator).tolist()
    return order


def in_bf16(config: FitConfig) -> bool:
    """Whether matrices are multiplied in bf16; `auto`: where the device has units for it."""
    if config.autocast == "auto":
        return config.device != "cpu" or torch.cpu._is_avx512_bf16_supported()
    return config.autocast == "bf16"


def autocast(config: FitConfig) -> torch.autocast:
    """The context for a forward pass."""
    return torch.autocast(config.device, torch.bfloat16, enabled=in_bf16(config))


BORDER_LAYERS = (
    *("embed", "conv_in", "conv_out", "visual.trunk.stem", "quant_conv", "class_", "positional"),
    *("text_encoder", "prototypes"),
)
"""Names of weights that Muon is not meant for: the borders of a net, and the small text towers,
whose states it inflated."""


def is_hidden_matrix(name: str, weight: Tensor) -> bool:
    """Whether a weight belongs to Muon rather than to AdamW. A depthwise convolution does not: it
    is many small filters and no matrix."""
    depthwise = weight.ndim == 4 and weight.shape[1] == 1
    return weight.ndim > 1 and not depthwise and not any(part in name for part in BORDER_LAYERS)


class Fitting:
    """Weights under training, with all that a resume needs."""

    def __init__(self, model: nn.Module, config: FitConfig, folder: Path) -> None:
        self.model = model.to(config.device)
        self.config = config
        self.folder = folder
        self.step = 0
        named = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
        self.weights: list[Tensor] = [p for _, p in named]
        hidden = [p for n, p in named if is_hidden_matrix(n, p)]
        border = [p for n, p in named if not is_hidden_matrix(n, p)]
        self.optimizers: tuple[torch.optim.Optimizer, ...] = (
            Muon(hidden, config.matrix_rate, torch.bfloat16 if in_bf16(config) else torch.float32),
            torch.optim.AdamW(border, lr=config.learning_rate, betas=(0.9, 0.99), weight_decay=0.0),
        )
        self.border = border
        kept = model.state_dict().keys()
        self.buffers = {name: t for name, t in model.named_buffers() if name in kept}
        """Views of what the net counts as it goes, as batch norms do."""
        self.mean = [p.detach().clone() for p in self.weights]
        self.resume()

    def fit(self, loss_at: Callable[[int], Tensor], until: int | None = None) -> None:
        """Go on from the last checkpoint; `loss_at(step)` is the mean loss of a batch."""
        total, since = 0.0, time.perf_counter()
        for step in range(self.step, min(until or self.config.steps, self.config.steps)):
            total += self._advance(loss_at(step))
            if self.step % self.config.log_every == 0:
                seconds = (time.perf_counter() - since) / self.config.log_every
                self._log(total / self.config.log_every, self.config.batch_size / seconds)
                total, since = 0.0, time.perf_counter()
            if self.step % self.config.checkpoint_every == 0:
                self.save()
        self.save()

    def _advance(self, loss: Tensor) -> float:
        for weight in self.weights:
            weight.grad = None
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.border, MAX_GRADIENT_NORM)
        share = rate_share(self.step, self.config)
        peaks = (self.config.matrix_rate, self.config.learning_rate)
        for optimizer, peak in zip(self.optimizers, peaks, strict=True):
            optimizer.param_groups[0]["lr"] = share * peak
            optimizer.step()
        # a young mean follows faster, else it would remember the random start
        decay = min(self.config.ema_decay, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            torch._foreach_lerp_(self.mean, self.weights, 1 - decay)
        self.step += 1
        return float(loss.detach())

    def _log(self, loss: float, pictures_a_second: float) -> None:
        if not math.isfinite(loss):
            raise FloatingPointError(f"loss is {loss} at step {self.step}: lower the rates")
        line = {"step": self.step, "loss": round(loss, 5)}
        line["pictures_a_second"] = round(pictures_a_second, 1)
        with (self.folder / "metrics.jsonl").open("a") as log:
            log.write(json.dumps(line) + "\n")
        print(json.dumps(line), flush=True)

    def load_mean(self) -> None:
        """Put the running mean in the place of the weights: what ships and what draws samples."""
        with torch.no_grad():
            for weight, mean in zip(self.weights, self.mean, strict=True):
                weight.copy_(mean)

    def _moments(self, weight: Tensor) -> dict[str, Tensor]:
        return next((o.state[weight] for o in self.optimizers if weight in o.state), {})

    def save(self) -> None:
        """Write the checkpoint."""
        state = {f"buffer.{name}": tensor for name, tensor in self.buffers.items()}
        for i, (weight, mean) in enumerate(zip(self.weights, self.mean, strict=True)):
            moments = {"weight": weight.detach(), "mean": mean, **self._moments(weight)}
            state.update({f"{i}.{name}": tensor.contiguous() for name, tensor in moments.items()})
        with whole_file(self.folder / "checkpoint.safetensors") as temporary:
            save_file(state, temporary, metadata={"step": str(self.step)})

    def resume(self) -> None:
        """Go on from the checkpoint in the folder, if there is one."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / "checkpoint.safetensors"
        if not path.exists():
            return
        with safe_open(path, "pt") as file:
            self.step = int(file.metadata()["step"])
            state = {key: file.get_tensor(key) for key in file.keys()}
        muon, adam = self.optimizers
        hidden = {id(p) for p in muon.param_groups[0]["params"]}
        with torch.no_grad():
            for name, tensor in self.buffers.items():
                tensor.copy_(state[f"buffer.{name}"])
            for i, (weight, mean) in enumerate(zip(self.weights, self.mean, strict=True)):
                weight.copy_(state[f"{i}.weight"])
                mean.copy_(state[f"{i}.mean"])
                names = ("momentum",) if id(weight) in hidden else ("step", "exp_avg", "exp_avg_sq")
                moments = {n: state[f"{i}.{n}"] for n in names if f"{i}.{n}" in state}
                for name, moment in moments.items():
                    moments[name] = moment if name == "step" else moment.to(weight.device)
                if moments:
                    (muon if id(weight) in hidden else adam).state[weight] = moments
