"""Above the null or not: by the mean over seeds."""

from __future__ import annotations

from typing import Any

import pytest

from eval.directions.verdicts import amount, numbers, verdict


@pytest.mark.parametrize(
    ("mean", "expected"),
    [(0.8, "above"), (0.6, "as random"), (0.45, "as random"), (0.1, "below")],
)
def test_the_mean_over_seeds_is_held_against_the_null(mean: float, expected: str) -> None:
    assert verdict({"mean": mean, "null": {"low": 0.4, "high": 0.6}}) == expected


def test_precision_and_recall_are_those_at_the_end() -> None:
    row: dict[str, Any] = {"mean": [0.1, 0.5], "sd": [0.0, 0.2], "seeds": [[0.1, 0.3], [0.1, 0.7]],
                           "null": {}, "chance": 0.0, "smallest": 0.0}  # fmt: skip
    unchanged = {**row, "mean": [None], "sd": None, "seeds": [[None]]}
    found = numbers({"capture": {"precision": row, "recall": unchanged}})
    assert list(found) == ["precision"] and found["precision"]["seeds"] == [0.3, 0.7]
    assert amount(found["precision"], ".1f") == "0.5 ± 0.2"
    assert amount({"mean": 0.5, "sd": None}, ".2f") == "0.50"
