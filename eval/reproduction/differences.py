"""Where a comparison of methods differs from the paper's table: computed, whichever way it goes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from eval.reproduction.markdown import MINUS, printed_value, signed
from eval.reproduction.names import BASES, method_name
from eval.reproduction.paired import LEVEL, Paired, holm, paired
from eval.reproduction.section import base_of
from eval.reproduction.stored import Result
from trainer.adapters.config import AdapterConfig

CONTROL = "lora-restart"


def gained(record: Result, first: str, second: str) -> Paired | None:
    """The second minus the first, x 100, by the task's measure; None without seeds that both
    have."""
    return paired(_scores(record, first), _scores(record, second))


def _scores(record: Result, method: str) -> dict[int, float]:
    """By seed, x 100."""
    measure = _measure(record)
    return {
        cell["seed"]: 100 * cell["scores"][measure]
        for row in record["methods"]
        if row["method"] == method
        for cell in row.get("cells", [])
    }


def _measure(record: Result) -> str | None:
    """The first of the task; all cells have the same."""
    cells = [cell for row in record["methods"] for cell in row.get("cells", [])]
    return next(iter(cells[0]["scores"])) if cells else None


def difference(
    record: Result, printed: Result, column: str, first: str = "lora", second: str = "lora-tsd"
) -> str:
    """The second method minus the first, here and in the paper; empty where one is not there."""
    here = gained(record, first, second)
    if here is None:
        return ""
    said = (
        f"{method_name(second)} {MINUS} {method_name(first)}: {_measure(record)} {_amount(here)}, "
        f"{here.above}"
    )
    ends = [printed_value(printed, name, column) for name in (first, second)]
    if None in ends:
        return f"{said}."
    theirs = (ends[1] or 0) - (ends[0] or 0)
    return f"{said}; in the paper {signed(theirs)}. {agreement(here, theirs)}"


def _amount(here: Paired) -> str:
    return f"{signed(here.mean)}{here.spread(1)}"


def agreement(here: Paired, theirs: float) -> str:
    """How the signs go together, as far as the seeds tell."""
    if here.sign == "one seed":
        return "One seed says nothing of the spread."
    interval = f"The mean's 95 % interval is ±{here.half_width:.1f}"
    if here.sign == "open":
        return f"{interval} and holds 0, so the sign is open."
    return f"{interval}: the sign is the {'same' if here.mean * theirs > 0 else 'other'}."


def beside_control(record: Result) -> str:
    """What a restart on random factors does alone; empty where the control was not run."""
    restart, tsd = gained(record, "lora", CONTROL), gained(record, CONTROL, "lora-tsd")
    if restart is None or tsd is None:
        return ""
    return (
        f"The control, LoRA-TSD with random factors in place of LoRA-Init's (its Δσ is on the same "
        f"directions), {MINUS} LoRA: {_amount(restart)}{_known_to(restart)}; LoRA-TSD {MINUS} the "
        f"control, so what LoRA-Init's factors add: {_amount(tsd)}{_known_to(tsd)}."
    )


def _known_to(here: Paired) -> str:
    return "" if here.half_width is None else f" (95 % interval ±{here.half_width:.1f})"


def of_many(records: Mapping[str, Result]) -> str:
    """What is left of single differences where all of a section's tables are looked at together,
    by title; empty where there are none."""
    looks = {
        f"{title}, {method_name(second)} {MINUS} {method_name(first)}": found.p
        for title, record in records.items()
        for first, second in (("lora", "lora-tsd"), ("lora", CONTROL), (CONTROL, "lora-tsd"))
        if (found := gained(record, first, second)) is not None and found.p is not None
    }
    alone = [f"{what} (p = {p:.3f})" for what, p in looks.items() if p < 1 - LEVEL]
    if len(looks) < 2:
        return ""
    held = [
        what for what, is_held in zip(looks, holm(list(looks.values())), strict=True) if is_held
    ]
    return (
        f"These tables look at {len(looks)} differences, of which one in twenty would leave 0 out "
        f"by chance; alone do: {'; '.join(alone) or 'none'}. With Holm's correction for all of "
        f"them: {'; '.join(held) or 'none'}."
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
    launch = _launch(record)
    return (
        f"{size}rank {asked['rank']}; {asked['steps']} steps of {asked['batch_size']}, so "
        f"{rows:,} rows are drawn{drawn}{f'; {launch}' if launch else ''}"
    )


def _launch(record: Result) -> str:
    """When directions are chosen, and what becomes of what was learned before."""
    told = record["recipe"].get("adapter")
    if not told:
        return ""
    steps = AdapterConfig(prelaunch_steps=told["prelaunch_steps"]).resolved_prelaunch_steps(
        record["asked"]["steps"]
    )
    before = {"fold": "stays in the adapter, where equations 7 to 10 as printed drop it",
              "discard": "is dropped, as in equations 7 to 10"}[told["prelaunch"]]  # fmt: skip
    loss = "; the loss counts the answer's words alone, the authors' code the question's as well"
    return (
        f"launch after {steps} steps, the paper's after 100; what was learned before {before}"
        f"{loss if 'style' in record['recipe'] else ''}"
    )
