"""All studies over all layers, one layer at a time: the directions of one weight are held at once.

Decompositions are kept in the workspace, so whoever is stopped goes on where the time went.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path

from tqdm import tqdm

from eval.directions.core import Core, core_of
from eval.directions.pooled import Settings, settings_of
from eval.directions.studied import (
    AdapterRun,
    FullRun,
    Opened,
    StudiedRun,
    Tensors,
    read_tuned,
)
from eval.directions.studies import (
    Capture,
    ChangeRates,
    Launched,
    RandomChanges,
    rates_by_step,
    study_capture,
    study_change_rates,
    study_launched,
)
from trainer.adapters.decomposition import DecompositionService

OnLayer = Callable[[int, int], object]
"""Layers done, layers in all."""


@dataclass(frozen=True)
class Studied:
    """What was found of a run, by module path."""

    run: StudiedRun
    captures: dict[str, Capture] = field(default_factory=dict)
    launched: dict[str, Launched] = field(default_factory=dict)
    """Without the layers, or for plain LoRA all, in which nothing was launched."""

    @property
    def launch_step(self) -> int | None:
        return self.run.native.launch_step if isinstance(self.run, AdapterRun) else None

    @property
    def seed(self) -> int:
        return self.run.config.optim.seed

    @property
    def settings(self) -> Settings:
        return settings_of(self.run.config, self.launch_step)


def study_layers(
    opened: Opened, workspace: Path, draws: int, on_layer: OnLayer
) -> tuple[dict[str, ChangeRates], list[Studied]]:
    """The change rates of W* - W by module path, and what was found of each run."""
    spectrum: dict[str, ChangeRates] = {}
    studied = [Studied(run) for run in opened.runs]
    tuned = {
        id(run): read_tuned(run, list(opened.weights))
        for run in opened.runs
        if isinstance(run, FullRun)
    }
    for path, core in _cores(opened.weights, workspace):
        change = opened.tuned[path].double() - core.weight
        spectrum[path] = study_change_rates(core, change, path, draws)
        randomly = cache(partial(RandomChanges, core, path=path, draws=draws))
        for each in studied:
            if isinstance(each.run, AdapterRun):
                _study_adapter(each, each.run, path, core, spectrum[path].tsds, randomly)
            else:
                change = tuned[id(each.run)][path].double() - core.weight
                rates = {each.run.step: core.rates_of(change)}
                each.captures[path] = study_capture(
                    core, spectrum[path].tsds, rates, spectrum[path].null_ltsds
                )
        on_layer(len(spectrum), len(opened.weights))
    return spectrum, studied


def _cores(weights: Tensors, workspace: Path) -> Iterator[tuple[str, Core]]:
    with DecompositionService(workspace / "cache" / "decompositions", workers=0) as service:
        service.submit(weights)
        for path, weight in tqdm(weights.items(), unit="layer", leave=False, disable=None):
            yield path, core_of(weight, service.result(path))


def _study_adapter(
    each: Studied,
    run: AdapterRun,
    path: str,
    core: Core,
    tsds: tuple[int, ...],
    randomly: Callable[[int], RandomChanges],
) -> None:
    """Study one layer of one run, if it adapts it."""
    if path not in run.checkpoints[run.native.step]:
        return
    adapter = run.native.config
    by_step = {step: layers[path] for step, layers in run.checkpoints.items()}
    random = randomly(adapter.initial_rank)
    rates = rates_by_step(core, by_step, adapter)
    each.captures[path] = study_capture(core, tsds, rates, random.chosen)
    launched = study_launched(core, tsds, by_step[run.native.step], adapter, random)
    if launched is not None:
        each.launched[path] = launched
