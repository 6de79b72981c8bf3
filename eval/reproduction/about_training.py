"""Sections on what studied runs did while and after they were trained: Figs. 6 to 8."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

from eval.directions.verdicts import amount
from eval.directions.written import LOSS
from eval.reproduction import commands as bash
from eval.reproduction.markdown import MINUS, NOT_RUN, signed, table
from eval.reproduction.names import method_name
from eval.reproduction.paired import paired
from eval.reproduction.section import Section, commands, joined
from eval.reproduction.stored import Result, Results
from eval.reproduction.studied import none_here, studies, usual
from trainer.data.glue import TASKS

COMPARED = ("lora", "lora-dash", "lora-init", "lora-tsd", "lora-restart")
"""Methods whose losses are shown side by side."""
SMOOTHED, MOST_ROWS = 10, 8
"""Steps whose training loss is averaged, and steps that are shown."""


def losses(results: Results) -> Section:
    parts = [
        "The paper: LLaMA-7B, LoRA and LoRA-TSD with equal settings. Up to the launch their losses "
        "run together; after it LoRA-TSD's is slightly lower, and its validation loss much lower.",
    ]
    for name, record in studies(results):
        shown = usual(record, COMPARED)
        if shown:
            parts += [_losses(name, shown), _lower_or_not(shown)]
    parts += [
        none_here(studies(results)),
        f"LLaMA-7B: {NOT_RUN}; by the commands under Figs. 1 and 2, which look at the validation "
        "loss every 80 steps; `losses.png` is drawn for each method.",
    ]
    return Section("Fig. 8: the losses", joined(parts))


def _losses(name: str, shown: Mapping[str, Result]) -> str:
    launches = {row["losses"]["launch"] for row in shown.values()} - {None}
    rows = [
        [f"{step}, launch" if step in launches else str(step),
         *(_at(row["losses"], step) for row in shown.values())]
        for step in _steps(shown, launches)
    ]  # fmt: skip
    head = ["step", *(f"{method_name(name)}, {_seeds_of(row)}"
                      for name, row in shown.items())]  # fmt: skip
    return (
        f"Here, {name}, training loss (mean of the {SMOOTHED} steps before) / validation loss:\n\n"
        f"{table(head, rows)}"
    )


def _seeds_of(row: Result) -> str:
    count = len(row["runs"])
    return f"{count} seed{'s' * (count > 1)}"


def _steps(shown: Mapping[str, Result], launches: set[int]) -> list[int]:
    """Where a validation loss was taken, else evenly spaced; not too many, launches always."""
    first = next(iter(shown.values()))["losses"]
    looked = [step for step in first["validation"]["steps"] if step] or first["training"]["steps"]
    every = -(-len(looked) // MOST_ROWS)
    return sorted({*looked[::-1][::every], *launches})


def _at(row: Result, step: int) -> str:
    training = row["training"]
    before = [value for at, value in zip(training["steps"], training["mean"], strict=True)
              if step - SMOOTHED < at <= step]  # fmt: skip
    looked = _looks(row).get(step)
    return " / ".join([
        f"{fmean(before):.3f}" if before else "–", "–" if looked is None else f"{looked:.3f}",
    ])  # fmt: skip


def _lower_or_not(shown: Mapping[str, Result]) -> str:
    """LoRA-TSD's validation loss at the end minus LoRA's; empty where one is not there."""
    ends = [_end_by_seed(shown[name]) for name in ("lora", "lora-tsd") if name in shown]
    higher = paired(*ends) if len(ends) == 2 else None
    if higher is None:
        return ""
    said = {
        "-": "so it is lower, as in the paper",
        "+": "so it is higher, unlike there",
        "open": "which holds 0: that it is lower, as in the paper, cannot be said",
        "one seed": "one seed says nothing of the spread",
    }[higher.sign]
    interval = "" if higher.half_width is None else (
        f" (95 % interval of the mean ±{higher.half_width:.4f})")  # fmt: skip
    return (
        f"Where we differ: LoRA-TSD's validation loss at the end {MINUS} LoRA's: "
        f"{signed(higher.mean, 4)}{higher.spread(4)}, {higher.above}{interval}, {said}. "
        f"{_on_the_way(shown)}"
    ).strip()


def _on_the_way(shown: Mapping[str, Result]) -> str:
    """The same difference at every look before the end, as means over seeds."""
    plain, tsd = (_looks(shown[name]["losses"]) for name in ("lora", "lora-tsd"))
    told = [f"{signed(tsd[step] - plain[step], 3)} at {step}"
            for step in sorted({*plain} & {*tsd})[:-1] if step]  # fmt: skip
    return f"On the way there: {', '.join(told)}." if told else ""


def _looks(losses: Result) -> dict[int, float]:
    validation = losses["validation"]
    return dict(zip(validation["steps"], validation["mean"], strict=True))


def _end_by_seed(row: Result) -> dict[int, float]:
    """The validation loss at the end; without the runs in which none was taken."""
    ends = zip(row["seeds"], row["score"], strict=True)
    return {seed: score[LOSS] for seed, score in ends if LOSS in score}


def ablations(results: Results) -> Section:
    parts = [
        "The paper, LLaMA3-8B (directions), LLaMA-7B (t and s) and DeBERTaV3-large on CoLA, all by "
        "LoRA-Dash: TSDs best and top directions worst (on CoLA not always), an early launch "
        "better than a late one, few directions better than many.",
    ]
    found = studies(results)
    shown = [part for name, record in found for part in _ablated(name, record)]
    nothing = f"Here: {NOT_RUN}: no stored runs differ in just their directions, t or s."
    records = [record for _, record in found if record["ablations"]]
    parts += [
        *(shown or [nothing]),
        commands([bash.LLAMA3_8B, bash.LLAMA_7B], bash.ABLATIONS_OF_LLAMA, records),
        commands([bash.DEBERTA_LARGE], bash.ABLATIONS_OF_DEBERTA, records),
        "The paper's values of t and s stand in its figures alone; these are ours, as is rank 32 "
        "of LLaMA and rank 8 of DeBERTaV3. A run whose t is 100 and whose s is 8 stands in each "
        "figure. Given to `eval.analyse_directions` with a full fine-tuning of the same base, such "
        "runs are drawn as these figures.",
    ]
    return Section("Figs. 6 and 7: which directions, t and s", joined(parts))


def _ablated(name: str, record: Result) -> list[str]:
    parts = []
    for method, ablation in record["ablations"].items():
        for axis, study in ablation["axes"].items():
            rows = [[str(row["value"]), amount(row, ".3f")] for row in study["values"]]
            rows += [["plain LoRA", amount(study["lora"], ".3f")]] if study["lora"] else []
            said = f"Here, {name}, {method_name(method)}, {ablation['measure']}{_seeds(study)}"
            parts.append(f"{said}:\n\n{table([axis, 'mean ± deviation'], rows)}")
            parts.append(_best_and_worst(study, ablation["measure"]))
    scorer = "eval.score_glue" if record["task"] in TASKS else "eval.score_commonsense"
    for method, runs in record.get("unscored", {}).items():
        parts.append(
            f"Here, {name}, {method_name(method)}: without a score are {', '.join(runs)}, so "
            f"{_without_scores(record['ablations'].get(method))}. `{scorer}` scores them."
        )
    return parts


def _without_scores(ablation: Result | None) -> str:
    if ablation is None:
        return "which directions, t and s are best cannot be said"
    loss = ablation["measure"].endswith("loss")
    return "the validation loss is compared" if loss else "they are in none of these tables"


def _seeds(study: Result) -> str:
    seeds = ", ".join(map(str, study["seeds"]))
    return f", seeds {seeds}" if seeds else ", of each its own seeds"


def _best_and_worst(study: Result, measure: str) -> str:
    """Whether they are apart by more than seeds leave open."""
    worst, *between, best = sorted(
        study["values"], key=lambda row: row["mean"], reverse=measure.endswith("loss")
    )
    gap = abs(best["mean"] - worst["mean"])
    return (
        f"Where we differ: best is {best['value']}, worst {worst['value']}, apart by {gap:.3f}, "
        f"{_beyond(study['seeds'], worst, best)}{_of_several(len(between) + 2)}."
    )


def _beyond(shared: Sequence[int], worst: Result, best: Result) -> str:
    if len(shared) < 2:
        return "and too few seeds to say how much of that is the seed's"
    apart = paired(*(dict(zip(shared, row["seeds"], strict=True)) for row in (worst, best)))
    assert apart is not None and apart.half_width is not None
    inside = "inside" if apart.sign == "open" else "outside"
    return f"{inside} the ±{apart.half_width:.3f} that seeds leave open (95 % interval)"


def _of_several(count: int) -> str:
    return f"; the ends of {count} differ a little where nothing does" if count > 2 else ""
