"""Do subjects use directions of their own? `python -m eval.compare_subjects RUN RUN [RUN ...]`.

Runs on photos have their subject, runs on text their task: a base's subjects or its tasks compare.
Writes overlap.json, heatmap.png and a page of Fig. 9 for some layers, with the null beside: the
same overlap for random changes of the same weights ("Task-Specific Directions", Section 6.3).
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path
from typing import Any

import tyro
from torch import Tensor

from eval.compared_runs import ComparedRun, names_of, open_compared
from eval.heatmap import Beside, Panel, draw_grids, draw_heatmap
from eval.kept import KeptRows
from eval.null_overlap import Yardsticks, measure_null
from eval.tsd_overlap import (
    LaunchedDirections,
    common_count,
    common_layers,
    grid,
    layer_matrix,
    overlap_matrix,
    pair_values,
    read_directions,
    require_comparable,
)
from trainer.adapters.config import AdapterConfig, is_called
from trainer.adapters.decomposition import DecompositionService
from trainer.adapters.weights import base_fingerprint
from trainer.command_line import run_command
from trainer.errors import ArtifactError, ConfigError
from trainer.files import write_json
from trainer.run import WORKSPACE

FORMAT = 1
PAGES = 4  # layers drawn unless told otherwise: the paper shows two


@dataclass(frozen=True)
class CompareConfig:
    """Compare the launched directions of two or more runs on the same base."""

    runs: tyro.conf.Positional[tuple[Path, ...]]
    """Run folders, two or more, trained on the same base in the same precision."""
    out: Path | None = None
    """Folder to write to. Unset: workspace/comparisons/<the runs' names>."""
    layers: tuple[str, ...] = ()
    """Layers to draw a page of Fig. 9 for, by name or the end of it, such as attn2.to_k; `all` for
    every one. Unset: four, evenly spaced."""
    null_draws: int = 6
    """Random changes for the null; 0 leaves it out, and says so."""
    workspace: Path = WORKSPACE
    """Where decompositions of the base's weights are kept."""


@dataclass(frozen=True)
class CompareWatch:
    """How a caller looks at a comparison, and goes on with one that was killed."""

    on_part: Callable[[int, int], object] = lambda done, total: None
    """Called for each layer of the null and each page: how many are done, and how many there are.
    What it raises ends the comparison."""
    null: Path | None = None
    """File for the null's layers. With it, layers and pages that are there are not made again: it
    and the folder must be of the same comparison of the same runs."""


def compare_subjects(config: CompareConfig, watch: CompareWatch | None = None) -> Path:
    """Write overlap.json, heatmap.png and grids/*.png; returns their folder."""
    watch = watch or CompareWatch()
    if config.null_draws == 1 or config.null_draws < 0:
        raise ConfigError(f"--null-draws is {config.null_draws}; possible: 0, or 2 and more.")
    runs = [open_compared(path) for path in config.runs]
    read = [
        read_directions(run.folder, name) for run, name in zip(runs, names_of(runs), strict=True)
    ]
    subjects = [directions for directions, _ in read]
    require_comparable(subjects)
    layers, count = common_layers(subjects), common_count(subjects)
    drawn = _layers_to_draw(config.layers, layers)

    parts, total = itertools.count(1), len(drawn) + (len(layers) if config.null_draws else 0)

    def on_part() -> None:
        watch.on_part(next(parts), total)

    kept = KeptRows(watch.null)
    null = _null(
        config, runs, [c for _, c in read], subjects[0].base_fingerprint, layers, count,
        kept, on_part,
    )  # fmt: skip
    out = config.out or _default_folder(config, runs)
    write_json(out / "overlap.json", _json(runs, subjects, layers, count, null))
    _draw_matrix(out, subjects, layers, count, null)
    for path in drawn:
        page = out / "grids" / f"{path}.png"
        if watch.null is None or not page.exists():
            _draw_page(page, subjects, path, count, null)
        on_part()
    return out


def _default_folder(config: CompareConfig, runs: Sequence[ComparedRun]) -> Path:
    joined = "--".join(run.name for run in runs)
    return config.workspace / "comparisons" / joined[:120]


def _layers_to_draw(wanted: tuple[str, ...], layers: list[str]) -> list[str]:
    if wanted == ("all",):
        return layers
    if not wanted:
        step = max(1, len(layers) // PAGES)
        return layers[step // 2 :: step][:PAGES]
    unknown = [name for name in wanted if not any(is_called(path, name) for path in layers)]
    if unknown:
        raise ConfigError(
            f"--layers {' '.join(unknown)}: no layer that the runs have in common is called so; "
            f"for example {', '.join(layers[:3])}."
        )
    return [path for path in layers if any(is_called(path, name) for name in wanted)]


def _null(
    config: CompareConfig,
    runs: Sequence[ComparedRun],
    configs: Sequence[AdapterConfig],
    fingerprint: str,
    layers: list[str],
    count: int,
    kept: KeptRows,
    on_layer: Callable[[], object],
) -> Yardsticks | None:
    if not config.null_draws:
        return None
    weights = _base_weights(runs[0], configs[0], fingerprint)
    cache = config.workspace / "cache" / "decompositions"
    with DecompositionService(cache, workers=0) as decompositions:
        chosen = {path: weights[path] for path in layers}
        return measure_null(
            chosen, decompositions, configs, count, config.null_draws, kept, on_layer
        )


def _base_weights(run: ComparedRun, adapter: AdapterConfig, fingerprint: str) -> dict[str, Tensor]:
    """The frozen weights the runs stand on, checked by their fingerprint."""
    linears = run.linears(adapter)
    if base_fingerprint(linears) != fingerprint:
        raise ArtifactError(
            f"base {run.base} is not here as the runs had it (other weights, or another "
            "precision: `--model.precision auto` means bf16 on a GPU and fp32 without), so there "
            "is no null to compare with. `--null-draws 0` compares without one."
        )
    return {path: linear.weight.detach().cpu() for path, linear in linears.items()}


def _json(
    runs: Sequence[ComparedRun],
    subjects: Sequence[LaunchedDirections],
    layers: list[str],
    count: int,
    null: Yardsticks | None,
) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        "subjects": [
            {"name": subject.name, "run": run.name}
            for run, subject in zip(runs, subjects, strict=True)
        ],
        "base": runs[0].base,
        "base_fingerprint": subjects[0].base_fingerprint,
        "num_directions": count,
        "matrix": overlap_matrix(subjects, layers, count).tolist(),
        "null": asdict(null) if null else None,
        "layers": {
            path: {
                "matrix": layer_matrix(subjects, path, count).tolist(),
                "indices": {subject.name: subject.layers[path][:count] for subject in subjects},
            }
            for path in layers
        },
    }


def _draw_matrix(
    out: Path,
    subjects: Sequence[LaunchedDirections],
    layers: list[str],
    count: int,
    null: Yardsticks | None,
) -> None:
    matrix = overlap_matrix(subjects, layers, count)
    draw_heatmap(
        out / "heatmap.png",
        matrix,
        [subject.name for subject in subjects],
        "Shared task-specific directions",
        f"share of the first {count} launched directions, mean over {len(layers)} layers",
        [Beside("these runs", float(pair_values(matrix).mean()), "mean over pairs"),
         *_yardsticks(null)],
    )  # fmt: skip


def _yardsticks(null: Yardsticks | None) -> list[Beside]:
    if null is None:
        return []
    found = [Beside("random ΔW", null.random.mean, _span(null.random.low, null.random.high))]
    if null.same_start is not None:
        span = _span(null.same_start.low, null.same_start.high)
        found.append(Beside("random ΔW, same start of A", null.same_start.mean, span))
    return [*found, Beside("chance", null.mean_chance, "s / k")]


def _span(low: float, high: float) -> str:
    return f"{low:.2f} to {high:.2f}"


def _draw_page(
    page: Path,
    subjects: Sequence[LaunchedDirections],
    path: str,
    count: int,
    null: Yardsticks | None,
) -> None:
    panels = [
        Panel(
            first.name,
            second.name,
            grid(first.layers[path][:count], second.layers[path][:count]),
        )
        for first, second in combinations(subjects, 2)
    ]
    beside = "no null drawn"
    if null is not None:
        random, chance = count * null.random.layers[path], count * null.chance[path]
        beside = f"random ΔW share {random:.1f} of {count} here, chance {chance:.2f}"
    draw_grids(page, panels, path, beside)


def main(arguments: Sequence[str] | None = None) -> int:
    return run_command(lambda: _report(tyro.cli(CompareConfig, args=arguments)))


def _report(config: CompareConfig) -> None:
    out = compare_subjects(config)
    for path in (out / "heatmap.png", out / "overlap.json", *sorted((out / "grids").glob("*.png"))):
        print(path)


if __name__ == "__main__":
    sys.exit(main())
