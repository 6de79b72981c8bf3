"""Scoring takes as long as it took, and is a part of the estimate where it is a part of the job."""

from __future__ import annotations

import os

import pytest

from app.estimate import estimate
from app.scoring_time import LEAKAGE_PROMPTS, PROMPTS, scoring_time
from app.workspace import Workspace
from eval.prompts import LISTS, read_templates
from eval.score_config import ScoreConfig
from trainer.config import PRESETS, DreamBoothConfig
from trainer.files import write_json
from trainer.run import Run

DEMO = PRESETS["demo"]


def scored(
    workspace: Workspace, name: str, seconds: float, pictures: int, steps: int, idle: float = 0
) -> None:
    """A run whose scores were there so many seconds after its training, drawn all the while."""
    run = Run(workspace.run(name))
    run.write_config(DEMO)
    write_json(run.status_file, {"state": "succeeded", "step": 10})
    ended = run.status_file.stat().st_mtime + idle
    rows = [{"path": f"images/scored/{number}.png"} for number in range(pictures)]
    for number, row in enumerate(rows, start=1):
        path = run.path / row["path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        os.utime(path, (ended, ended + seconds * number / pictures))
    sampling = {"num_inference_steps": steps}
    write_json(run.scores, {"sampling": sampling, "pictures": {"adapter": rows}})
    os.utime(run.scores, (ended, ended + seconds))


def test_an_estimate_has_the_scoring_in_it_where_it_is_asked_for(workspace: Workspace) -> None:
    alone, with_scores = (estimate(DEMO, 5, workspace, score=score) for score in (False, True))
    assert with_scores.seconds == alone.seconds + scoring_time(DEMO, workspace).seconds
    assert 200 < with_scores.seconds - alone.seconds < 300  # 249 s were measured
    assert "scoring is about 4 min of it" in with_scores.basis and "scor" not in alone.basis


def test_runs_that_were_scored_decide_by_pictures_and_sampling_steps(workspace: Workspace) -> None:
    scored(workspace, "a-1", seconds=600, pictures=10, steps=15)  # 4 s a picture and step
    found = scoring_time(DEMO, workspace)
    assert found.seconds == pytest.approx(4 * 116 * 30, rel=1e-3)
    assert found.low < found.seconds < found.high
    assert found.basis == "from the last 1 that was scored"


def test_a_run_that_was_scored_another_day_says_nothing(workspace: Workspace) -> None:
    scored(workspace, "a-1", seconds=600, pictures=10, steps=15, idle=5000)
    assert "measured on two CPU cores" in scoring_time(DEMO, workspace).basis


def test_a_run_whose_pictures_are_gone_says_nothing(workspace: Workspace) -> None:
    scored(workspace, "a-1", seconds=600, pictures=10, steps=15)
    next(Run(workspace.run("a-1")).images.rglob("*.png")).unlink()
    assert "measured on two CPU cores" in scoring_time(DEMO, workspace).basis


def test_another_base_is_drawn_in_its_own_time(workspace: Workspace) -> None:
    scored(workspace, "a-1", seconds=600, pictures=10, steps=15)
    found = scoring_time(DreamBoothConfig(), workspace)
    assert "a guess" in found.basis


def test_it_counts_what_is_drawn() -> None:
    assert {len(read_templates(name)) for name in LISTS} == {PROMPTS}
    assert LEAKAGE_PROMPTS == ScoreConfig.leakage_prompts
