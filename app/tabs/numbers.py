"""Numbers that a person types in a row; a box that nobody has touched says None."""

from __future__ import annotations

from typing import TypeVar

from app.tabs.words import say
from trainer.errors import ConfigError

MOST = 64

Number = TypeVar("Number", int, float)


def whole_numbers(label: str, text: str | None) -> tuple[int, ...]:
    """`0 1 2`, `0, 1, 2` or `0-3`."""
    text = text or ""
    try:
        found = [number for part in text.replace(",", " ").split() for number in _span(part)]
    except ValueError:
        raise ConfigError(say("numbers.whole", label=label, text=text[:80])) from None
    return tuple(_not_too_many(label, found))


def whole_number(label: str, text: str | None) -> int | None:
    """One whole number; None where nothing was typed."""
    text = text or ""
    try:
        return int(text) if text.strip() else None
    except ValueError:
        raise ConfigError(say("numbers.one", label=label, text=text[:80])) from None


def numbers(label: str, text: str | None) -> tuple[float, ...]:
    """`0.5 1 1.5`."""
    text = text or ""
    try:
        found = [float(part) for part in text.replace(",", " ").split()]
    except ValueError:
        raise ConfigError(say("numbers.any", label=label, text=text[:80])) from None
    return tuple(_not_too_many(label, found))


def _span(part: str) -> list[int]:
    first, dash, last = part.partition("-")
    if not dash or not first:
        return [int(part)]
    low, high = int(first), int(last)
    return list(range(low, min(high, low + MOST) + 1))


def _not_too_many(label: str, found: list[Number]) -> list[Number]:
    if len(found) > MOST:
        raise ConfigError(say("numbers.many", label=label, n=len(found), most=MOST))
    return found
