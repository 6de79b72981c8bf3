"""How long a training step takes: ours against PEFT as published (R0) and at its best (R1).

All contestants share one base and one batch of photos and take turns, round by round; ours runs
twice in a round, and what lies between the two (A/A) is what this machine cannot tell apart.
"""

from __future__ import annotations

import gc
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from tqdm import tqdm

from benchmarks.agreement import Agreement, check_agreement
from benchmarks.clock import Again, Contestant, interleave
from benchmarks.machine import cpu_threads, matmul_rate, provenance
from benchmarks.material import RANDOM_SDXL, Material, Precision, prepare
from benchmarks.ours import Ours, recipe
from benchmarks.published_script import PublishedScript
from benchmarks.steelman import Steelman
from benchmarks.step_report import StepResult, as_json, report
from benchmarks.summary import summarize
from trainer.adapters.config import Method
from trainer.config import EMBEDDED_BASE, OptimConfig
from trainer.device import resolve_device
from trainer.errors import ConfigError
from trainer.files import write_json

AGREEMENT_SIDE = 512  # pixels; agreement does not depend on the size, its memory in fp32 does


@dataclass(frozen=True)
class StepBenchmark:
    """Time of a training step: ours, R0 and R1, in turns, on one base and one batch.

    R0 is the step of diffusers' DreamBooth-LoRA script with PEFT as published: fp32 adapters under
    autocast, one photo at a time, accumulated, the VAE in the loop. R1 is PEFT at its best: the
    whole batch, no autocast, cached latents, fused AdamW, the fastest attention and memory format
    found by trial. Before anything is timed, ours and R1 must have the same fp32 loss curve.
    """

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to run; auto takes the GPU if there is one."""
    base: str | None = None
    """`embedded`; `sdxl-random`, the true SDXL UNet and VAE with random weights, which needs no
    download; or any base that training takes. Unset: sdxl-random on a GPU, embedded on a CPU."""
    precision: Precision = "auto"
    """Number format of the base; auto: bf16 on a GPU, fp32 on a CPU."""
    method: tuple[Method, ...] = ("lora-tsd",)
    """Methods of ours to time after their launch, beside plain lora."""
    rank: int = 4
    """Rank of every adapter."""
    num_directions: int = 8
    """Directions with a delta_sigma, for the methods that have it."""
    batch_size: int = 4
    """Photos a step; R0 accumulates them one by one."""
    resolution: int | None = None
    """Side of the photos. Unset: the base's own, on a CPU at most 256."""
    rounds: int = 10
    """Rounds; everyone has one turn in each."""
    steps: int = 3
    """Timed steps in a turn; one more before them is not timed."""
    threads: int = 1
    """Threads of torch on a CPU; with 1, CPU time is the work done."""
    seed: int = 0
    """Of photos, noise and adapters."""
    note: str = ""
    """A remark that goes into the JSON, such as what else the machine was doing."""
    output: Path | None = None
    """JSON with the figures, every raw time, settings, commit, versions and machine."""

    def run(self) -> None:
        """Check, measure, print, write."""
        result = measure(self)
        print(report(result))
        if self.output is not None:
            write_json(self.output, as_json(result))
            print(f"\nWritten: {self.output}")


def measure(settings: StepBenchmark) -> StepResult:
    """The whole benchmark. Raises ConfigError, DisagreementError and what loading raises."""
    _validate(settings)
    device = resolve_device(settings.device)
    base = settings.base or (RANDOM_SDXL if device.type == "cuda" else EMBEDDED_BASE)
    threads = settings.threads if device.type == "cpu" else torch.get_num_threads()
    with cpu_threads(threads):
        return _measure(settings, device, base)


def _measure(settings: StepBenchmark, device: torch.device, base: str) -> StepResult:
    before = provenance(device)
    optim = OptimConfig(batch_size=settings.batch_size, seed=settings.seed)
    print(f"Checking that ours and PEFT's losses agree in fp32 on {base} …", flush=True)
    agreement = _agreement(settings, base, optim)
    material = _material(settings, base, settings.precision)
    contestants, steelman = _contestants(settings, material, optim)
    trials = steelman.choose_kernels()
    flops, rate = steelman.count_flops(), matmul_rate(device, material.sdxl.dtype)
    rounds = tqdm(range(settings.rounds), desc="Rounds", unit="round", leave=False)
    turns = interleave(contestants, rounds, settings.steps, device)
    rows = summarize(
        [contestant.name for contestant in contestants],
        turns,
        batch_size=settings.batch_size,
        flops=flops,
        matmul_rate=rate,
        by_cpu_time=device.type == "cpu",
    )
    return StepResult(
        {**asdict(settings), "base": base, "output": str(settings.output)},
        _described(material), before, agreement, trials, flops, rate, rows, turns,
    )  # fmt: skip


def _validate(settings: StepBenchmark) -> None:
    counts = {
        "--rank": settings.rank, "--batch-size": settings.batch_size, "--rounds": settings.rounds,
        "--steps": settings.steps, "--threads": settings.threads,
    }  # fmt: skip
    faults = [f"{flag} is {value}; at least 1." for flag, value in counts.items() if value < 1]
    if faults:
        raise ConfigError("\n".join(faults))


def _material(
    settings: StepBenchmark, base: str, precision: Precision, at_most: int | None = None
) -> Material:
    return prepare(
        base,
        settings.device,
        precision,
        batch_size=settings.batch_size,
        side=settings.resolution,
        at_most=at_most,
        seed=settings.seed,
    )


def _agreement(settings: StepBenchmark, base: str, optim: OptimConfig) -> Agreement:
    """In fp32, on a base of its own that is gone afterwards."""
    material = _material(settings, base, "fp32", at_most=AGREEMENT_SIDE)
    config = recipe("lora", settings.rank, settings.num_directions, settings.seed)
    agreement = check_agreement(material, config, optim)
    del material
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return agreement


def _contestants(
    settings: StepBenchmark, material: Material, optim: OptimConfig
) -> tuple[list[Contestant], Steelman]:
    """In the order of their turns; plain lora first and, for the A/A spread, once more."""

    def ours(method: Method) -> Ours:
        config = recipe(method, settings.rank, settings.num_directions, settings.seed)
        return Ours(f"ours {method}", material, config, optim)

    plain = ours("lora")
    others = [ours(method) for method in dict.fromkeys(settings.method) if method != "lora"]
    for contestant in others:
        contestant.train_and_launch()
    start = {path: branch.lora_A.detach() for path, branch in plain.adapter.layers.items()}
    script = PublishedScript(material, plain.adapter.config, optim, start)
    steelman = Steelman(material, plain.adapter.config, optim, start)
    return [plain, steelman, *others, Again(plain), script], steelman


def _described(material: Material) -> dict[str, Any]:
    return {
        "device": material.sdxl.device.type,
        "precision": str(material.sdxl.dtype).removeprefix("torch."),
        "batch_size": material.batch_size,
        "side": int(material.pixels.shape[-1]),
    }
