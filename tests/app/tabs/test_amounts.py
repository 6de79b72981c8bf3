"""Amounts as people read them."""

from __future__ import annotations

import time

import pytest

from app.tabs.amounts import duration, moment, size


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-3, "0 s"),
        (42.4, "42 s"),
        (240, "4 min"),
        (2 * 3600 + 25 * 60, "2 h 25 min"),
        (3 * 86400, "3 days"),
    ],
)
def test_a_duration_has_the_unit_that_fits(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0 B"), (999, "999 B"), (820_000, "820 kB"), (4_900_000_000, "4.9 GB")],
)
def test_a_size_has_the_unit_that_fits(count: int, words: str) -> None:
    assert size(count) == words


def test_today_is_a_clock_time_and_another_day_has_its_date() -> None:
    now = time.time()
    assert moment(now) == time.strftime("%H:%M", time.localtime(now))
    assert moment(0).startswith(time.strftime("%d %b", time.localtime(0)))
