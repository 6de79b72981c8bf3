"""Does the embedded base learn new subjects? `python -m eval.check_subjects` tries the bundled.

Every bundled subject, three seeds, the demo's recipe; adapter minus base on held-out scenes and on
prompts, and with several methods each minus the first, as in the paper's Table 3. A run is a few
minutes on two CPU cores, all of them an afternoon; finished runs are kept, so a stopped call goes
on where it was. The interval resamples subjects, with all their seeds: it speaks of other subjects
of this kind.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from numpy.typing import NDArray

from eval.features import CLIPFeatures
from eval.machine import machine
from eval.report import aligned
from eval.scene_yardstick import real_minus_base
from eval.score_config import ScoreConfig
from eval.score_subject import score_subject
from eval.scores import MOST_LOST, Score, score
from trainer.adapters.config import Method
from trainer.command_line import run_command
from trainer.config import DreamBoothConfig, preset
from trainer.dreambooth import resume, train
from trainer.embedded_base.config import Paths
from trainer.embedded_base.subjects import SUBJECTS
from trainer.errors import ConfigError
from trainer.files import write_json
from trainer.progress import progress
from trainer.run import WORKSPACE, Run
from trainer.train_dreambooth import describe

MEASURES = {
    ("clip_i", "held-out photos"): "CLIP-I, held-out scenes",
    ("similarity", "held-out photos"): "EfficientNet, held-out scenes",
    ("clip_t", "prompts"): "CLIP-T, prompts",
}
"""What is compared: measure and reference in scores.json, and its title."""


@dataclass(frozen=True)
class SubjectsConfig:
    """Train and score the bundled subjects on the embedded base."""

    subjects: tuple[str, ...] = tuple(SUBJECTS)
    """Which of the bundled subjects."""
    methods: tuple[Method, ...] = ("lora-tsd",)
    """What trains them. Each is compared with the base, and with the first."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """Training seeds: initial adapter, data order, noise."""
    picture_seeds: tuple[int, ...] = (0, 1)
    """One picture a prompt and seed, by the adapter and by the base."""
    max_prompts: int | None = None
    """Only the first so many of the 25 prompts, for a quick look."""
    out: Path = WORKSPACE / "check_subjects"
    """Folder for the runs and subjects.json."""

    def validate(self) -> None:
        """Refuse subjects that are not bundled."""
        unknown = [slug for slug in self.subjects if slug not in SUBJECTS]
        if unknown:
            raise ConfigError(
                f"--subjects {' '.join(unknown)}: not bundled. Give some of {', '.join(SUBJECTS)}."
            )
        if not (self.subjects and self.methods and self.seeds and self.picture_seeds):
            raise ConfigError(
                "--subjects, --methods, --seeds and --picture-seeds: give at least one of each."
            )


def recipe(config: SubjectsConfig, method: Method, slug: str, seed: int) -> DreamBoothConfig:
    """The demo's recipe on one subject."""
    demo = preset("demo")
    return replace(
        demo,
        photos=Paths().subjects / slug,
        run=config.out / f"{slug}-{method}-{seed}",
        workspace=config.out,
        optim=replace(demo.optim, seed=seed),
        adapter=replace(demo.adapter, method=method, seed=seed),
        preview=replace(demo.preview, every=0),
    )


def trained(settings: DreamBoothConfig) -> Run:
    """The run with these settings: finished, gone on with, or trained from the start."""
    assert settings.run is not None
    run = Run(settings.run)
    if run.status_file.exists():
        return run
    with progress("train_dreambooth.py", describe) as watch:
        return resume(run.path, watch) if run.config_file.exists() else train(settings, watch)


Values = NDArray[np.float64]
"""(subjects, seeds)"""


@dataclass(frozen=True)
class Measured:
    """One measure of one method."""

    adapter: Values
    base: Values

    @property
    def gained(self) -> Values:
        """Adapter minus base."""
        return self.adapter - self.base


Table = dict[Method, dict[str, Measured]]
"""By method, and by the title of the measure."""


def check_subjects(config: SubjectsConfig) -> tuple[Table, Score]:
    """Train and score all, and write subjects.json; beside the table what real scenes lose."""
    config.validate()
    found = {method: _measure(config, method) for method in config.methods}
    lost = score(real_minus_base(config.subjects, CLIPFeatures()), rows="subjects")
    write_json(config.out / "subjects.json", _record(config, found, lost))
    return found, lost


def _measure(config: SubjectsConfig, method: Method) -> dict[str, Measured]:
    runs = [
        [_scores(trained(recipe(config, method, slug, seed)), config) for seed in config.seeds]
        for slug in config.subjects
    ]
    return {
        title: Measured(
            *(
                np.array([[run[key][of]["value"] for run in of_subject] for of_subject in runs])
                for of in ("adapter", "base")
            )
        )
        for key, title in MEASURES.items()
    }


def _scores(run: Run, config: SubjectsConfig) -> dict[tuple[str, str], dict[str, Any]]:
    """Rows of scores.json. Pictures that are there already are not drawn again."""
    asked = ScoreConfig(
        run.path, seeds=config.picture_seeds, max_prompts=config.max_prompts, leakage_prompts=0
    )
    return {(row["measure"], row["against"]): row for row in score_subject(asked)["scores"]}


def comparisons(found: Table) -> dict[str, dict[str, Score]]:
    """What is compared, by its title and by the measure: mean differences."""
    first, *others = found
    return {
        **{
            f"{method} − base": {
                title: score(measured.gained, rows="subjects")
                for title, measured in found[method].items()
            }
            for method in found
        },
        **{
            f"{method} − {first}": {
                title: score(measured.adapter - found[first][title].adapter, rows="subjects")
                for title, measured in found[method].items()
            }
            for method in others
        },
    }


def _record(config: SubjectsConfig, found: Table, lost: Score) -> dict[str, Any]:
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "subjects": list(config.subjects),
        "seeds": list(config.seeds),
        "picture_seeds": list(config.picture_seeds),
        "max_prompts": config.max_prompts,
        "methods": {
            method: {
                title: {"adapter": measured.adapter.tolist(), "base": measured.base.tolist()}
                for title, measured in by_title.items()
            }
            for method, by_title in found.items()
        },
        "differences": {
            what: {title: asdict(mean) for title, mean in means.items()}
            for what, means in comparisons(found).items()
        },
        "real_scenes_less_base": {MEASURES["clip_t", "prompts"]: asdict(lost)},
    }


def reached(title: str, mean: Score) -> bool:
    """Whether the bar is reached: likeness gained beyond doubt, prompts hardly lost."""
    if title == MEASURES["clip_t", "prompts"]:
        return mean.value >= -MOST_LOST
    return mean.low is not None and mean.low > 0


def table(found: Table) -> str:
    """Differences x 100, with the interval over subjects, and whether the base's bars are met."""
    blocks = []
    for what, means in comparisons(found).items():
        rows = [
            (title, _with_interval(mean), f"n = {mean.n}, {mean.units} subjects",
             _verdict(title, mean) if what.endswith("− base") else "")
            for title, mean in means.items()
        ]  # fmt: skip
        blocks.append("\n".join([f"{what}, × 100:", *aligned(rows)]))
    return "\n\n".join(blocks)


def _with_interval(mean: Score) -> str:
    interval = (
        "" if mean.low is None or mean.high is None
        else f" [{100 * mean.low:+.1f}, {100 * mean.high:+.1f}]"
    )  # fmt: skip
    return f"{100 * mean.value:+.1f}{interval}"


def _verdict(title: str, mean: Score) -> str:
    return "reached" if reached(title, mean) else "not reached"


def main(arguments: Sequence[str] | None = None) -> int:
    return run_command(lambda: _report(tyro.cli(SubjectsConfig, args=arguments)))


def _report(config: SubjectsConfig) -> None:
    found, lost = check_subjects(config)
    print(table(found))
    print(f"\nreal scenes − base, × 100:\n  CLIP-T, captions  {_with_interval(lost)}  "
          f"n = {lost.n}; a perfect adapter would lose as much")  # fmt: skip
    print(f"\n  {config.out / 'subjects.json'}")


if __name__ == "__main__":
    sys.exit(main())
