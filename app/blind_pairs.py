"""Pairs for a blind test and what votes say of them: pure. No files, no torch."""

from __future__ import annotations

import math
import random
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import chain, combinations, islice, zip_longest
from typing import Literal

Choice = Literal["left", "right", "tie"]
Place = tuple[str, int]
"""(prompt, seed): what two pictures must share to be a pair."""
Z = 1.959964
"""Of a 95 % interval."""


@dataclass(frozen=True)
class Pair:
    """Two pictures of one prompt and seed, and whose they are."""

    prompt: str
    seed: int
    left: str
    """Name of the run whose picture is on the left."""
    right: str

    def winner(self, choice: Choice) -> str | None:
        return {"left": self.left, "right": self.right, "tie": None}[choice]


@dataclass(frozen=True)
class Standing:
    """Two runs against each other."""

    first: str
    second: str
    first_wins: int
    second_wins: int
    ties: int
    share: float | None
    """Of the votes that chose a side, those for the first; None without any."""
    low: float | None
    high: float | None
    """Wilson's 95 % interval of the share."""


def choose_pairs(drawn: Mapping[str, Collection[Place]], count: int, seed: int) -> list[Pair]:
    """Up to `count` pairs, as many of each two runs as there can be; order and sides by seed."""
    rng = random.Random(seed)
    by_runs = [_pairs_of(first, second, drawn, rng) for first, second in combinations(drawn, 2)]
    in_turn = (pair for pair in chain.from_iterable(zip_longest(*by_runs)) if pair is not None)
    chosen = list(islice(in_turn, count))
    rng.shuffle(chosen)
    return chosen


def _pairs_of(
    first: str, second: str, drawn: Mapping[str, Collection[Place]], rng: random.Random
) -> list[Pair]:
    shared = sorted(set(drawn[first]) & set(drawn[second]))
    rng.shuffle(shared)
    return [Pair(*place, *rng.sample([first, second], 2)) for place in shared]


def standings(runs: Iterable[str], votes: Iterable[tuple[Pair, Choice]]) -> list[Standing]:
    """Every two runs that met."""
    cast = list(votes)
    found = (_standing(first, second, cast) for first, second in combinations(runs, 2))
    return [standing for standing in found if standing is not None]


def _standing(first: str, second: str, votes: Iterable[tuple[Pair, Choice]]) -> Standing | None:
    winners = [
        pair.winner(choice) for pair, choice in votes if {pair.left, pair.right} == {first, second}
    ]
    if not winners:
        return None
    wins, losses = winners.count(first), winners.count(second)
    decided = wins + losses
    share = wins / decided if decided else None
    low, high = wilson_interval(wins, decided) if decided else (None, None)
    return Standing(first, second, wins, losses, winners.count(None), share, low, high)


def wilson_interval(wins: int, n: int) -> tuple[float, float]:
    """Wilson (1927): the 95 % interval of a share, sound also for few votes and near 0 and 1."""
    share = wins / n
    center = (share + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z / (1 + Z**2 / n) * math.sqrt(share * (1 - share) / n + Z**2 / (4 * n**2))
    return max(0.0, center - half), min(1.0, center + half)
