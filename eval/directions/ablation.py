"""Figs. 6 and 7: how a method does by its directions, by t, and by s, all else being equal.

What is compared is how well the runs answer: the first measure of their task (`eval.score_glue`,
`eval.score_commonsense`), or the validation loss where one of them is not scored. No random change
of weights can stand in for that, so the yardsticks are others: the runs with random directions,
plain LoRA at the same settings, and the spread over seeds.

Runs that have no measure in common cannot be compared: `unscored` says which of them to score.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from eval.directions.pooled import COUNT, DIRECTION, LAUNCH_STEP, OF_THE_LAUNCH, Settings
from eval.directions.written import LOSS, spread

AXES = {"direction": DIRECTION, "t": LAUNCH_STEP, "s": COUNT}
ORDER = ("tsd", "bottom", "random", "top", "top+bottom", "all")
"""Of directions in a figure: the paper's."""
Scores = Mapping[int, Mapping[str, float]]
"""By seed, then by measure."""


def ablations(pools: Sequence[tuple[Settings, Scores]]) -> dict[str, Any]:
    """By method, for those of which two or more runs differ in just one of the three settings."""
    found = {}
    for method in _launching(pools):
        own = [pool for pool in pools if pool[0]["method"] == method]
        if panels := _panels(own):
            found[method] = _ablation(panels, _plain_lora(own[0][0], pools))
    return {method: ablation for method, ablation in found.items() if ablation}


def unscored(
    pools: Sequence[tuple[Settings, Scores]], folders: Sequence[Mapping[int, str]]
) -> dict[str, list[str]]:
    """By method with something varied: the folders, by seed, of its runs without a task's score."""
    found = {}
    for method in _launching(pools):
        panels = _panels([pool for pool in pools if pool[0]["method"] == method])
        varied = [scores for family in panels.values() for scores in family.values()]
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


def _panels(own: Sequence[tuple[Settings, Scores]]) -> dict[str, dict[Any, Scores]]:
    """By axis: what one method was tried with, where that is more than one value."""
    families = {axis: _family(own, key) for axis, key in AXES.items()}
    return {axis: family for axis, family in families.items() if len(family) > 1}


def _family(pools: Sequence[tuple[Settings, Scores]], key: str) -> dict[Any, Scores]:
    """The largest set of pools that are alike but for this setting: its value → scores."""
    families: dict[tuple[Any, ...], dict[Any, Scores]] = {}
    for settings, scores in pools:
        alike = tuple(item for item in settings.items() if item[0] != key)
        families.setdefault(alike, {})[settings[key]] = scores
    return max(families.values(), key=len)


def _plain_lora(own: Settings, pools: Sequence[tuple[Settings, Scores]]) -> Scores | None:
    """LoRA with the same settings, as far as it has them."""
    own_names = ("method", "adapter.method", *OF_THE_LAUNCH)
    for settings, scores in pools:
        alike = all(own[key] == value for key, value in settings.items() if key not in own_names)
        if settings["method"] == "lora" and alike:
            return scores
    return None


def _ablation(panels: Mapping[str, Mapping[Any, Scores]], lora: Scores | None) -> dict[str, Any]:
    """Empty where the runs have no measure in common."""
    runs = [row for family in panels.values() for pool in family.values() for row in pool.values()]
    common = [name for name in runs[0] if all(name in row for row in runs)]
    if not common:
        return {}
    axes = {axis: _axis(family, common[0], lora) for axis, family in panels.items()}
    return {"measure": common[0], "axes": axes}


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
