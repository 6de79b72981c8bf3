"""What is chosen where a person has not chosen yet."""

from __future__ import annotations

import pytest

from app.tabs.choices import arrived

RUNS = [("newest", "newest"), ("older", "older")]


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (None, None),  # the first look: nothing is new
        (["older"], "newest"),
        ([], "newest"),
        (["older", "newest"], None),
        (["older", "newest", "deleted"], None),
    ],
)
def test_a_run_that_came_since_the_last_look_is_told(
    seen: list[str] | None, expected: str | None
) -> None:
    assert arrived(RUNS, seen) == expected
