"""How long a training step on texts takes with each method: in turns, on one batch.

Each contestant has a base of its own, as some change it. Nobody launches: a branch has all of its
tensors from the first step, so that its steps before and after launch are the same work. Plain LoRA
runs twice in a round, and what lies between the two (A/A) is what this machine cannot tell apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from torch.amp.grad_scaler import GradScaler
from tqdm import tqdm

from benchmarks.clock import AGAIN, Again, Contestant, Turn, interleave
from benchmarks.machine import cpu_threads, provenance
from benchmarks.summary import Spread, ratios
from eval.comparison_config import COMMONSENSE, ComparisonConfig, Recipe
from eval.report import aligned
from trainer import glue, llm
from trainer.adapters.schedule import NoLaunch
from trainer.config import out_of_range
from trainer.device import precision_name, resolve_device
from trainer.errors import ConfigError
from trainer.files import write_json
from trainer.loop import FitConfig, Hooks, Trained, fit
from trainer.methods.build import build_method
from trainer.optimizer import build_optimizer
from trainer.run import WORKSPACE
from trainer.text.batches import Batches
from trainer.text.task import TextTask
from trainer.text.training import Material
from trainer.text_config import GlueConfig

FIRST = "lora"
METHODS = ComparisonConfig().methods


@dataclass(frozen=True)
class TextStepBenchmark:
    """Time of a training step on texts with each method, over that of plain LoRA."""

    task: str = COMMONSENSE
    """commonsense, on a causal language model, or a task of GLUE, on an encoder."""
    methods: tuple[str, ...] = METHODS
    """What `eval.compare_methods` takes; plain lora is always there."""
    base: str | None = None
    """Hub id, folder, minilm or smollm2. Unset: the demo's."""
    data: str | None = None
    """Folder, file or hub id, as the trainers take it. Unset: the demo's."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to run; auto takes the GPU if there is one."""
    precision: Literal["bf16", "fp16", "fp32"] | None = None
    """Number format of the frozen base. Unset: bf16 on a GPU, fp32 on a CPU."""
    rank: int = 8
    """Of every method that has one."""
    batch_size: int = 16
    """Texts in the batch."""
    rounds: int = 10
    """Rounds; everyone has one turn in each."""
    steps: int = 2
    """Timed steps in a turn; one more before them is not timed."""
    threads: int = 1
    """Threads of torch on a CPU; with 1, CPU time is the work done."""
    seed: int = 0
    """Of the texts drawn, dropout and adapters."""
    output: Path | None = None
    """JSON with the figures, every raw time, settings, commit, versions and machine."""

    def run(self) -> None:
        """Measure, print, write."""
        record = measure(self)
        print(report(record))
        if self.output is not None:
            write_json(self.output, record)
            print(f"\nWritten: {self.output}")


class _Contestant:
    """One method at work, by the code that trains: one optimizer step a call."""

    def __init__(self, name: str, settings: Recipe) -> None:
        self.name = name
        self.material = _gathered(settings)
        text, optim = self.material.text, settings.optim
        method = build_method(
            text.model, settings.adapter, settings.instead, head=frozenset(text.head)
        )
        optimizer = build_optimizer(method, optim, text.head, optim.head_learning_rate)
        scaler = GradScaler(text.device.type, enabled=settings.model.precision == "fp16")
        self._trained = Trained(method, optimizer, scaler, "", text.head)
        batches = Batches(self.material.examples, optim.batch_size, optim.seed)
        self._task = TextTask(text, self.material.objective, batches, optim.batch_size)
        self._optim = optim
        self._done = 0

    def enter(self) -> None:
        """It shares nothing."""

    def step(self) -> None:
        config = FitConfig(self._done + 1, self._optim.max_grad_norm, self._optim.seed)
        hooks = Hooks(lambda report: None, lambda step: None, lambda step: False, lambda: False)
        self._done = fit(self._task, self._trained, NoLaunch(), config, hooks, start=self._done)


def measure(settings: TextStepBenchmark) -> dict[str, Any]:
    """The whole benchmark. Raises ConfigError, and what the trainers raise for bad input."""
    recipes = _recipes(settings)
    device = resolve_device(settings.device)
    with cpu_threads(settings.threads):
        before = provenance(device)
        contestants = [_Contestant(name, recipe) for name, recipe in recipes.items()]
        rounds = tqdm(range(settings.rounds), desc="Rounds", unit="round", leave=False)
        everyone: list[Contestant] = [*contestants, Again(contestants[0])]
        turns = interleave(everyone, rounds, settings.steps, device)
    material = contestants[0].material
    by_cpu_time = device.type == "cpu"
    return {
        "benchmark": "text-step",
        **before,
        "settings": {**asdict(settings), "output": str(settings.output)},
        "resolved": {
            "base": recipes[FIRST].base,
            "device": device.type,
            "precision": precision_name(material.text.dtype),
            "tokens": sum(example.length for example in material.examples),
        },
        "rows": [
            _row(contestant.name, mine, turns[0], by_cpu_time)
            for contestant, mine in zip(everyone, turns, strict=True)
        ],
    }


def _recipes(settings: TextStepBenchmark) -> dict[str, Recipe]:
    """By method, plain LoRA first; each trains on one batch of texts."""
    counts = [("--rounds", settings.rounds, 1), ("--steps", settings.steps, 1),
              ("--threads", settings.threads, 1)]  # fmt: skip
    if faults := out_of_range(counts, []):
        raise ConfigError("\n".join(faults))
    comparison = ComparisonConfig(
        task=settings.task,
        methods=tuple(dict.fromkeys((FIRST, *settings.methods))),
        precision=settings.precision,
        rank=settings.rank,
        batch_size=settings.batch_size,
        examples=settings.batch_size,
        base=settings.base,
        data=settings.data,
        workspace=WORKSPACE,
    )
    comparison.validate()
    recipes = {}
    for name in comparison.methods:
        recipe = comparison.cell(name, comparison.rates_of(name)[0], settings.seed)
        recipe = replace(recipe, model=replace(recipe.model, device=settings.device))
        recipe.validate()
        recipes[name] = recipe
    return recipes


def _gathered(settings: Recipe) -> Material:
    if isinstance(settings, GlueConfig):
        return glue.gather(settings)
    return llm.gather(settings)


def _row(
    name: str, turns: Sequence[Turn], first: Sequence[Turn], by_cpu_time: bool
) -> dict[str, Any]:
    seconds = [value for turn in turns for value in turn.seconds]
    return {
        "name": name,
        "seconds": asdict(Spread.of(seconds)),
        "ratio": asdict(Spread.of(ratios(turns, first, by_cpu_time))),
        "turns": [asdict(turn) for turn in turns],
    }


def report(record: dict[str, Any]) -> str:
    """The table, with the words around it."""
    resolved, machine = record["resolved"], record["machine"]
    kind = "CPU time" if resolved["device"] == "cpu" else "time"
    rows = [("method", "ms/step", "time ×", "quartiles"), *map(_cells, record["rows"])]
    return "\n".join([
        f"Training step on {resolved['base']}, {record['settings']['batch_size']} texts, "
        f"{resolved['tokens']} tokens, rank {record['settings']['rank']}, "
        f"{resolved['precision']}, {resolved['device']}",
        f"{machine['gpu'] or machine['cpu']}, {machine['threads']} threads, load "
        f"{machine['load_average'][0]} before", "", *aligned(rows), "",
        f"time ×: {kind} over that of {FIRST} in the same round, median and quartiles; what "
        f"{FIRST}{AGAIN} differs by is noise.",
    ])  # fmt: skip


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    ratio, seconds = row["ratio"], row["seconds"]
    return (
        row["name"],
        f"{1e3 * seconds['median']:.0f}",
        f"{ratio['median']:.3f}",
        f"{ratio['low']:.3f}–{ratio['high']:.3f}",
    )
