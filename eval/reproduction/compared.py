"""A stored comparison of methods as text: its table, how it was made and scored, what is open."""

from __future__ import annotations

from collections.abc import Callable
from statistics import fmean

from eval.comparison_table import cells_of
from eval.reproduction.differences import beside_control, difference
from eval.reproduction.markdown import NOT_RUN, table
from eval.reproduction.names import ONE_ANSWER, base_name, method_name
from eval.reproduction.section import base_of
from eval.reproduction.stored import Result


def not_run(base: str, title: str, command: str) -> str:
    """How it would be made."""
    return f"**{base_name(base)} on {title}**: {NOT_RUN}: `{command}`"


def not_run_of(record: Result, methods: str, command: Callable[[str], str]) -> str:
    """Which of our methods the record lacks, and how they would be made; empty where none."""
    there = {row["method"] for row in record["methods"]}
    missing = [name for name in methods.split() if name not in there]
    names = ", ".join(map(method_name, missing))
    return f"{names}: {NOT_RUN}: `{command(' '.join(missing))}`" if missing else ""


def compared(record: Result, title: str) -> str:
    """What was asked, and a row a method."""
    said = (
        f"**{base_name(base_of(record))} on {title}**, {_how_trained(record)}, scores × "
        f"100{_how_scored(record)}, ± deviation over seeds, {_items(record)}; "
        f"{record['machine']}, {record['date'][:10]}:"
    )
    notes = (*_made_earlier(record), *_unlearnt(record), *_without_reading(record),
             *_unfinished(record))  # fmt: skip
    return "\n\n".join([said, of_comparison(record), *notes])


def differing(
    record: Result, printed: Result, column: str, first: str = "lora", second: str = "lora-tsd"
) -> str:
    """Where it differs from the paper's table."""
    found = difference(record, printed, column, first, second)
    lines = [found, beside_control(record) if second == "lora-tsd" else ""]
    return " ".join(["Where we differ:", *filter(None, lines)]) if found else ""


def of_comparison(record: Result) -> str:
    """A record of `eval.compare_methods`: a row a method."""
    (method, _, *rest), *rows = cells_of(record)
    named = [[method_name(name), *cells] for name, *cells in rows]
    return table([method, "seeds", *rest], named)


def _how_trained(record: Result) -> str:
    """What all methods had in common."""
    asked, recipe = record["asked"], record["recipe"]
    said = f"rank {asked['rank']}, {asked['steps']} steps of {asked['batch_size']}"
    precision = recipe["model"]["precision"]
    if precision != "auto":
        said += f", base in {precision}"
    head_rate = recipe["optim"].get("head_learning_rate")
    return said if head_rate is None else f"{said}, head at rate {head_rate:g}"


def _how_scored(record: Result) -> str:
    """Questions can be scored in two ways, and by two texts; sentences have their labels."""
    style = record["recipe"].get("style")
    if style is None:
        return ""
    said = f" by likelihood (style {style})"
    generated = record["asked"].get("generated_items")
    if generated:
        said += f", `generated` read out of what is written for the first {generated:,} items"
    return said


def _made_earlier(record: Result) -> list[str]:
    """The methods of another sitting, whose seconds may be another machine's."""
    sittings: dict[str, list[str]] = {}
    for row in record["methods"]:
        if made := row.get("made"):
            where = f"{made['machine']}, {made['date'][:10]}"
            sittings.setdefault(where, []).append(method_name(row["method"]))
    sittings.pop(f"{record['machine']}, {record['date'][:10]}", None)
    return [f"On {where}: {', '.join(names)}." for where, names in sittings.items()]


def _unlearnt(record: Result) -> list[str]:
    """What a correlation of exactly 0 means, where there is one."""
    correlations = {
        method_name(row["method"])
        for row in record["methods"]
        for cell in row.get("cells", ())
        if cell["scores"].get("matthews") == 0
    }
    if not correlations:
        return []
    return [f"A Matthews correlation of 0 is that of one answer to every sentence: so answered, "
            f"with at least one seed, {', '.join(sorted(correlations))}."]  # fmt: skip


def _without_reading(record: Result) -> list[str]:
    """What one answer to everything scores, where that is known, and whether methods do better."""
    cells = [cell for row in record["methods"] for cell in row.get("cells", ())]
    task = record["asked"].get("task")
    known = {"accuracy": ONE_ANSWER[task]} if task in ONE_ANSWER else {}
    told: dict[str, float] = cells[0].get("one_answer", known) if cells else {}
    if not told:
        return []
    scores = ", ".join(f"{name}: {100 * value:.1f}" for name, value in told.items())
    said = f"The most frequent right answer, given to every item, scores {scores}."
    return [f"{said} {_nothing_learnt(record, *next(iter(told.items())))}".strip()]


def _nothing_learnt(record: Result, measure: str, one_answer: float) -> str:
    """Where no method's mean over seeds is above that by two standard errors of so many items."""
    rows = [row["cells"] for row in record["methods"] if row.get("cells")]
    best = max(fmean(cell["scores"][measure] for cell in cells) for cells in rows)
    error = (one_answer * (1 - one_answer) / rows[0][0]["items"]) ** 0.5
    if best > one_answer + 2 * error:
        return ""
    return (
        f"No method is above it by two standard errors of so many items ({200 * error:.1f}): none "
        "has learnt the task here, and what they differ by says nothing of the paper's differences."
    )


def _items(record: Result) -> str:
    counts = {cell["items"] for row in record["methods"] for cell in row.get("cells", ())}
    return f"n = {', '.join(f'{count:,}' for count in sorted(counts))} items a seed"


def _unfinished(record: Result) -> list[str]:
    lines = [
        f"{method_name(row['method'])}: {row['failed']}" for row in record["methods"]
        if row.get("failed")
    ]  # fmt: skip
    lines += [
        f"{method_name(row['method'])}: seed {seed} diverged, and is not in the mean."
        for row in record["methods"] for seed in row.get("diverged", ())
    ]  # fmt: skip
    open_cells = [
        f"{method_name(row['method'])} (seeds {', '.join(map(str, row['open']))})"
        for row in record["methods"] if row.get("open")
    ]  # fmt: skip
    return lines + ([f"Not run yet: {'; '.join(open_cells)}."] if open_cells else [])
