"""Where do task-specific directions lie, and does LoRA find them?

    python -m eval.analyse_directions FULL [RUN ...]

FULL is a run of `--instead full`, whose weights stand for the task's W*; each RUN is one of the
adapter core on the same base, or another full fine-tuning (of another seed, to see how far the TSDs
themselves repeat; of another task, to see how far they are the task's). Runs that differ in nothing
but their seed are taken together.

Writes directions.json and the paper's figures: change rates (Figs. 1 and 2), who finds the TSDs,
ablations where runs differ in directions, t or s (Figs. 6 and 7), and for each method precision and
recall of LTSDs over the kept checkpoints (Fig. 3), losses with the launch (Fig. 8), alignment
(Table 5), amplification (Table 6). The null of random changes stands beside each but losses and
ablations. What it all comes to is printed.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

from eval.directions.gallery import draw_all
from eval.directions.layer_by_layer import StudyWatch, study_layers
from eval.directions.record import record_of
from eval.directions.studied import open_studied
from eval.directions.words import summary
from trainer.adapters.config import is_called
from trainer.command_line import run_command
from trainer.errors import ConfigError
from trainer.files import write_json
from trainer.run import WORKSPACE


@dataclass(frozen=True)
class AnalyseConfig:
    """Study the directions of a full fine-tuning, and of other runs for the same base."""

    full: tyro.conf.Positional[Path]
    """Run folder of a full fine-tuning (--instead full) of train_glue.py or train_llm.py."""
    runs: tyro.conf.Positional[tuple[Path, ...]] = ()
    """Run folders of adapters, and of other full fine-tunings. The more checkpoints adapters kept,
    the finer Fig. 3: --checkpoint.every 100 --checkpoint.keep 100. For Fig. 8 train them with
    --validation.every, for Figs. 6 and 7 score them first (eval.score_glue)."""
    out: Path | None = None
    """Folder to write to. Unset: <workspace>/directions/<name of FULL>."""
    layer: str | None = None
    """The layer whose change rates are drawn, by name or the end of it. Unset: the middle one."""
    null_draws: int = 100
    """Random changes a layer, for the null; at least 2."""
    workspace: Path = WORKSPACE
    """Where decompositions of the base's weights are kept."""


@dataclass(frozen=True)
class Analysed:
    """Where the answer lies, and what it is."""

    folder: Path
    record: dict[str, Any]
    """As directions.json holds it."""


def analyse_directions(config: AnalyseConfig, watch: StudyWatch | None = None) -> Analysed:
    """Write directions.json and the figures, into a folder that is made for them."""
    if config.null_draws < 2:
        raise ConfigError(f"--null-draws is {config.null_draws}; possible: 2 and more.")
    names = [path.resolve().name for path in (config.full, *config.runs)]
    if len(set(names)) < len(names):
        raise ConfigError(f"two runs have one name ({', '.join(names)}); give each run once.")
    opened = open_studied(config.full, config.runs)
    drawn = _layer_to_draw(config.layer, list(opened.weights))
    draws = config.null_draws
    spectrum, studied = study_layers(opened, config.workspace, drawn, draws, watch or StudyWatch())
    record = record_of(opened.full, spectrum, studied, draws)
    out = config.out or config.workspace / "directions" / names[0]
    record["figures"] = draw_all(record, out)
    write_json(out / "directions.json", record)
    return Analysed(out, record)


def _layer_to_draw(wanted: str | None, layers: list[str]) -> str:
    if wanted is None:
        return layers[len(layers) // 2]
    for path in layers:
        if is_called(path, wanted):
            return path
    raise ConfigError(
        f"--layer {wanted}: no layer that was studied is called so; for example "
        f"{', '.join(layers[:3])}."
    )


def main(arguments: Sequence[str] | None = None) -> int:
    return run_command(lambda: _report(tyro.cli(AnalyseConfig, args=arguments)))


def _report(config: AnalyseConfig) -> None:
    analysed = analyse_directions(config)
    print(summary(analysed.record), end="\n\n")
    for file in ("directions.json", *(row["file"] for row in analysed.record["figures"])):
        print(f"  {analysed.folder / file}")


if __name__ == "__main__":
    sys.exit(main())
