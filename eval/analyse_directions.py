"""Where do task-specific directions lie, and does LoRA find them?

    python -m eval.analyse_directions FULL [RUN ...]

FULL is a run of `--instead full`, whose weights stand for the task's W*; each RUN is one of the
adapter core on the same base. Writes directions.json and the paper's figures: change rates (Figs. 1
and 2), and for each RUN precision and recall of LTSDs over its kept checkpoints (Fig. 3), losses
with the launch (Fig. 8), alignment (Table 5), amplification (Table 6). The null of random changes
stands beside each but the losses.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import tyro
from torch import Tensor
from tqdm import tqdm

from eval.directions.core import Core, core_of
from eval.directions.figures import (
    draw_alignment,
    draw_amplification,
    draw_capture,
    draw_change_rates,
    draw_losses,
)
from eval.directions.studied import AdapterRun, FineTuned, open_studied
from eval.directions.studies import (
    Capture,
    ChangeRates,
    Launched,
    RandomChanges,
    study_capture,
    study_change_rates,
    study_launched,
)
from eval.directions.summary import capture_json, launched_json, spectrum_json
from trainer.adapters.decomposition import DecompositionService
from trainer.command_line import run_command
from trainer.errors import ConfigError
from trainer.files import write_json
from trainer.run import WORKSPACE

FORMAT = 1


@dataclass(frozen=True)
class AnalyseConfig:
    """Study the directions of a full fine-tuning, and of adapters for the same task and base."""

    full: tyro.conf.Positional[Path]
    """Run folder of a full fine-tuning (--instead full) of train_glue.py or train_llm.py."""
    runs: tyro.conf.Positional[tuple[Path, ...]] = ()
    """Run folders of adapters. The more checkpoints they kept, the finer Fig. 3:
    --checkpoint.every 100 --checkpoint.keep 100."""
    out: Path | None = None
    """Folder to write to. Unset: <workspace>/directions/<name of FULL>."""
    layer: str | None = None
    """The layer whose change rates are drawn, by name or the end of it. Unset: the middle one."""
    null_draws: int = 20
    """Random changes a layer, for the null; at least 2."""
    workspace: Path = WORKSPACE
    """Where decompositions of the base's weights are kept."""


@dataclass(frozen=True)
class Studied:
    """A run's studies by module path."""

    run: AdapterRun
    captures: dict[str, Capture]
    launched: dict[str, Launched]
    """Without the layers, or for plain LoRA all, in which nothing was launched."""


def analyse_directions(config: AnalyseConfig) -> Path:
    """Write directions.json and the figures; returns their folder."""
    if config.null_draws < 2:
        raise ConfigError(f"--null-draws is {config.null_draws}; possible: 2 and more.")
    names = [path.resolve().name for path in config.runs]
    if len(set(names)) < len(names):
        raise ConfigError(f"two runs have one name ({', '.join(names)}); give each run once.")
    full, runs = open_studied(config.full, config.runs)
    drawn = _layer_to_draw(config.layer, list(full.weights))
    spectrum: dict[str, ChangeRates] = {}
    studied = [Studied(run, {}, {}) for run in runs]
    for path, core in _cores(full, config.workspace):
        change = full.tuned[path].double() - core.weight
        spectrum[path] = study_change_rates(core, change, path, config.null_draws)
        for each in studied:
            _study_layer(each, path, core, spectrum[path].tsds, config.null_draws)
    out = config.out or config.workspace / "directions" / config.full.resolve().name
    draw_change_rates(out / "change_rates.png", drawn, spectrum[drawn])
    for each in studied:
        _draw_run(out / each.run.name, each)
    write_json(out / "directions.json", _json(full, spectrum, drawn, studied, config))
    return out


def _layer_to_draw(wanted: str | None, layers: list[str]) -> str:
    if wanted is None:
        return layers[len(layers) // 2]
    for path in layers:
        if f".{path}".endswith(f".{wanted}"):
            return path
    raise ConfigError(
        f"--layer {wanted}: no layer that was studied is called so; for example "
        f"{', '.join(layers[:3])}."
    )


def _cores(full: FineTuned, workspace: Path) -> Iterator[tuple[str, Core]]:
    """Layer by layer, so that the directions of one weight at a time are held."""
    cache = workspace / "cache" / "decompositions"
    with DecompositionService(cache, workers=0) as decompositions:
        decompositions.submit(full.weights)
        for path, weight in tqdm(full.weights.items(), unit="layer", leave=False, disable=None):
            yield path, core_of(weight, decompositions.result(path))


def _study_layer(each: Studied, path: str, core: Core, tsds: Sequence[int], draws: int) -> None:
    """Study one layer of one run, if it adapts it."""
    changes: dict[int, dict[str, Tensor]] = {}
    for checkpoint in each.run.checkpoints:
        tensors = checkpoint.layers().get(path)
        if tensors is None:
            return
        changes[checkpoint.step] = tensors
    adapter = each.run.native.config
    random = RandomChanges(core, adapter, path, draws)
    each.captures[path] = study_capture(core, tsds, changes, adapter, random)
    launched = study_launched(core, tsds, changes[each.run.native.step], adapter, random)
    if launched is not None:
        each.launched[path] = launched


def _draw_run(folder: Path, each: Studied) -> None:
    name, native = each.run.name, each.run.native
    draw_capture(folder / "capture.png", name, each.captures, native.launch_step)
    draw_losses(folder / "losses.png", name, each.run.run.metric_rows())
    if each.launched:
        draw_alignment(folder / "alignment.png", name, each.launched)
        draw_amplification(folder / "amplification.png", name, each.launched)


def _json(
    full: FineTuned,
    spectrum: dict[str, ChangeRates],
    drawn: str,
    studied: Sequence[Studied],
    config: AnalyseConfig,
) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        "base": full.run.read_config().base,
        "full": full.run.path.resolve().name,
        "null_draws": config.null_draws,
        "change_rates": {
            **spectrum_json(spectrum),
            "drawn": {"layer": drawn, "rates": spectrum[drawn].rates.tolist()},
        },
        "runs": {each.run.name: _run_json(each) for each in studied},
    }


def _run_json(each: Studied) -> dict[str, Any]:
    native = each.run.native
    return {
        "method": native.config.method,
        "direction": native.config.direction,
        "rank": native.config.rank,
        "base_fingerprint": native.base_fingerprint,
        "launch_step": native.launch_step,
        "capture": capture_json(each.captures),
        **(launched_json(each.launched) if each.launched else {}),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    return run_command(lambda: _report(tyro.cli(AnalyseConfig, args=arguments)))


def _report(config: AnalyseConfig) -> None:
    out = analyse_directions(config)
    for path in (out / "directions.json", *sorted(out.glob("**/*.png"))):
        print(path)


if __name__ == "__main__":
    sys.exit(main())
