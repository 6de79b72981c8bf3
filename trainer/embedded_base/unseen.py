"""Combinations that no training scene shows, so that prompts for them test composing, not memory.

One in twelve of all (concept, background), (concept, count), (concept, side) and (concept, concept)
pairs, decided by a checksum of their names: every stage and every later run agrees on them.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from itertools import combinations

from trainer.embedded_base.captions import Thing

ONE_IN = 12


def never_trained(first: str, second: str) -> bool:
    """Whether the pair stays out of training, in whatever order it is given."""
    return zlib.crc32("|".join(sorted((first, second))).encode()) % ONE_IN == 0


def shows_unseen(things: Iterable[Thing], background: str, side: str | None) -> bool:
    """Whether a scene would show a combination that stays out of training."""
    things = list(things)
    details = [background, *([side] if side else [])]
    pairs = [(thing.concept, detail) for thing in things for detail in details]
    pairs += [(thing.concept, str(thing.count)) for thing in things if thing.count > 1]
    pairs += [(a.concept, b.concept) for a, b in combinations(things, 2)]
    return any(never_trained(*pair) for pair in pairs)
