"""The studies of one layer: change rates, precision and recall, alignment, amplification.

Each has its null beside, since random changes of one W prefer the same small sigmas: changes with
the singular values of the one that is studied and random directions (`random_changes`). Chance is
that of a draw without preference. And precision and recall have those of a guess that needs no
training: the directions with the smallest sigmas.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from eval.directions.core import LTSDS, Core, ranked
from eval.directions.random_changes import RandomChanges, profile_of
from eval.directions.studied import Tensors, branch_of
from eval.tsd_overlap import overlap
from trainer.adapters.config import AdapterConfig

MOST_CRUCIAL, UPPER = 4, 16
"""TSDs that recall looks for, and TSDs that precision looks among."""

Numbers = dict[str, float]


@dataclass(frozen=True)
class ChangeRates:
    """Fig. 1: how W* - W changed the core directions of one weight."""

    rates: Tensor  # (k), by sigma descending
    null: Tensor  # (draws, k), of random changes

    @property
    def tsds(self) -> tuple[int, ...]:
        return ranked(self.rates, UPPER)


@dataclass(frozen=True)
class Expected:
    """What to hold a number against."""

    draws: tuple[Numbers, ...]
    """The same numbers for random changes, a row a draw."""
    chance: Numbers
    smallest: Numbers = field(default_factory=dict)
    """The same for the smallest sigmas, where that is a guess of the same kind."""


@dataclass(frozen=True)
class Capture:
    """Fig. 3: what the change at each kept checkpoint knows of the TSDs; NaN before any change."""

    steps: tuple[int, ...]
    precision: tuple[float, ...]
    """Share of its 8 directions that are in the top 16 TSDs."""
    recall: tuple[float, ...]
    """Share of the top 4 TSDs that are in its 8 directions."""
    expected: Expected


@dataclass(frozen=True)
class Launched:
    """Tables 5 and 6: the launched directions against the trained change and against the TSDs."""

    alignment: Numbers
    amplification: Numbers
    """With the whole change, with only AB (what was folded counts here), with only dash where
    delta_sigma is trained."""
    expected: Expected
    """For alignment, and the amplification of random changes."""


def study_change_rates(core: Core, change: Tensor, label: str, draws: int) -> ChangeRates:
    """Change rates of W* - W, and of as many random changes as asked for."""
    change = change.double()
    random = RandomChanges(core, profile_of(change), label, draws)
    return ChangeRates(core.rates_of(change), torch.stack(random.rates))


def study_capture(
    core: Core,
    tsds: Sequence[int],
    rates: Mapping[int, Tensor],
    at_random: Sequence[Sequence[int]],
) -> Capture:
    """Precision and recall of changes, given by their rates (k) at each step."""
    found = [_capture(row, tsds) for row in rates.values()]
    usable = len(core.sigma)
    chance = {"precision": min(1, UPPER / usable), "recall": min(1, LTSDS / usable)}
    smallest = captured(range(usable - 1, usable - 1 - min(LTSDS, usable), -1), tsds)
    return Capture(
        tuple(rates),
        tuple(row["precision"] for row in found),
        tuple(row["recall"] for row in found),
        Expected(tuple(captured(chosen, tsds) for chosen in at_random), chance, smallest),
    )


def rates_by_step(
    core: Core, by_step: Mapping[int, Tensors], config: AdapterConfig
) -> dict[int, Tensor]:
    """Change rates (k) of an adapter's layer at each of its checkpoints."""
    return {
        step: core.rates(*branch_of(tensors, config).stacked_factors())
        for step, tensors in by_step.items()
    }


def _capture(rates: Tensor, tsds: Sequence[int]) -> Numbers:
    if not rates.any():
        return {"precision": np.nan, "recall": np.nan}
    return captured(ranked(rates, LTSDS), tsds)


def captured(ltsds: Sequence[int], tsds: Sequence[int]) -> Numbers:
    """Precision and recall of Section 3.4, of 8 directions against 16 or more TSDs, best first."""
    return {
        "precision": overlap(ltsds, tsds[:UPPER]),
        "recall": overlap(tsds[:MOST_CRUCIAL], ltsds),
    }


def aligned(tsds: Sequence[int], ltsds: Sequence[int], dtsds: Sequence[int]) -> Numbers:
    """Table 5: how many of the top 4 of the first are among all of the second."""
    return {
        "DTSD in LTSD": overlap(dtsds[:MOST_CRUCIAL], ltsds),
        "TSD in LTSD": overlap(tsds[:MOST_CRUCIAL], ltsds),
        "TSD in DTSD": overlap(tsds[:MOST_CRUCIAL], dtsds),
    }


def study_launched(
    core: Core,
    tsds: Sequence[int],
    tensors: Tensors,
    config: AdapterConfig,
    random: RandomChanges,
) -> Launched | None:
    """Alignment and amplification of the finished adapter, beside random changes with its singular
    values; None where nothing was launched, or every direction was, so that none was chosen."""
    if not config.chosen or config.direction == "all":
        return None
    index = tuple(tensors["direction_index"].tolist())[:LTSDS]
    if min(index) < 0:
        return None
    dtsds = ranked(core.rates(*branch_of(tensors, config).stacked_factors()), LTSDS)
    rows = _random_rows(tsds, random, len(index))
    chance = aligned_by_chance(len(index), len(core.sigma))
    return Launched(
        aligned(tsds, index, dtsds),
        amplifications(core, index, tensors, config),
        Expected(rows, chance),
    )


def amplifications(
    core: Core, index: Sequence[int], tensors: Tensors, config: AdapterConfig
) -> Numbers:
    """Table 6. W_res = W - c B0 A0 stands under each; fold's c Bp Ap counts in all and in AB."""
    silent: dict[str, tuple[str, ...]] = {"AB": ("delta_sigma",)}
    if config.dash_rank:
        silent["dash"] = ("lora_B", "prelaunch_B")
    found = {"all": core.amplification(index, *branch_of(tensors, config).stacked_factors())}
    for name, off in silent.items():
        zeros = {key: torch.zeros_like(tensors[key]) for key in off if key in tensors}
        branch = branch_of({**tensors, **zeros}, config)
        found[name] = core.amplification(index, *branch.stacked_factors())
    return found


def aligned_by_chance(ltsds: int, usable: int) -> Numbers:
    """Of directions drawn without preference."""
    return {
        "DTSD in LTSD": min(1, ltsds / usable),
        "TSD in LTSD": min(1, ltsds / usable),
        "TSD in DTSD": min(1, LTSDS / usable),
    }


def _random_rows(tsds: Sequence[int], random: RandomChanges, ltsds: int) -> tuple[Numbers, ...]:
    """A draw plays the launch, the next one the end; independent, as learning is not."""
    rows = []
    for draw, (chosen, change) in enumerate(zip(random.chosen, random.changes, strict=True)):
        launched, ended = chosen[:ltsds], random.chosen[(draw + 1) % len(random.chosen)]
        amplified = change.amplification(launched)
        rows.append({**aligned(tsds, launched, ended), "amplification": amplified})
    return tuple(rows)
