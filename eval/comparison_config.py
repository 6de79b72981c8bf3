"""What a comparison of methods is told, and what each of its cells is trained by. No torch.

A cell is one method with one seed. Every cell has the same base, data, steps and batch; its rate is
the better of two, judged with one seed on training rows left out, for every method alike.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

from trainer.adapters.config import AdapterConfig, Direction, Method
from trainer.config import out_of_range
from trainer.config_file import from_json, read_values
from trainer.errors import ConfigError
from trainer.methods.config import Instead
from trainer.run import WORKSPACE
from trainer.text_config import GlueConfig, LLMConfig, ValidationConfig
from trainer.text_presets import glue_preset, llm_preset

Recipe = GlueConfig | LLMConfig
COMMONSENSE = "commonsense"
STEPS, BATCH_SIZE, RANK = 300, 32, 8
"""The budget of every cell, where nothing else is asked for."""
VARIANTS: dict[str, dict[str, Any]] = {
    "milora": {"method": "lora-init", "direction": "bottom", "prelaunch_steps": 0},
    "random-init": {"method": "lora-init", "direction": "random", "prelaunch_steps": 0},
    "restart-alone": {"method": "lora-restart", "num_directions": 0},
}
"""Methods that are the core's with certain settings. random-init is what the paper's Table 4 calls
RoSA, a start from random singular vectors; ROSA (Hameed et al. 2024) draws new ones as it goes.
restart-alone is LoRA-Init's control, as lora-restart, which trains delta_sigma, is LoRA-TSD's."""
RATES: dict[str, tuple[float, float]] = {
    "full": (2e-5, 1e-4),
    "bitfit": (1e-3, 5e-3),
    "ssl": (2e-3, 1e-2),
    "ssb": (2e-3, 1e-2),
    "ia3": (2e-3, 1e-2),
    "prefix": (1e-3, 1e-2),
}
"""Learning rates to try. Few numbers need longer steps, all weights shorter ones."""
LOW_RANK_RATES = (5e-4, 1e-3)
"""Of every method with low-rank factors, ours and others'. In 300 steps plain LoRA on MiniLM learns
too little of CoLA at 5e-4, and at 2e-3 its loss jumps back to that of guessing."""
CHOOSING_SHARE, CHOOSING_SEED, HELD_OUT = 10, 0, 500
"""A tenth of the rows is left out when a rate is tried; so many that it has not seen judge it."""


@dataclass(frozen=True)
class Scored:
    """How many items of commonsense score a cell."""

    items: int | None
    """By likelihood; None for all."""
    generated: int
    """Read out of what is written."""

    @property
    def file(self) -> str:
        """Scores by other items are other scores."""
        if self.items is None and not self.generated:
            return "cell.json"
        return f"cell-{self.items or 'all'}-{self.generated}.json"


@dataclass(frozen=True)
class ComparisonConfig:
    """Train and score methods on one task at one budget, over seeds: a table.

    What is finished is kept, what is half done goes on where it stood; several calls, on machines
    that share the folder, fill one table.
    """

    task: str = "demo"
    """A task of GLUE (cola, sst2, mrpc, rte, stsb, qqp, mnli, qnli, demo), or commonsense."""
    methods: tuple[str, ...] = (
        "lora", "dora", "pissa", "lora-dash", "lora-init", "lora-tsd", "lora-restart",
    )  # fmt: skip
    """Any of --adapter.method and --instead of the trainers, milora, random-init, restart-alone,
    and a method of the core with other directions as method:direction, like lora-dash:bottom."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """Of the head, the order of examples, dropout and the adapter's start."""
    rates: tuple[float, ...] = ()
    """Learning rates to choose from. Unset: two for the kind of method (eval/comparison_config)."""
    steps: int | None = None
    """Optimizer steps of every cell, and of every trial of a rate. Unset: --config's, or 300."""
    batch_size: int | None = None
    """Examples in every optimizer step. Unset: --config's, or 32."""
    rank: int | None = None
    """Of every method that has one; alpha is twice that. Unset: --config's with its alpha, or 8."""
    precision: Literal["bf16", "fp16", "fp32"] | None = None
    """Number format of the frozen base. Unset: bf16 on a GPU, fp32 on a CPU, where bf16 takes about
    half the time if it has units for it."""
    base: str | None = None
    """Hub id, folder, minilm or smollm2. Unset: --config's, or the demo's."""
    data: str | None = None
    """Folder, file or hub id, as the trainers take it. Unset: --config's, or the demo's, or GLUE
    from the hub."""
    examples: int | Literal["all"] | None = None
    """Train on so many. Unset: --config's, or all."""
    test_items: int | None = None
    """Score the first so many items of commonsense by likelihood. Unset: all."""
    generated_items: int = 0
    """Also read the answer out of what the model writes, for the first so many items; 0: do not."""
    config: Path | None = None
    """JSON file with more values of the trainer's, like the config.json of a run on the same task.
    Methods, seeds and rates are the comparison's own, and so is the head's rate, one for all
    methods (5e-3, the demo's), unless the file names another: null, which for a run means the
    method's own, is read as unset."""
    out: Path | None = None
    """Folder for cells and table. Unset: <workspace>/comparisons/<task>, for commonsense with the
    name of its data behind it."""
    workspace: Path | None = None
    """Where cells find what they can share with other runs (decompositions, converted models).
    Unset: the folder of the comparison."""

    def validate(self) -> None:
        """Raise one ConfigError with every fault in it."""
        faults = [*(fault for name in self.methods if (fault := _fault(name)))]
        if not (self.methods and self.seeds):
            faults.append("--methods and --seeds need at least one each.")
        faults += [
            f"{flag}: {', '.join(map(str, twice))} stands there twice; give each once."
            for flag, given in
            (("--methods", self.methods), ("--seeds", self.seeds), ("--rates", self.rates))
            if (twice := sorted({value for value in given if given.count(value) > 1}, key=str))
        ]  # fmt: skip
        counts = [("--test-items", self.test_items, 1),
                  ("--generated-items", self.generated_items, 0)]  # fmt: skip
        faults += out_of_range(counts, [])
        try:
            recipe = self.recipe()
        except ConfigError as error:
            faults.append(str(error))
        else:
            steps = recipe.optim.steps
            if steps is None:
                faults.append(
                    f"--config {self.config} counts in epochs, and every cell and trial here has "
                    "the same steps; give --steps."
                )
            elif steps < (fewest := self._fewest_steps(recipe, steps)):
                faults.append(f"--steps is {steps}; a pre-launch and a dash need {fewest} or more.")
        if faults:
            raise ConfigError("\n".join(faults))

    def _fewest_steps(self, recipe: Recipe, steps: int) -> int:
        """A fifth of the steps is the pre-launch, unless the file says otherwise; what looks at
        what was learned in it needs a step of it whose rate is not 0."""
        known = [method_of(name, recipe.adapter) for name in self.methods if not _fault(name)]
        by_learning = any(
            adapter.launches and adapter.direction == "tsd" and adapter.prelaunch_steps is None
            for adapter, instead in known
            if instead is None
        )
        return 5 * (1 + recipe.idle_steps(steps)) if by_learning else 5

    @property
    def folder(self) -> Path:
        """Where cells and table lie."""
        return self.out or WORKSPACE / "comparisons" / self._name

    @property
    def _name(self) -> str:
        """A task of GLUE names its data; commonsense is many sets."""
        if self.task == COMMONSENSE and (data := self.data or self._start().data):
            return f"{self.task}-{Path(data).resolve().stem}"
        return self.task

    @property
    def scored(self) -> Scored:
        """What its cells are scored by."""
        return Scored(self.test_items, self.generated_items)

    def rates_of(self, name: str) -> tuple[float, ...]:
        """The rates to choose from for one method."""
        return self.rates or RATES.get(name, LOW_RANK_RATES)

    def recipe(self) -> Recipe:
        """What all cells have in common: the flags' values on the file's on the demo's.

        ConfigError where the file cannot be read, or is of another task.
        """
        told = _given(
            base=self.base,
            data=self.data,
            adapter=_given(rank=self.rank, alpha=self.rank and 2 * self.rank),
            optim=_given(steps=self.steps, batch_size=self.batch_size),
            model=_given(precision=self.precision),
        )
        start = from_json(told, self._start())
        examples = start.examples if self.examples is None else self.examples
        return replace(
            start,
            examples=None if examples == "all" else examples,
            workspace=self.workspace or self.folder,
            validation=ValidationConfig(every=0),
        )

    def _start(self) -> Recipe:
        """The demo's recipe at a comparison's budget, and what the file says on top."""
        demo = llm_preset("demo") if self.task == COMMONSENSE else glue_preset("demo", self.task)
        start: Recipe = replace(
            demo,
            adapter=replace(demo.adapter, rank=RANK, alpha=2 * RANK),
            optim=replace(demo.optim, steps=STEPS, batch_size=BATCH_SIZE),
        )
        if self.config is None:
            return start
        values = read_values(self.config)
        if (task := values.get("task", self.task)) != self.task:
            raise ConfigError(
                f"--config {self.config} is of the task {task}, and --task is {self.task}; give "
                f"--task {task}, or the file of a run on {self.task}."
            )
        return from_json(_without_null_head_rate(values), start)

    def cell(self, name: str, rate: float, seed: int) -> Recipe:
        """The settings of one method with one seed."""
        found = _with_method(self.recipe(), name, rate, seed)
        return replace(found, run=self.folder / "cells" / f"{_slug(name)}-{seed}")

    def trial(self, name: str, rate: float, examples: int) -> Recipe:
        """The settings of one method with one rate to try, on that many examples."""
        found = _with_method(self.recipe(), name, rate, CHOOSING_SEED)
        return replace(
            found,
            run=self.folder / "choosing" / f"{_slug(name)}-{rate:g}",
            examples=examples,
        )


def _given(**values: Any) -> dict[str, Any]:
    """Those that were."""
    return {name: value for name, value in values.items() if value is not None}


def _without_null_head_rate(values: dict[str, Any]) -> dict[str, Any]:
    """A head that learnt at its method's rate would make methods differ in more than themselves."""
    optim, name = values.get("optim"), "head_learning_rate"
    if not isinstance(optim, dict) or optim.get(name) is not None:
        return values
    return {**values, "optim": {key: value for key, value in optim.items() if key != name}}


def _with_method(recipe: Recipe, name: str, rate: float, seed: int) -> Recipe:
    optim = replace(recipe.optim, learning_rate=rate, seed=seed)
    adapter, instead = method_of(name, replace(recipe.adapter, seed=seed))
    return replace(recipe, optim=optim, adapter=adapter, instead=instead)


def method_of(name: str, adapter: AdapterConfig) -> tuple[AdapterConfig, Instead | None]:
    """The adapter's settings for a name that `--methods` takes, and what stands in its place."""
    for instead in get_args(Instead):
        if name == instead:
            return adapter, instead
    method, _, direction = name.partition(":")
    changes = dict(VARIANTS.get(method, {"method": method}))
    if direction:
        changes["direction"] = direction
    return replace(adapter, **changes), None


def _fault(name: str) -> str | None:
    method, _, direction = name.partition(":")
    launching = [core for core in get_args(Method) if AdapterConfig(method=core).launches]
    plain = (*get_args(Method), *VARIANTS, *get_args(Instead))
    if name in plain or (method in launching and direction in get_args(Direction)):
        return None
    return (
        f"--methods {name}: possible are {', '.join(plain)}, and behind {', '.join(launching)} a "
        f"colon with a direction: {', '.join(get_args(Direction))}."
    )


def _slug(name: str) -> str:
    return name.replace(":", "-")
