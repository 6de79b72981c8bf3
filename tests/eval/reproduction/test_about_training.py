"""Fig. 8 in words: the launch is marked, and the two ends are held against each other."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from eval.reproduction.about_training import losses
from eval.reproduction.stored import RESULTS, Results

STEPS = list(range(1, 41))


def method(name: str, launch: int | None, end: float, sd: float | None = None) -> dict[str, Any]:
    return {
        "method": name, "direction": launch and "tsd", "runs": [f"{name}-0"], "seeds": [0],
        "losses": {
            "training": {"steps": STEPS, "mean": [float(step) for step in STEPS], "sd": None},
            "validation": {"steps": [0, 20, 40], "mean": [0.7, 0.5, end], "sd": [sd] * 3},
            "launch": launch,
        },
    }  # fmt: skip


def text(folder: Path, *methods: dict[str, Any]) -> str:
    shutil.copy(RESULTS / "paper.json", folder)
    record = {"base": "minilm", "methods": {str(n): row for n, row in enumerate(methods)}}
    (folder / "directions-sst2.json").write_text(json.dumps(record))
    return losses(Results(folder)).text


def test_the_losses_stand_side_by_side_with_the_launch_marked(tmp_path: Path) -> None:
    told = text(tmp_path, method("lora", None, 0.4), method("lora-tsd", 8, 0.3))
    # by hand: the mean of 11 to 20 is 15.5, of 1 to 8 it is 4.5
    assert "| step | LoRA, 1 seed | LoRA-TSD, 1 seed |" in told
    assert "| 8, launch | 4.500 / – | 4.500 / – |" in told
    assert "| 20 | 15.500 / 0.500 | 15.500 / 0.500 |\n| 40 | 35.500 / 0.400 |" in told
    assert "LoRA-TSD's validation loss is 0.300, LoRA's 0.400: lower, as in the paper" in told
    assert "by 0.100, and too few seeds to say" in told


def test_a_difference_within_the_deviation_is_said_to_be_one(tmp_path: Path) -> None:
    told = text(tmp_path, method("lora", None, 0.30, 0.02), method("lora-tsd", 8, 0.31, 0.03))
    assert "not lower, unlike there, by 0.010, no more than the larger deviation over seeds" in told


def test_runs_with_tsds_stand_for_a_method(tmp_path: Path) -> None:
    top = {**method("lora-tsd", 8, 0.9), "direction": "top"}
    told = text(tmp_path, method("lora", None, 0.4), top, method("lora-tsd", 8, 0.3))
    assert "0.900" not in told and "0.300" in told
