"""Sections on what studied runs did while and after they were trained: Figs. 6 to 8."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from eval.directions.verdicts import amount
from eval.reproduction import commands as bash
from eval.reproduction.markdown import NOT_RUN, table
from eval.reproduction.names import method_name
from eval.reproduction.section import Section, commands, joined
from eval.reproduction.stored import Result, Results
from eval.reproduction.studied import none_here, studies, usual

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
    training, validation = row["training"], row["validation"]
    before = [value for at, value in zip(training["steps"], training["mean"], strict=True)
              if step - SMOOTHED < at <= step]  # fmt: skip
    looked = dict(zip(validation["steps"], validation["mean"], strict=True)).get(step)
    return " / ".join([
        f"{fmean(before):.3f}" if before else "–", "–" if looked is None else f"{looked:.3f}",
    ])  # fmt: skip


def _lower_or_not(shown: Mapping[str, Result]) -> str:
    """The validation loss at the end, LoRA-TSD's beside LoRA's; empty where one is not there."""
    ends = {
        name: shown[name]["losses"]["validation"]
        for name in ("lora", "lora-tsd")
        if name in shown and shown[name]["losses"]["validation"]["steps"]
    }
    if len(ends) < 2:
        return ""
    lora, tsd = (
        {key: row[key] and row[key][-1] for key in ("mean", "sd")} for row in ends.values()
    )
    lower = "lower, as in the paper" if tsd["mean"] < lora["mean"] else "not lower, unlike there"
    gap = abs(tsd["mean"] - lora["mean"])
    return (
        f"Where we differ: at the end LoRA-TSD's validation loss is {amount(tsd, '.3f')}, LoRA's "
        f"{amount(lora, '.3f')}: {lower}, by {gap:.3f}, {_beyond(gap, lora, tsd)}."
    )


def _beyond(gap: float, *rows: Mapping[str, Any]) -> str:
    """A gap of two means beside the larger deviation over seeds."""
    deviations = [row["sd"] for row in rows]
    if None in deviations:
        return "and too few seeds to say how much of that is the seed's"
    return f"{'more' if gap > max(deviations) else 'no more'} than the larger deviation over seeds"


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
        "of LLaMA and rank 8 of DeBERTaV3. Given to `eval.analyse_directions` with a full "
        "fine-tuning, such runs are drawn as these figures.",
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
            parts.append(_best_and_worst(study["values"], ablation["measure"]))
    for method, runs in record.get("unscored", {}).items():
        parts.append(
            f"Here, {name}, {method_name(method)}: without a score are {', '.join(runs)}, so "
            f"{_without_scores(record['ablations'].get(method))}. `eval.score_glue` scores them."
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


def _best_and_worst(values: Sequence[Mapping[str, Any]], measure: str) -> str:
    """Whether they are apart by more than seeds are."""
    worst, *_, best = sorted(values, key=lambda row: row["mean"], reverse=measure.endswith("loss"))
    gap = abs(best["mean"] - worst["mean"])
    return (
        f"Where we differ: best is {best['value']}, worst {worst['value']}, apart by {gap:.3f}, "
        f"{_beyond(gap, best, worst)}."
    )
