"""Metrics read on from where the last look ended are those that a whole reading gives."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from app.metrics import KEPT, Metrics, last_step
from trainer.run import Run


def row(step: int, attempt: int = 1, **more: Any) -> str:
    return json.dumps({"kind": "step", "step": step, "attempt": attempt, **more}) + "\n"


def append(run: Run, text: str) -> None:
    with run.metrics.open("a") as file:
        file.write(text)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


def test_a_run_without_metrics_has_no_rows_and_is_at_step_0(run: Run) -> None:
    assert Metrics().rows(run) == [] and last_step(run) == 0
    run.metrics.touch()
    assert Metrics().rows(run) == [] and last_step(run) == 0


def test_a_row_is_there_when_its_line_is_complete(run: Run) -> None:
    metrics, half = Metrics(), len(row(2)) // 2
    append(run, row(1) + row(2)[:half])
    assert [r["step"] for r in metrics.rows(run)] == [1] and last_step(run) == 1
    append(run, row(2)[half:] + row(3))
    assert metrics.rows(run) == list(run.metric_rows()) and last_step(run) == 3


def test_only_what_is_new_is_read(run: Run) -> None:
    metrics = Metrics()
    append(run, row(1) + row(2))
    metrics.rows(run)
    text = run.metrics.read_text()
    run.metrics.write_text(text.replace('"step": 1,', '"step": 7,') + row(3))
    assert [r["step"] for r in metrics.rows(run)] == [1, 2, 3]


@pytest.mark.parametrize("kept", [0, 3, 10])
def test_a_resumed_run_shows_its_cut_back_rows_and_those_of_its_next_attempt(
    run: Run, kept: int
) -> None:
    metrics = Metrics()
    append(run, "".join(map(row, range(10))))
    metrics.rows(run)
    again = "".join(map(row, range(kept))) + "".join(row(n, attempt=2) for n in range(kept, 20))
    run.metrics.write_text(again)
    assert metrics.rows(run) == list(run.metric_rows())


def test_the_last_step_is_found_behind_a_row_of_any_length(run: Run) -> None:
    append(run, row(1) + row(2, directions="x" * 100_000) + row(3)[:4])
    assert last_step(run) == 2


def test_rows_of_few_runs_stay_in_memory_and_others_are_read_again(tmp_path: Path) -> None:
    metrics = Metrics()
    runs = [Run(tmp_path / str(n)) for n in range(KEPT + 2)]
    for n, run in enumerate(runs):
        run.path.mkdir()
        append(run, row(n))
    for _ in range(2):
        assert [metrics.rows(run)[0]["step"] for run in runs] == list(range(KEPT + 2))
    assert len(metrics._read) == KEPT
