"""Above the null or not: by every seed, not by the mean."""

from __future__ import annotations

from typing import Any

import pytest

from eval.directions.verdicts import amount, numbers, verdict


@pytest.mark.parametrize(
    ("seeds", "expected"),
    [([0.7, 0.9], "above"), ([0.5, 0.6], "as random"), ([0.1], "below"), ([0.9, 0.5], "mixed")],
)
def test_a_number_is_above_the_null_only_with_every_seed(seeds: list[float], expected: str) -> None:
    assert verdict({"seeds": seeds, "null": {"low": 0.4, "high": 0.6}}) == expected


def test_a_seed_is_held_against_its_own_null_where_it_has_one() -> None:
    nulls = [{"low": 0.4, "high": 0.6}, {"low": 0.6, "high": 0.8}]
    row = {"seeds": [0.7, 0.7], "null": nulls[0], "null_by_seed": nulls}
    assert verdict(row) == "mixed"


def test_precision_and_recall_are_those_at_the_end() -> None:
    row: dict[str, Any] = {"mean": [0.1, 0.5], "sd": [0.0, 0.2], "seeds": [[0.1, 0.3], [0.1, 0.7]],
                           "null": {}, "chance": 0.0, "smallest": 0.0}  # fmt: skip
    unchanged = {**row, "mean": [None], "sd": None, "seeds": [[None]]}
    found = numbers({"capture": {"precision": row, "recall": unchanged}})
    assert list(found) == ["precision"] and found["precision"]["seeds"] == [0.3, 0.7]
    assert amount(found["precision"], ".1f") == "0.5 ± 0.2"
    assert amount({"mean": 0.5, "sd": None}, ".2f") == "0.50"
