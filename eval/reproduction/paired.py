"""Differences seed by seed, and what so few of them can tell: the 95 % interval of their mean.

By Student's t: three seeds leave a mean open by 2.5 of their deviations, so "more than one
deviation" would be no sign of anything (of seeds that differ by chance alone, one in four is).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Literal

from scipy import stats

LEVEL = 0.95


@dataclass(frozen=True)
class Paired:
    """One minus another, a number a seed that both have; at least one."""

    values: Sequence[float]

    @property
    def mean(self) -> float:
        return fmean(self.values)

    @property
    def deviation(self) -> float | None:
        """Over seeds; of one there is none."""
        return stdev(self.values) if len(self.values) > 1 else None

    @property
    def half_width(self) -> float | None:
        """Of the mean's interval."""
        if self.deviation is None:
            return None
        count = len(self.values)
        quantile = float(stats.t.ppf((1 + LEVEL) / 2, count - 1))
        return quantile * self.deviation / math.sqrt(count)

    @property
    def p(self) -> float | None:
        """Of the two-sided t-test that the mean is 0; None of one seed, or where all are equal."""
        if not self.deviation:
            return None
        return float(stats.ttest_1samp(self.values, 0).pvalue)

    @property
    def above(self) -> str:
        """For how many seeds it is above 0."""
        return f"above 0 for {sum(value > 0 for value in self.values)} of {len(self.values)} seeds"

    @property
    def sign(self) -> Literal["+", "-", "open", "one seed"]:
        """Of the mean, where the interval leaves 0 out."""
        if self.half_width is None:
            return "one seed"
        if abs(self.mean) <= self.half_width:
            return "open"
        return "+" if self.mean > 0 else "-"

    def spread(self, digits: int) -> str:
        """± its deviation over seeds; empty of one."""
        return "" if self.deviation is None else f" ± {self.deviation:.{digits}f}"


def holm(values: Sequence[float]) -> list[bool]:
    """Which of these p-values are below 5 % for all of them together (Holm 1979)."""
    order = sorted(range(len(values)), key=values.__getitem__)
    held = [False] * len(values)
    for rank, place in enumerate(order):
        if values[place] > (1 - LEVEL) / (len(values) - rank):
            break
        held[place] = True
    return held


def paired(first: dict[int, float], second: dict[int, float]) -> Paired | None:
    """The second minus the first, by seed; None without a seed that both have."""
    shared = [second[seed] - first[seed] for seed in first if seed in second]
    return Paired(shared) if shared else None
