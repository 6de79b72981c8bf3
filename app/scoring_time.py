"""How long it takes to draw and score what was trained, as a training does at its end. No torch.

From finished runs where they tell: those on texts by their scores.json, those on photos where they
were scored in one go. Else, of photos, from a short table.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from statistics import median

from app.gpus import runs_on_gpu
from app.past_runs import RECENT, Folder, finished_runs
from app.requests import ScoreRequest
from app.runs import read_json
from app.views import Estimate
from app.workspace import Workspace
from trainer.config import EMBEDDED_BASE, DreamBoothConfig
from trainer.run import Run
from trainer.text_run import TextRun

PROMPTS = 25
LEAKAGE_PROMPTS = 4
"""Also drawn without the unique token, by adapter and base; as `eval.score_config` has it."""
LOADING = 60
"""Seconds in which models may be loaded beside the drawing."""


@dataclass(frozen=True)
class ScoringTime:
    """Seconds of drawing and scoring."""

    seconds: float
    low: float
    high: float
    basis: str

    def times(self, many: float) -> ScoringTime:
        """Of so many like it."""
        return ScoringTime(many * self.seconds, many * self.low, many * self.high, self.basis)


@dataclass(frozen=True)
class _Row:
    """Of the table, for a base on a device."""

    seconds_a_step: float
    """Of one picture; what scorers take is in it."""
    doubt: float
    basis: str


_EMBEDDED = _Row(0.07, 2, "as measured on two CPU cores for the embedded base")
_SDXL_GPU = _Row(0.2, 4, "which is a guess")
_SDXL_CPU = _Row(65, 4, "which is a guess for a CPU; SDXL wants a GPU")


def scoring_time(config: DreamBoothConfig, workspace: Workspace) -> ScoringTime:
    """Of a run of `config`: the prompt list by adapter and base, looked at by the scorers."""
    work = 2 * (PROMPTS + LEAKAGE_PROMPTS) * len(ScoreRequest.seeds) * _sampling_steps(config)

    def is_like(run: Run) -> bool:
        asked = run.read_config()
        return (asked.base, asked.model.device) == (config.base, config.model.device)

    if rates := _known(workspace, Run, is_like, _seconds_a_step):
        return _from_past([rate * work for rate in rates])
    row = _row(config)
    seconds = row.seconds_a_step * work
    return ScoringTime(seconds, seconds / row.doubt, seconds * row.doubt, row.basis)


def text_scoring_time(
    workspace: Workspace, is_like: Callable[[TextRun], bool]
) -> ScoringTime | None:
    """Of a run on texts by its own set; None where no run like it was scored."""
    times = _known(workspace, TextRun, is_like, _seconds_of_texts)
    return _from_past(times) if times else None


def with_scoring(training: Estimate, scoring: ScoringTime) -> Estimate:
    """The estimate of a training that is scored at its end."""
    return dataclasses.replace(
        training,
        seconds=training.seconds + scoring.seconds,
        low=training.low + scoring.low,
        high=training.high + scoring.high,
        basis=f"{training.basis}; scoring is about {_rounded(scoring.seconds)} of it, "
        f"{scoring.basis}",
    )


def _known(
    workspace: Workspace,
    opened: Callable[..., Folder],
    is_like: Callable[[Folder], bool],
    seconds: Callable[[Folder], float | None],
) -> list[float]:
    """What the newest runs like it say, of those that were scored."""
    runs = finished_runs(workspace, opened, lambda run: run.scores.exists() and is_like(run))
    told = (seconds(run) for run in runs)
    return list(islice((value for value in told if value is not None), RECENT))


def _from_past(times: Sequence[float]) -> ScoringTime:
    seconds = median(times)
    basis = f"from the last {len(times)} that {'was' if len(times) == 1 else 'were'} scored"
    return ScoringTime(seconds, min(*times, 0.75 * seconds), max(*times, 1.4 * seconds), basis)


def _seconds_a_step(run: Run) -> float | None:
    """Of one picture; None where it was not drawn and scored in one go after the training."""
    scores = read_json(run.scores) or {}
    try:
        steps = scores["sampling"]["num_inference_steps"]
        drawn = [
            (run.path / row["path"]).stat().st_mtime
            for rows in scores["pictures"].values()
            for row in rows
        ]
    except (KeyError, OSError):  # of an older version, or its pictures are gone
        return None
    seconds = run.scores.stat().st_mtime - run.status_file.stat().st_mtime
    in_one_go = bool(drawn) and seconds <= 3 * (max(drawn) - min(drawn)) + LOADING
    return seconds / (len(drawn) * steps) if in_one_go else None


def _seconds_of_texts(run: TextRun) -> float | None:
    """None of an older version, which did not say."""
    return (read_json(run.scores) or {}).get("seconds")


def _sampling_steps(config: DreamBoothConfig) -> int:
    """As `eval.score_subject` takes where nothing is said."""
    return 30 if config.base == EMBEDDED_BASE else 50


def _row(config: DreamBoothConfig) -> _Row:
    if config.base == EMBEDDED_BASE:
        return _EMBEDDED
    return _SDXL_GPU if runs_on_gpu(config.model.device) else _SDXL_CPU


def _rounded(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
