"""Medians, spreads and ratios of timed turns, and the table that shows them."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.clock import Turn


@dataclass(frozen=True)
class Spread:
    """A median and the quartiles around it."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        if len(values) == 1:
            return cls(values[0], values[0], values[0])
        low, median, high = statistics.quantiles(values, n=4, method="inclusive")
        return cls(median, low, high)


@dataclass(frozen=True)
class Row:
    """One contestant's figures."""

    name: str
    seconds: Spread
    """A step; the GPU's, or the wall's on a CPU."""
    cpu_seconds: Spread
    """A step; all threads of the process."""
    images_per_second: float
    ratio: Spread
    """Of its time to the first contestant's, round by round, so that a slow minute cancels out;
    on a CPU of CPU times."""
    peak_gib: float
    utilization: float
    """Useful FLOP/s, as a share of the matmul rate measured here; on a CPU of CPU time."""


def summarize(
    names: Sequence[str],
    turns: Sequence[Sequence[Turn]],
    *,
    batch_size: int,
    flops: int,
    matmul_rate: float,
    by_cpu_time: bool,
) -> list[Row]:
    """A row a contestant. `flops`: what one step needs at least, the same for all."""
    rows = []
    for name, mine in zip(names, turns, strict=True):
        seconds = Spread.of([value for turn in mine for value in turn.seconds])
        cpu_seconds = Spread.of([value for turn in mine for value in turn.cpu_seconds])
        cost = cpu_seconds if by_cpu_time else seconds
        rows.append(
            Row(
                name=name,
                seconds=seconds,
                cpu_seconds=cpu_seconds,
                images_per_second=batch_size / seconds.median,
                ratio=Spread.of(ratios(mine, turns[0], by_cpu_time)),
                peak_gib=max(turn.peak_bytes for turn in mine) / 2**30,
                utilization=flops / cost.median / matmul_rate,
            )
        )
    return rows


def ratios(mine: Sequence[Turn], first: Sequence[Turn], by_cpu_time: bool) -> list[float]:
    """Round by round, of the medians of the two turns."""

    def cost(turn: Turn) -> float:
        return statistics.median(turn.cpu_seconds if by_cpu_time else turn.seconds)

    return [cost(turn) / cost(base) for turn, base in zip(mine, first, strict=True)]


def table(rows: Sequence[Row]) -> str:
    """The rows as text."""
    head = ["", "ms/step", "quartiles", "CPU ms", "images/s", "peak GiB", "of matmul", "time ×", ""]
    lines = [head, *([*_cells(row)] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def _cells(row: Row) -> list[str]:
    ms = Spread(*(1e3 * value for value in (row.seconds.median, row.seconds.low, row.seconds.high)))
    return [
        row.name,
        f"{ms.median:.1f}",
        f"{ms.low:.1f}–{ms.high:.1f}",
        f"{1e3 * row.cpu_seconds.median:.1f}",
        f"{row.images_per_second:.2f}",
        f"{row.peak_gib:.2f}",
        f"{100 * row.utilization:.1f} %",
        f"{row.ratio.median:.3f}",
        f"{row.ratio.low:.3f}–{row.ratio.high:.3f}",
    ]
