"""A generate job: what is drawn, what is kept, what the grid shows."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from app.jobs.program import run_job
from app.jobs.programs.exits import Exit

PROMPT = "a {unique_token} {class_token}"


def request(*adapters: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"adapters": adapters, "prompts": [PROMPT], "seeds": [0, 1], "steps": 2, **more}


def test_two_adapters_draw_together_beside_the_base(
    desk: Any, first: Path, second: Path, told: Any
) -> None:
    folder = desk.job("generate", request({"run": "duck-1"}, {"run": "duck-2", "scale": 3.0}))
    result = desk.done(folder)
    rows = result["pictures"]
    assert [(row["base"], row["seed"]) for row in rows] == [
        (True, 0), (True, 1), (False, 0), (False, 1)
    ]  # fmt: skip
    assert {row["prompt"] for row in rows} == {"a zwx duck"}
    base, adapted = (np.asarray(Image.open(folder / rows[i]["file"])) for i in (0, 2))
    assert (base != adapted).any()
    last = told(folder, "progress")[-1]
    assert last == {"kind": "progress", "step": 8, "total": 8, "phase": "draw"}
    assert result["grid"] is None and result["csv"] is None


def test_an_attempt_after_another_draws_only_what_is_missing(
    desk: Any, first: Path, told: Any
) -> None:
    folder = desk.job("generate", request({"run": "duck-1"}, beside_base=False))
    kept, gone = (folder / row["file"] for row in desk.done(folder)["pictures"])
    before = kept.stat().st_mtime_ns
    gone.unlink()
    desk.done(folder)
    assert kept.stat().st_mtime_ns == before and gone.exists()
    assert [row["step"] for row in told(folder, "kept")] == [2, 1, 2]  # found, then drawn


def test_finish_keeps_the_pictures_that_are_there(desk: Any, first: Path) -> None:
    folder = desk.job("generate", request({"run": "duck-1"}))
    rows = desk.done(folder)["pictures"]
    (folder / rows[3]["file"]).unlink()
    (folder / "wishes" / "finish").touch()
    result = desk.done(folder)
    assert result["pictures"] == rows[:3] and "stopped early" in result["message"]
    assert not (folder / "wishes" / "finish").exists()


def test_a_grid_has_scores_in_its_cells_and_a_table(desk: Any, first: Path, told: Any) -> None:
    grid = {"scales": [0.5, 1.0], "checkpoints": [2, 4]}
    folder = desk.job("generate", request({"run": "duck-1"}, grid=grid))
    result = desk.done(folder)
    assert len(result["pictures"]) == 2 * (1 + 2 * 2)
    for row in result["pictures"]:
        assert {"clip_t", "clip_i"} <= row["scores"].keys()
    with (folder / result["csv"]).open() as file:
        table = list(csv.DictReader(file))
    assert [float(line["clip_t"]) for line in table] == [
        row["scores"]["clip_t"] for row in result["pictures"]
    ]
    assert {(line["scale"], line["checkpoint"]) for line in table} == {
        ("0.0", ""), ("0.5", "2"), ("1.0", "2"), ("0.5", "4"), ("1.0", "4")
    }  # fmt: skip
    with Image.open(folder / result["grid"]) as picture:
        assert picture.height > 5 * 168 and picture.width > 2 * 168


def test_tokens_that_are_cut_off_are_warned_of(desk: Any, first: Path, told: Any) -> None:
    prompt = PROMPT + " in the snow" * 40
    asked = request({"run": "duck-1"}, prompts=[prompt], seeds=[0], beside_base=False)
    folder = desk.job("generate", asked)
    desk.done(folder)
    [warning] = told(folder, "warning")
    assert "tokens of this prompt are not seen" in warning["text"]


@pytest.mark.parametrize(
    ("adapter", "words"),
    [
        ({"run": "nobody"}, "not a run folder"),
        ({"run": "duck-1", "checkpoint": 3}, "no checkpoint of step 3; kept are: 2, 4"),
        ({"run": "../../etc"}, "is no name"),
    ],
)
def test_what_is_not_there_cannot_draw(
    desk: Any, first: Path, adapter: dict[str, Any], words: str
) -> None:
    folder = desk.job("generate", request(adapter))
    assert run_job(folder) is Exit.REFUSED
    assert words in (folder / "error.txt").read_text()
