"""Does the embedded base learn new subjects? `python -m eval.check_subjects` tries the bundled.

Every bundled subject, three seeds, the demo's recipe; adapter minus base on held-out scenes and on
prompts. A run is a few minutes on two CPU cores, all of them an afternoon; finished runs are kept,
so a stopped call goes on where it was. The interval resamples subjects, with all their seeds: it
speaks of other subjects of this kind.
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

from eval.score_config import ScoreConfig
from eval.score_subject import score_subject
from eval.scores import MOST_LOST, Score, score
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
        if unknown or not (self.subjects and self.seeds and self.picture_seeds):
            raise ConfigError(
                f"--subjects {' '.join(unknown)}: not bundled. Give some of {', '.join(SUBJECTS)}, "
                "and at least one of --seeds and --picture-seeds."
            )


def recipe(config: SubjectsConfig, slug: str, seed: int) -> DreamBoothConfig:
    """The demo's recipe on one subject."""
    demo = preset("demo")
    return replace(
        demo,
        photos=Paths().subjects / slug,
        run=config.out / f"{slug}-{seed}",
        workspace=config.out,
        optim=replace(demo.optim, seed=seed),
        adapter=replace(demo.adapter, seed=seed),
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


def differences(run: Run, config: SubjectsConfig) -> dict[str, float]:
    """Adapter minus base by title. Pictures that are there already are not drawn again."""
    asked = ScoreConfig(
        run.path, seeds=config.picture_seeds, max_prompts=config.max_prompts, leakage_prompts=0
    )
    scores = score_subject(asked)
    rows = {(row["measure"], row["against"]): row for row in scores["scores"]}
    return {title: rows[key]["difference"]["value"] for key, title in MEASURES.items()}


def check_subjects(config: SubjectsConfig) -> dict[str, Score]:
    """Train and score all, write subjects.json; the mean difference of each measure."""
    config.validate()
    found = [
        [differences(trained(recipe(config, slug, seed)), config)
         for seed in config.seeds]
        for slug in config.subjects
    ]  # fmt: skip
    values = {
        title: np.array([[run[title] for run in runs] for runs in found])
        for title in MEASURES.values()
    }
    means = {title: score(by_subject, rows="subjects") for title, by_subject in values.items()}
    write_json(config.out / "subjects.json", _record(config, values, means))
    return means


def _record(
    config: SubjectsConfig, values: dict[str, Any], means: dict[str, Score]
) -> dict[str, Any]:
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "subjects": list(config.subjects),
        "seeds": list(config.seeds),
        "picture_seeds": list(config.picture_seeds),
        "max_prompts": config.max_prompts,
        "adapter_minus_base": {title: rows.tolist() for title, rows in values.items()},
        "mean": {title: asdict(mean) for title, mean in means.items()},
        "reached": {title: reached(title, mean) for title, mean in means.items()},
    }


def reached(title: str, mean: Score) -> bool:
    """Whether the bar is reached: likeness gained beyond doubt, prompts hardly lost."""
    if title == MEASURES["clip_t", "prompts"]:
        return mean.value >= -MOST_LOST
    return mean.low is not None and mean.low > 0


def table(means: dict[str, Score]) -> str:
    """Adapter minus base x 100, with the interval over subjects."""
    lines = []
    for title, mean in means.items():
        interval = (
            "" if mean.low is None or mean.high is None
            else f" [{100 * mean.low:+.1f}, {100 * mean.high:+.1f}]"
        )  # fmt: skip
        verdict = "reached" if reached(title, mean) else "not reached"
        value = f"{100 * mean.value:+.1f}{interval}"
        lines.append(f"{title:32}{value:24} n = {mean.n}, {mean.units} subjects  {verdict}")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    return run_command(lambda: _report(tyro.cli(SubjectsConfig, args=arguments)))


def _report(config: SubjectsConfig) -> None:
    print("Adapter − base, × 100:")
    print(table(check_subjects(config)))
    print(f"\n  {config.out / 'subjects.json'}")


if __name__ == "__main__":
    sys.exit(main())
