"""Many scenes at once, on all cores: what the stages train on."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from trainer.embedded_base.atlas import load_atlas
from trainer.embedded_base.scenes import Composer, Picture, Plan

AT_ONCE = 500
"""Scenes a worker draws before it hands them over."""


@dataclass(frozen=True)
class Rendered:
    """Scenes 0 to n of a seed."""

    pictures: Picture
    """(n, 64, 64, 3)."""
    plans: list[Plan]
    sprites: list[tuple[int, ...]]
    """What was pasted into each, as numbers of the composer's atlas."""


@dataclass(frozen=True)
class SceneSet:
    """An endless set of scenes: sprites and a seed."""

    cache: Path
    """Where the rendered sprites are."""
    seed: int
    designs: tuple[str, ...] | None = None
    """Whose sprites are used; all, if unset."""

    def composer(self) -> Composer:
        """What draws single scenes of the set."""
        sprites = load_atlas(self.cache)
        return Composer([s for s in sprites if self.designs is None or s.design in self.designs])

    def render(self, n: int) -> Rendered:
        """The first n scenes, by all cores where there are many to draw."""
        starts = range(0, n, AT_ONCE)
        spans = [range(start, min(start + AT_ONCE, n)) for start in starts]
        if len(spans) == 1:
            return _joined([_draw(self.composer(), self.seed, spans[0])])
        # Spawned, because the parent holds threads of torch.
        with ProcessPoolExecutor(
            os.cpu_count(), get_context("spawn"), initializer=_open_atlas, initargs=(self,)
        ) as workers:
            return _joined(list(workers.map(partial(_draw_span, self.seed), spans)))


_composer: Composer | None = None
"""A worker's own."""


def _open_atlas(scenes: SceneSet) -> None:
    global _composer
    _composer = scenes.composer()


def _draw_span(seed: int, indices: range) -> Rendered:
    assert _composer is not None
    return _draw(_composer, seed, indices)


def _draw(composer: Composer, seed: int, indices: range) -> Rendered:
    scenes = [composer.scene(seed, index) for index in indices]
    return Rendered(
        np.stack([s.picture for s in scenes]), [s.plan for s in scenes], [s.sprites for s in scenes]
    )


def _joined(parts: Sequence[Rendered]) -> Rendered:
    pictures = np.concatenate([part.pictures for part in parts])
    return Rendered(
        pictures,
        [plan for part in parts for plan in part.plans],
        [sprites for part in parts for sprites in part.sprites],
    )
