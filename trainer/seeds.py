"""Seeds from seeds: one number from two, far apart for neighbours. No torch."""

from __future__ import annotations

_MASK = (1 << 64) - 1


def mix(seed: int, number: int) -> int:
    """A seed for the `number`-th of something (splitmix64, Steele et al. 2014); below 2⁶³."""
    value = (seed * 0x9E3779B97F4A7C15 + number + 0x9E3779B97F4A7C15) & _MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK
    return (value ^ (value >> 31)) >> 1
