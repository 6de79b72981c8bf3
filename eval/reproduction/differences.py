"""Where a comparison of methods differs from the paper's table: computed, whichever way it goes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from eval.reproduction.markdown import MINUS, printed_value, signed
from eval.reproduction.names import BASES, method_name
from eval.reproduction.section import base_of
from eval.reproduction.stored import Result

CONTROL = "lora-restart"


@dataclass(frozen=True)
class Gained:
    """One method minus another, seed by seed, x 100."""

    measure: str
    values: Sequence[float]

    @property
    def mean(self) -> float:
        return fmean(self.values)

    @property
    def deviation(self) -> float | None:
        """Over seeds; of one there is none."""
        return stdev(self.values) if len(self.values) > 1 else None

    def __str__(self) -> str:
        spread = "" if self.deviation is None else f" ± {self.deviation:.1f}"
        return f"{signed(self.mean)}{spread}"


def gained(record: Result, first: str, second: str) -> Gained | None:
    """By the first measure; None without seeds that both have."""
    by_method = {row["method"]: row.get("cells", []) for row in record["methods"]}
    theirs = {cell["seed"]: cell["scores"] for cell in by_method.get(second, [])}
    pairs = [(cell["scores"], theirs[cell["seed"]]) for cell in by_method.get(first, [])
             if cell["seed"] in theirs]  # fmt: skip
    if not pairs:
        return None
    measure = next(iter(pairs[0][0]))
    return Gained(measure, [100 * (after[measure] - before[measure]) for before, after in pairs])


def difference(
    record: Result, printed: Result, column: str, first: str = "lora", second: str = "lora-tsd"
) -> str:
    """The second method minus the first, here and in the paper; empty where one is not there."""
    here = gained(record, first, second)
    if here is None:
        return ""
    won = sum(value > 0 for value in here.values)
    said = (
        f"{method_name(second)} {MINUS} {method_name(first)}: {here.measure} {here}, above 0 for "
        f"{won} of {len(here.values)} seeds"
    )
    ends = [printed_value(printed, name, column) for name in (first, second)]
    if None in ends:
        return f"{said}."
    theirs = (ends[1] or 0) - (ends[0] or 0)
    return f"{said}; in the paper {signed(theirs)}. {agreement(here, theirs)}"


def agreement(here: Gained, theirs: float) -> str:
    """How the signs go together, as far as the seeds tell."""
    if here.deviation is None:
        return "One seed says nothing of the spread."
    if abs(here.mean) <= here.deviation:
        return "Here it is within one deviation of 0, so its sign is open."
    return "The sign is the same." if here.mean * theirs > 0 else "The sign is the other."


def beside_control(record: Result) -> str:
    """What a restart on random factors does alone; empty where the control was not run."""
    restart, tsd = gained(record, "lora", CONTROL), gained(record, CONTROL, "lora-tsd")
    if restart is None or tsd is None:
        return ""
    return (
        f"The control, which restarts on random factors at the launch, {MINUS} LoRA: {restart}; "
        f"LoRA-TSD {MINUS} the control: {tsd}."
    )


def setting(records: Iterable[Result], paper: str, theirs: str) -> str:
    """What else differs: size, steps and rank of what was run, beside the paper's model and words
    for its training; empty where nothing was run."""
    told = dict.fromkeys(_setting(record, paper) for record in records)
    if not told:
        return ""
    return (
        f"What differs in the setting: {'; '.join(told)}. The paper: {theirs}. Which of these "
        "decides was not tried."
    )


def _setting(record: Result, paper: str) -> str:
    asked, base = record["asked"], BASES.get(base_of(record))
    size = ""
    if base is not None:
        times = BASES[paper].parameters / base.parameters
        size = f"{base.title}, {BASES[paper].title} having {times:.0f} times its parameters; "
    rows = asked["steps"] * asked["batch_size"]
    drawn = f", of {asked['examples']:,}" if asked.get("examples") else ""
    return (
        f"{size}rank {asked['rank']}; {asked['steps']} steps of {asked['batch_size']}, so "
        f"{rows:,} rows are drawn{drawn}"
    )
