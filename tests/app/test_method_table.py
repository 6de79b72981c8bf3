"""One row a method: means and spreads of what its runs say of themselves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from app.jobs.records import Job, JobKind, JobState
from app.method_table import method_table
from trainer.run import Run

FinishedRun = Callable[[Path, str, float, float], Run]


def test_runs_of_a_method_are_one_row_with_mean_and_spread(
    tmp_path: Path, finished_run: FinishedRun
) -> None:
    runs = [finished_run(tmp_path / str(n), "lora-tsd", 0.5 + n / 10, n + 1.0) for n in range(3)]
    [row] = method_table(runs, [])["rows"]
    assert (row["method"], row["n"], row["steps"]) == ("lora-tsd", 3, 3)
    assert row["scores"]["clip_i"] == {
        "mean": pytest.approx(0.6), "sd": pytest.approx(0.1), "n": 3, "low": None, "high": None
    }  # fmt: skip
    assert row["scores"]["clip_i_held_out"]["mean"] == pytest.approx(0.1)
    assert row["seconds"]["mean"] == pytest.approx(6.0)  # 3, 6 and 9
    assert row["memory_gib"] == {"mean": 3.0, "sd": 0.0, "n": 3}


def test_trained_numbers_are_counted_fixed_directions_are_not(
    tmp_path: Path, finished_run: FinishedRun
) -> None:
    [row] = method_table([finished_run(tmp_path / "a", "lora-tsd", 0.5, 1.0)], [])["rows"]
    assert row["parameters"] == 2 * 10 + 10 * 2 + 4


def test_a_single_run_has_the_interval_of_its_own_scores(
    tmp_path: Path, finished_run: FinishedRun
) -> None:
    [row] = method_table([finished_run(tmp_path / "a", "lora", 0.5, 1.0)], [])["rows"]
    score = row["scores"]["clip_i"]
    assert (score["sd"], score["low"], score["high"]) == (None, 0.4, 0.6)


def test_methods_keep_their_order_and_what_is_not_done_is_named(
    tmp_path: Path, finished_run: FinishedRun
) -> None:
    runs = [finished_run(tmp_path / m, m, 0.5, 1.0) for m in ("lora-dash", "lora", "lora-tsd")]
    runs[1].status_file.unlink()
    runs[2].scores.unlink()
    table = method_table(runs, [])
    assert [row["method"] for row in table["rows"]] == ["lora-dash", "lora-tsd"]
    assert table["unfinished"] == ["lora"] and table["rows"][1]["scores"] == {}


def test_trainings_that_ended_badly_are_told_with_the_reason_and_are_not_awaited(
    tmp_path: Path, finished_run: FinishedRun
) -> None:
    runs = [finished_run(tmp_path / name, "lora", 0.5, 1.0) for name in ("a", "b", "c", "d")]
    for run in runs[1:]:
        run.status_file.unlink()
    settings = {"adapter": {"method": "lora"}, "optim": {"seed": 3}}
    states = (JobState.FAILED, JobState.FAILED, JobState.CANCELLED, JobState.RUNNING)
    jobs = [
        Job(run.path.name, JobKind.TRAIN, "t", {"settings": settings}, state, "why",
            run=run.path.name)
        for run, state in zip(runs, states, strict=True)
    ]  # fmt: skip
    table = method_table(runs, jobs)
    assert table["failed"] == [
        {"run": "b", "method": "lora", "seed": 3, "state": "failed", "message": "why"},
        {"run": "c", "method": "lora", "seed": 3, "state": "cancelled", "message": "why"},
    ]  # the adapter of `a` is there
    assert table["unfinished"] == ["d"] and [row["n"] for row in table["rows"]] == [1]
