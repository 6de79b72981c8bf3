"""The table of methods on texts as a CSV file, for other programs. No torch."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import fmean, stdev
from typing import Any

Row = Mapping[str, Any]


def as_csv(methods: Iterable[Row]) -> str:
    """A line a method that was trained, of rows as `eval.comparison_table.row_of` gives them.

    Scores are shares, as in the JSON; `sd` is the standard deviation over seeds, empty for n = 1.
    `diverged` counts the seeds that are not in the means; where all did, they are empty.
    """
    done = [row for row in methods if row.get("cells") or row.get("diverged")]
    measures = next((list(row["cells"][0]["scores"]) for row in done if row["cells"]), [])
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(_head(measures))
    table.writerows(_line(row, measures) for row in done)
    return text.getvalue()


def _head(measures: Sequence[str]) -> list[str]:
    spreads = [f"{name} {part}" for name in (*measures, "seconds") for part in ("mean", "sd")]
    counts = ["method", "n", "diverged", "learning_rate", "parameters", "head_parameters"]
    return [*counts, *spreads, "memory_gib"]


def _line(row: Row, measures: Sequence[str]) -> list[object]:
    cells = row["cells"]
    columns = [[cell["scores"][name] for cell in cells] for name in measures]
    columns.append([cell["seconds"] for cell in cells])
    counts = [len(cells), len(row.get("diverged", ())), row["learning_rate"]]
    sizes = [cells[0][size] if cells else "" for size in ("parameters", "head_parameters")]
    spreads = (number for values in columns for number in _spread(values))
    memory = max((cell["memory_gib"] for cell in cells), default="")
    return [row["method"], *counts, *sizes, *spreads, memory]


def _spread(values: Sequence[float]) -> Iterator[float | str]:
    yield fmean(values) if values else ""
    yield stdev(values) if len(values) > 1 else ""
