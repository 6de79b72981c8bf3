"""What the scorers of runs on text share: where their answers lie, and what stands above them."""

from __future__ import annotations

import itertools
import json
import re
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from tqdm import tqdm

from eval.score_config import ScoreWatch
from eval.scores import LEVEL, RESAMPLES, Score
from trainer.files import write_json, write_text
from trainer.text_config import TextConfig
from trainer.text_run import TextRun

FORMAT = 1
_OF_OWN_SET = re.compile(r"own|generation|first-\d+(-generation)?")
"""What scorings by the run's own set are called; `own`, which stands in no file's name, by the
studio."""
_GENERIC = ("train", "dev", "test", "dev_matched", "test_matched")
_LIBRARIES = ("dashbooth", "torch", "transformers", "scipy")


@dataclass(frozen=True)
class Answers:
    """The files of one scoring: the run's own set, or `-<name>` beside it for a file by path.

    None overwrites another: part of a set, a second way to answer and another file of the same name
    have names of their own.
    """

    run: TextRun
    file: Path | None
    by: str | None = None
    """A second way to answer, or another split."""
    items: int | None = None
    """How many of the set at most, where not all."""

    @property
    def scores(self) -> Path:
        return self._beside(self.run.scores)

    @property
    def predictions(self) -> Path:
        return self._beside(self.run.predictions)

    def write(self, scores: dict[str, Any], predictions: Iterable[dict[str, Any]]) -> None:
        """Predictions first: where there are scores, there is what they are of."""
        lines = (json.dumps(row, ensure_ascii=False) for row in predictions)
        write_text(self.predictions, "".join(f"{line}\n" for line in lines))
        write_json(self.scores, scores)

    def _beside(self, path: Path) -> Path:
        first = None if self.items is None else f"first-{self.items}"
        parts = (self.file and _name(self.file), first, self.by)
        ending = "".join(f"-{part}" for part in parts if part)
        tried = (f"{ending}-{number}" if number > 1 else ending for number in itertools.count(1))
        free = next(ending for ending in tried if self._may_have(ending))
        return path.with_stem(f"{path.stem}{free}")

    def _may_have(self, ending: str) -> bool:
        """Whether scores of that name are not there yet, or of the same data."""
        scores = self.run.scores.with_stem(f"{self.run.scores.stem}{ending}")
        if self.file is None or not scores.exists():
            return True
        there = Path(json.loads(scores.read_text("utf-8"))["data"])
        return there.resolve() == self.file.resolve()


def _name(file: Path) -> str:
    """A file's name, with its folder's where it would not tell it from others."""
    alone = file.stem not in _GENERIC and not _OF_OWN_SET.fullmatch(file.stem)
    return file.stem if alone else f"{file.resolve().parent.name}-{file.stem}"


def heading(run: TextRun, config: TextConfig, data: str, began: float) -> dict[str, Any]:
    """What every scores.json of a run on text says above its scores.

    `began`: when the scoring that is now at its end did, by the monotonic clock.
    """
    return {
        "format": FORMAT,
        "run": run.path.resolve().name,
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(time.monotonic() - began, 3),
        "base": config.base,
        "method": config.method,
        "seed": config.optim.seed,
        "data": data,
        "interval": f"{LEVEL:.0%} percentile bootstrap over rows, {RESAMPLES} draws",
        "versions": {library: version(library) for library in _LIBRARIES},
    }


@contextmanager
def progress(
    total: int, what: Literal["sentence", "item"], watch: ScoreWatch
) -> Iterator[Callable[[int], object]]:
    """A bar in a terminal, and the watch; yields what is told how many more are done."""
    count = watch.counter("score", total)
    with tqdm(total=total, desc="Scoring", unit=what, leave=False, disable=None) as bar:

        def advance(more: int) -> None:
            bar.update(more)
            count(more)

        yield advance


def percent(score: Score) -> str:
    """A score x 100 with its interval, as papers print it."""
    value = f"{100 * score.value:.1f}"
    if score.low is None or score.high is None:
        return value
    return f"{value} [{100 * score.low:.1f}, {100 * score.high:.1f}]"
