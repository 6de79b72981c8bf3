"""Subjects: what was run is told by the record, and shares are placed beside random changes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from eval.reproduction.about_pictures import dreambooth, overlap
from eval.reproduction.stored import RESULTS, Results

SUBJECTS: dict[str, Any] = {
    "date": "2026-12-02T03:04:05+00:00", "machine": "x86_64, 2 cores, Linux",
    "subjects": ["dog", "cat"], "seeds": [0, 1], "picture_seeds": [3], "max_prompts": 5,
    "methods": {"lora": {}, "lora-tsd": {}},
    "differences": {"lora-tsd − lora": {
        "CLIP-I, held-out scenes": {"value": -0.02, "low": -0.03, "high": -0.01, "n": 4},
        "CLIP-T, prompts": {"value": 0.01, "low": -0.01, "high": 0.03, "n": 4},
    }},
}  # fmt: skip


@pytest.fixture
def results(tmp_path: Path) -> Results:
    shutil.copy(RESULTS / "paper.json", tmp_path)
    return Results(tmp_path)


def test_seeds_prompts_and_machine_are_those_of_the_record(results: Results) -> None:
    (results.folder / "subjects.json").write_text(json.dumps(SUBJECTS))
    text = dreambooth(results).text
    assert "2 subjects × training seeds 0, 1, the first 5 of its prompts × picture seeds 3" in text
    assert "x86_64, 2 cores, Linux, 2026-12-02" in text
    assert (
        "`python -m eval.check_subjects --methods lora lora-tsd --seeds 0 1 --picture-seeds 3 "
        "--subjects dog cat --max-prompts 5`"
    ) in text


def test_the_sign_is_held_against_the_papers(results: Results) -> None:
    (results.folder / "subjects.json").write_text(json.dumps(SUBJECTS))
    text = dreambooth(results).text
    assert "scenes: −2.0 [−3.0, −1.0], in the paper +2.2; the sign is the other" in text
    assert "prompts: +1.0 [−1.0, +3.0], in the paper +1.1; the interval holds 0" in text


@pytest.mark.parametrize(("share", "counts"), [(0.9, "1 | 0"), (0.5, "0 | 0"), (0.1, "0 | 1")])
def test_what_two_subjects_share_is_placed_beside_two_random_changes(
    results: Results, share: float, counts: str
) -> None:
    null = {"mean": 0.5, "low": 0.4, "high": 0.6, "draws": 6, "layers": {"a": 0.5}}
    record = {
        "base": "embedded", "matrix": [[1, share], [share, 1]], "num_directions": 8,
        "subjects": [{"name": "dog", "run": "dog-0"}, {"name": "cat", "run": "cat-0"}],
        "null": {"random": null, "same_start": {**null, "low": 0.0, "high": 1.0}},
        "written": "2026-12-02T03:04:05+00:00",
    }  # fmt: skip
    (results.folder / "overlap.json").write_text(json.dumps(record))
    text = overlap(results).text
    assert "the embedded base, 2 runs (dog-0, cat-0)" in text
    assert f"50% (40% to 60% for 95 % of pairs of 6 draws) | {counts} |" in text
    assert "whether they share more than random changes do is not said" in text
