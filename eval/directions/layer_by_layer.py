"""All studies over all layers, one layer at a time: the directions of one weight are held at once.

With a place for them, finished layers are kept, so whoever was stopped goes on with the next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor
from tqdm import tqdm

from eval.directions.core import Core, core_of
from eval.directions.random_changes import RandomChanges, profile_of, profile_of_factors
from eval.directions.studied import (
    AdapterRun,
    FullRun,
    Opened,
    StudiedRun,
    Tensors,
    branch_of,
    read_tuned,
)
from eval.directions.studies import (
    Capture,
    Expected,
    Launched,
    rates_by_step,
    study_capture,
    study_change_rates,
    study_launched,
)
from eval.directions.summary import drawn_json, layer_json
from eval.kept import KeptRows
from trainer.adapters.decomposition import DecompositionService

Row = dict[str, Any]


@dataclass(frozen=True)
class StudyWatch:
    """How a caller looks at the studies, and goes on with those that were stopped."""

    on_layer: Callable[[int, int], object] = lambda done, total: None
    """Layers done, found to be done included, and layers in all. What it raises ends the work."""
    kept: Path | None = None
    """File for finished layers. It must be of the same runs, as they are now."""


@dataclass(frozen=True)
class Studied:
    """What was found of a run, by module path."""

    run: StudiedRun
    captures: dict[str, Capture] = field(default_factory=dict)
    launched: dict[str, Launched] = field(default_factory=dict)
    """Without the layers, or for plain LoRA all, in which nothing was launched."""

    @property
    def seed(self) -> int:
        return self.run.config.optim.seed


@dataclass(frozen=True)
class Spectrum:
    """Where the TSDs of the full fine-tuning lie, as numbers."""

    layers: dict[str, Row]
    """By module path."""
    drawn: Row
    """Every rate of the layer that is drawn."""


def study_layers(
    opened: Opened, workspace: Path, drawn: str, draws: int, watch: StudyWatch
) -> tuple[Spectrum, list[Studied]]:
    """The TSDs of W* - W, and what was found of each run."""
    kept = KeptRows(watch.kept)
    missing = {p: weight for p, weight in opened.weights.items() if kept.get(p) is None}
    done, total = len(opened.weights) - len(missing), len(opened.weights)
    for found in range(done):
        watch.on_layer(found + 1, total)
    tuned = {
        place: read_tuned(run, list(missing))
        for place, run in enumerate(opened.runs)
        if isinstance(run, FullRun)
    }
    for path, core in _cores(missing, workspace):
        others = {place: weights[path] for place, weights in tuned.items()}
        kept.add(path, _study_layer(opened, others, path, core, draws, path == drawn))
        done += 1
        watch.on_layer(done, total)
    rows: dict[str, Row] = {path: kept.get(path) for path in opened.weights}
    spectrum = Spectrum({p: row["spectrum"] for p, row in rows.items()}, rows[drawn]["drawn"])
    return spectrum, [_studied(run, place, rows) for place, run in enumerate(opened.runs)]


def _cores(weights: Tensors, workspace: Path) -> Iterator[tuple[str, Core]]:
    with DecompositionService(workspace / "cache" / "decompositions", workers=0) as service:
        service.submit(weights)
        for path, weight in tqdm(weights.items(), unit="layer", leave=False, disable=None):
            yield path, core_of(weight, service.result(path))


def _study_layer(
    opened: Opened,
    others: Mapping[int, Tensor],
    path: str,
    core: Core,
    draws: int,
    drawn: bool,
) -> Row:
    """One layer of all runs, as JSON has it."""
    change = opened.tuned[path].double() - core.weight
    asked = study_change_rates(core, change, _label(opened.full, path), draws)
    runs = [
        _study_adapter(run, path, core, asked.tsds, draws)
        if isinstance(run, AdapterRun)
        else _study_full(run, path, core, others[place], asked.tsds, draws)
        for place, run in enumerate(opened.runs)
    ]
    return {
        "spectrum": layer_json(asked),
        "drawn": drawn_json(path, asked) if drawn else None,
        "runs": runs,
    }


def _study_full(
    run: FullRun, path: str, core: Core, tuned: Tensor, tsds: tuple[int, ...], draws: int
) -> Row:
    """One layer of another full fine-tuning."""
    change = tuned.double() - core.weight
    random = RandomChanges(core, profile_of(change), _label(run, path), draws)
    capture = study_capture(core, tsds, {run.step: core.rates_of(change)}, random.chosen)
    return {"capture": asdict(capture), "launched": None}


def _study_adapter(
    run: AdapterRun, path: str, core: Core, tsds: tuple[int, ...], draws: int
) -> Row | None:
    """One layer of one adapter; None where it does not adapt it."""
    adapter, by_step = run.native.config, run.layer_by_step(path)
    if not by_step:
        return None
    ended = branch_of(by_step[run.native.step], adapter).stacked_factors()
    random = RandomChanges(core, profile_of_factors(*ended), _label(run, path), draws)
    rates = rates_by_step(core, by_step, adapter)
    capture = study_capture(core, tsds, rates, random.chosen)
    launched = study_launched(core, tsds, by_step[run.native.step], adapter, random)
    return {"capture": asdict(capture), "launched": launched and asdict(launched)}


def _label(run: StudiedRun, path: str) -> str:
    """Seeds draw on their own, so that the mean over them can be held against that of the draws."""
    return f"{run.config.optim.seed}:{path}"


def _studied(run: StudiedRun, place: int, rows: Mapping[str, Row]) -> Studied:
    """The studies of one run, from rows that may have been on disk."""
    found = {path: row["runs"][place] for path, row in rows.items() if row["runs"][place]}
    return Studied(
        run,
        {path: _capture(row["capture"]) for path, row in found.items()},
        {path: _launched(row["launched"]) for path, row in found.items() if row["launched"]},
    )


def _capture(row: Row) -> Capture:
    steps, precision, recall = (tuple(row[name]) for name in ("steps", "precision", "recall"))
    return Capture(steps, precision, recall, _expected(row["expected"]))


def _launched(row: Row) -> Launched:
    return Launched(row["alignment"], row["amplification"], _expected(row["expected"]))


def _expected(row: Row) -> Expected:
    return Expected(tuple(row["draws"]), row["chance"], row["smallest"])
