"""Fair pairs and honest intervals."""

from __future__ import annotations

from collections import Counter

import pytest
from scipy.stats import binomtest

from app.blind_pairs import Pair, choose_pairs, standings, wilson_interval

PLACES = [(f"a duck {n}", seed) for n in range(10) for seed in (0, 1)]


def test_all_two_runs_meet_equally_often_and_sides_are_mixed() -> None:
    pairs = choose_pairs({"a": PLACES, "b": PLACES, "c": PLACES}, 30, seed=0)
    meetings = Counter(frozenset((pair.left, pair.right)) for pair in pairs)
    assert set(meetings.values()) == {10} and len(meetings) == 3
    assert len(set(pairs)) == 30
    on_the_left = Counter(pair.left for pair in pairs)
    assert all(0 < on_the_left[run] < 20 for run in "abc")


def test_the_seed_decides_the_test_and_another_seed_another_one() -> None:
    drawn = {"a": PLACES, "b": PLACES}
    assert choose_pairs(drawn, 9, seed=3) == choose_pairs(drawn, 9, seed=3)
    assert choose_pairs(drawn, 9, seed=3) != choose_pairs(drawn, 9, seed=4)


def test_only_what_both_drew_is_a_pair() -> None:
    pairs = choose_pairs({"a": PLACES[:3], "b": PLACES[2:]}, 25, seed=0)
    assert [(pair.prompt, pair.seed) for pair in pairs] == [PLACES[2]]


def test_votes_count_for_runs_not_for_sides() -> None:
    here, there = Pair("p", 0, "a", "b"), Pair("p", 1, "b", "a")
    [standing] = standings(["a", "b"], [(here, "left"), (there, "right"), (there, "tie")])
    assert (standing.first_wins, standing.second_wins, standing.ties) == (2, 0, 1)
    assert standing.share == 1.0


def test_only_ties_say_nothing_about_a_share() -> None:
    [standing] = standings(["a", "b"], [(Pair("p", 0, "a", "b"), "tie")])
    assert (standing.share, standing.low, standing.high) == (None, None, None)


@pytest.mark.parametrize(("wins", "n"), [(0, 1), (8, 10), (25, 25), (13, 40)])
def test_the_interval_is_wilson_s(wins: int, n: int) -> None:
    """Against scipy's, which is independent of ours."""
    reference = binomtest(wins, n).proportion_ci(method="wilson")
    assert wilson_interval(wins, n) == pytest.approx((reference.low, reference.high), abs=1e-6)
