"""Numbers typed in a row."""

from __future__ import annotations

import pytest

from app.tabs.numbers import MOST, numbers, whole_number, whole_numbers
from trainer.errors import ConfigError


@pytest.mark.parametrize(
    ("typed", "read"),
    [("0 1 2", (0, 1, 2)), ("0,1, 2", (0, 1, 2)), ("0-3", (0, 1, 2, 3)), ("7", (7,)), ("", ())],
)
def test_whole_numbers_are_read_as_people_write_them(typed: str, read: tuple[int, ...]) -> None:
    assert whole_numbers("Seeds", typed) == read


def test_numbers_may_have_a_point() -> None:
    assert numbers("Scales", "0.5 1") == (0.5, 1.0)


def test_nothing_typed_is_no_number() -> None:
    assert (whole_number("Width", " "), whole_number("Width", "64")) == (None, 64)
    with pytest.raises(ConfigError, match="Width"):
        whole_number("Width", "wide")


@pytest.mark.parametrize("typed", ["one", "1.5", "3-", "0x1", "1;2"])
def test_what_is_no_whole_number_is_refused_by_name(typed: str) -> None:
    with pytest.raises(ConfigError, match="Seeds"):
        whole_numbers("Seeds", typed)


def test_a_huge_span_is_refused_without_being_made() -> None:
    with pytest.raises(ConfigError, match=str(MOST)):
        whole_numbers("Seeds", "0-999999999999")


def test_a_box_that_nobody_touched_says_nothing() -> None:
    assert (whole_numbers("Seeds", None), numbers("Rates", None)) == ((), ())
    assert whole_number("Examples", None) is None
