"""Score and compare jobs: what lies where it belongs when they are done."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from app.jobs.program import run_job
from app.jobs.programs.exits import Exit


def test_a_run_and_its_checkpoints_are_scored_and_the_best_is_named(
    desk: Any, first: Path, told: Any
) -> None:
    asked = {"run": "duck-1", "seeds": [0], "max_prompts": 1, "checkpoints": True}
    folder = desk.job("score", asked)
    assert desk.done(folder) == {"run": "duck-1"}
    run = desk.workspace.run("duck-1")
    curve = json.loads((run / "curve.json").read_text())
    assert [point["checkpoint"] for point in curve["points"]] == [2, 4]
    assert all(isinstance(point["clip_t"], float) for point in curve["points"])
    assert curve["best"]["checkpoint"] in (2, 4) and curve["best"]["reason"]
    finished = json.loads((run / "scores.json").read_text())
    earlier = json.loads((run / "scores-step-2.json").read_text())
    assert (finished["checkpoint"], earlier["checkpoint"]) == (None, 2)
    assert finished["pictures"]["base"] == earlier["pictures"]["base"]  # drawn once
    assert {row["phase"] for row in told(folder, "progress")} == {"load", "draw", "score"}
    kept = [row["step"] for row in told(folder, "kept")]
    # With and without the token, by adapter and base: drawn, then looked at by two scorers, as are
    # the three photos; all of it for the checkpoint and for the finished adapter.
    assert kept == sorted(kept) and kept[-1] == 2 * (4 + 2 * (4 + 3))
    assert not (folder / "features").exists()


def test_finish_ends_the_scoring_without_scores(desk: Any, second: Path) -> None:
    folder = desk.job("score", {"run": "duck-2"})
    (folder / "wishes" / "finish").touch()
    assert "stopped before it was scored" in desk.done(folder)["message"]
    assert not (desk.workspace.run("duck-2") / "scores.json").exists()


def test_a_comparison_is_whole_under_the_job_s_name(
    desk: Any, first: Path, third: Path, told: Any
) -> None:
    folder = desk.job("compare", {"runs": ["duck-1", "duck-3"], "null_draws": 2})
    assert desk.done(folder) == {"comparison": folder.name}
    made = desk.workspace.comparison(folder.name)
    assert json.loads((made / "overlap.json").read_text())["null"] is not None
    assert (made / "heatmap.png").is_file() and list((made / "grids").glob("*.png"))
    assert not list(folder.rglob("*.png"))  # handed over, and no half of it left behind
    pages = len(list((made / "grids").glob("*.png")))
    last = told(folder, "progress")[-1]
    assert last["step"] == last["total"] == told(folder, "kept")[-1]["step"] > pages
    assert not list(folder.glob("begun-*"))


def test_a_run_without_launch_cannot_be_compared(desk: Any, first: Path, second: Path) -> None:
    folder = desk.job("compare", {"runs": ["duck-1", "duck-2"], "null_draws": 0})
    assert run_job(folder) is Exit.REFUSED
    assert "duck-2" in (folder / "error.txt").read_text()
    assert not desk.workspace.comparison(folder.name).exists()
