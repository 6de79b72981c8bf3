"""Fig. 8 in words: the launch is marked, and the two ends are held against each other."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from statistics import fmean
from typing import Any

from eval.reproduction.about_training import losses
from eval.reproduction.stored import RESULTS, Results

STEPS = list(range(1, 41))


def method(name: str, launch: int | None, *ends: float) -> dict[str, Any]:
    """With a seed for each of the last validation losses."""
    seeds = list(range(len(ends)))
    return {
        "method": name, "direction": launch and "tsd", "runs": [f"{name}-{n}" for n in seeds],
        "seeds": seeds, "score": [{"accuracy": 0.5, "validation loss": end} for end in ends],
        "losses": {
            "training": {"steps": STEPS, "mean": [float(step) for step in STEPS], "sd": None},
            "validation": {"steps": [0, 20, 40], "mean": [0.7, 0.5, fmean(ends)], "sd": None},
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
    assert "validation loss at the end − LoRA's: −0.1000, above 0 for 0 of 1 seeds" in told
    assert "one seed says nothing of the spread" in told
    assert told.count("On the way there: +0.000 at 20.") == 1


def test_losses_are_compared_seed_by_seed(tmp_path: Path) -> None:
    """A loss that is higher with each of three seeds is said to be, however far seeds differ."""
    lora = method("lora", None, 0.30, 0.40, 0.50)
    # by hand: +0.01, +0.02, +0.03: mean 0.02, deviation 0.01, times 4.3027 / √3
    told = text(tmp_path, lora, method("lora-tsd", 8, 0.31, 0.42, 0.53))
    assert (
        "+0.0200 ± 0.0100, above 0 for 3 of 3 seeds (95 % interval of the mean ±0.0248), which "
        "holds 0"
    ) in told
    told = text(tmp_path, lora, method("lora-tsd", 8, 0.31, 0.412, 0.511))
    assert "+0.0110 ± 0.0010, above 0 for 3 of 3 seeds" in told
    assert "so it is higher, unlike there" in told


def test_runs_with_tsds_stand_for_a_method(tmp_path: Path) -> None:
    top = {**method("lora-tsd", 8, 0.9), "direction": "top"}
    told = text(tmp_path, method("lora", None, 0.4), top, method("lora-tsd", 8, 0.3))
    assert "0.900" not in told and "0.300" in told
