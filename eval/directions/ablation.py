"""Figs. 6 and 7: how a method does by its directions, by t, and by s, all else being equal.

What is compared is how well the runs answer: the first measure of their task (`eval.score_glue`,
`eval.score_commonsense`), or the validation loss where one of them is not scored. No random change
of weights can stand in for that, so the yardsticks are others: the runs with random directions,
plain LoRA at the same settings, and the spread over seeds.

Runs that have no measure in common cannot be compared: `unscored` says which of them to score.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eval.directions.pooled import COUNT, DIRECTION, LAUNCH_STEP, Settings, plain_lora
from eval.directions.written import LOSS, spread

AXES = {"direction": DIRECTION, "t": LAUNCH_STEP, "s": COUNT}
ORDER = ("tsd", "bottom", "random", "top", "top+bottom", "all")
"""Of directions in a figure: the paper's."""
Scores = Mapping[int, Mapping[str, float]]
"""By seed, then by measure."""


@dataclass(frozen=True)
class Family:
    """Pools that are alike but for one setting."""

    member: Settings
    """Of one of them."""
    by_value: dict[Any, Scores]
    """By what they have of that setting."""


def ablations(pools: Sequence[tuple[Settings, Scores]]) -> dict[str, Any]:
    """By method, for those of which two or more runs differ in just one of the three settings."""
    found = {}
    for method in _launching(pools):
        own = [pool for pool in pools if pool[0]["method"] == method]
        if panels := _panels(own):
            found[method] = _ablation(panels, pools)
    return {method: ablation for method, ablation in found.items() if ablation}


def unscored(
    pools: Sequence[tuple[Settings, Scores]], folders: Sequence[Mapping[int, str]]
) -> dict[str, list[str]]:
    """By method with something varied: the folders, by seed, of its runs without a task's score."""
    found = {}
    for method in _launching(pools):
        panels = _panels([pool for pool in pools if pool[0]["method"] == method])
        varied = [scores for family in panels.values() for scores in family.by_value.values()]
        found[method] = [
            folder[seed]
            for (_, scores), folder in zip(pools, folders, strict=True)
            if any(scores is each for each in varied)
            for seed, row in scores.items()
            if not row.keys() - {LOSS}
        ]
    return {method: missing for method, missing in found.items() if missing}


def _launching(pools: Sequence[tuple[Settings, Scores]]) -> list[str]:
    """The methods that have directions to choose."""
    return list(dict.fromkeys(settings["method"] for settings, _ in pools if DIRECTION in settings))


def _panels(own: Sequence[tuple[Settings, Scores]]) -> dict[str, Family]:
    """By axis: what one method was tried with, where that is more than one value."""
    families = {axis: _family(own, key) for axis, key in AXES.items()}
    return {axis: family for axis, family in families.items() if len(family.by_value) > 1}


def _family(pools: Sequence[tuple[Settings, Scores]], key: str) -> Family:
    """The largest set of pools that are alike but for this setting."""
    families: dict[tuple[Any, ...], Family] = {}
    for settings, scores in pools:
        alike = tuple(item for item in settings.items() if item[0] != key)
        families.setdefault(alike, Family(settings, {})).by_value[settings[key]] = scores
    return max(families.values(), key=lambda family: len(family.by_value))


def _ablation(
    panels: Mapping[str, Family], pools: Sequence[tuple[Settings, Scores]]
) -> dict[str, Any]:
    """Empty where the runs have no measure in common."""
    runs = [
        row
        for family in panels.values()
        for scores in family.by_value.values()
        for row in scores.values()
    ]
    common = [name for name in runs[0] if all(name in row for row in runs)]
    if not common:
        return {}
    axes = {
        axis: _axis(family.by_value, common[0], _lora_beside(family, pools))
        for axis, family in panels.items()
    }
    return {"measure": common[0], "axes": axes}


def _lora_beside(family: Family, pools: Sequence[tuple[Settings, Scores]]) -> Scores | None:
    place = plain_lora(family.member, [settings for settings, _ in pools])
    return None if place is None else pools[place][1]


def _axis(family: Mapping[Any, Scores], measure: str, lora: Scores | None) -> dict[str, Any]:
    """One setting varied, over the seeds that all its values have: seeds differ as much as
    settings do. Without such, over what seeds there are."""
    shared = set.intersection(*(set(scores) for scores in family.values()))

    def scored(scores: Scores) -> list[float]:
        return [row[measure] for seed, row in scores.items() if not shared or seed in shared]

    beside = lora and all(measure in row for row in lora.values()) and scored(lora)
    return {
        "seeds": sorted(shared),
        "values": [
            {"value": value, **spread(scored(scores))}
            for value, scores in sorted(family.items(), key=lambda item: _place(item[0]))
        ],
        "lora": spread(beside) if beside else None,
    }


def _place(value: Any) -> int:
    return ORDER.index(value) if isinstance(value, str) else int(value)
