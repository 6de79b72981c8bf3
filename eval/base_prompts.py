"""The 300 prompts that the embedded base is checked on, and what each asks for.

All show combinations that no training scene does (`trainer.embedded_base.unseen`). They are fixed
in `assets/prompts/check_base.json`; `choose_asks` is how they were chosen. No torch.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path

from trainer.config import ASSETS
from trainer.embedded_base.captions import caption
from trainer.embedded_base.concepts import PATTERNS
from trainer.embedded_base.scenes import Composer, Plan

ASKS = ASSETS / "prompts" / "check_base.json"
SEED = 300
KINDS = {"plain": 140, "pattern": 40, "side": 50, "count": 50, "pair": 20}
"""How many prompts of each kind: one object on a colour, on a pattern, at a side, two or three of
it, two different ones."""


@dataclass(frozen=True)
class Ask:
    """One prompt and what a picture must show to follow it."""

    prompt: str
    kind: str
    concepts: tuple[str, ...]
    background: str
    count: int
    """How many objects."""
    side: str | None
    scene: int
    """Index of the rendered scene that shows the same: the yardstick."""


def kind_of(plan: Plan) -> str | None:
    """Which of KINDS a plan is; None for tints, hats and small objects, which are not asked for."""
    first, *others = plan.things
    if first.tint or first.hat or first.size == "small":
        return None
    on_pattern = plan.background in PATTERNS
    if len(plan.things) == 1 and first.count == 1 and not plan.side:
        return "pattern" if on_pattern else "plain"
    if on_pattern:  # parts are told from a plain background only
        return None
    if others:
        return "pair"
    return "count" if first.count > 1 else "side"


def choose_asks(plan_at: Callable[[int], Plan]) -> list[Ask]:
    """The first scenes that fill every kind, each prompt once."""
    chosen: list[Ask] = []
    taken: set[str] = set()
    missing = Counter(KINDS)
    for index in count():
        plan = plan_at(index)
        kind = kind_of(plan)
        prompt = caption(plan.things, plan.background, plan.side)
        if kind is None or not missing[kind] or prompt in taken:
            continue
        missing[kind] -= 1
        taken.add(prompt)
        chosen.append(
            Ask(
                prompt,
                kind,
                tuple(thing.concept for thing in plan.things),
                plan.background,
                sum(thing.count for thing in plan.things),
                plan.side,
                index,
            )
        )
        if not missing.total():
            break
    return chosen


def unseen_plans(composer: Composer) -> Callable[[int], Plan]:
    """Scenes of combinations kept out of training, by index."""
    return lambda index: composer.plan(SEED, index, unseen=True)


def read_asks(path: Path = ASKS) -> list[Ask]:
    """The committed prompts."""
    rows = json.loads(path.read_text(encoding="utf-8"))
    return [Ask(**{**row, "concepts": tuple(row["concepts"])}) for row in rows]


def write_asks(asks: list[Ask], path: Path = ASKS) -> None:
    """One prompt a line, for a reader and for a diff."""
    lines = ",\n".join(json.dumps(asdict(ask)) for ask in asks)
    path.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
