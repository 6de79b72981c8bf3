"""The subjects' check trains, scores and compares for real; stopped, it goes on where it was."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from eval import check_subjects as module
from eval.check_subjects import (
    MEASURES,
    Measured,
    SubjectsConfig,
    Table,
    check_subjects,
    comparisons,
    reached,
    table,
)
from eval.scores import score
from trainer.config import preset
from trainer.errors import ConfigError


@pytest.fixture
def short_demo(monkeypatch):
    """The demo's recipe in four steps."""
    demo = preset("demo")
    short = replace(
        demo,
        optim=replace(demo.optim, steps=4),
        adapter=replace(demo.adapter, target_modules=("attn2.to_q",), prelaunch_steps=2),
    )
    monkeypatch.setattr(module, "preset", lambda name: short)


def test_every_subject_and_seed_is_trained_and_scored_once(short_demo, tmp_path):
    config = SubjectsConfig(
        ("duck",), seeds=(0, 1), picture_seeds=(0,), max_prompts=1, out=tmp_path
    )
    found, lost = check_subjects(config)
    assert {run.name for run in tmp_path.glob("duck-*")} == {"duck-lora-tsd-0", "duck-lora-tsd-1"}
    assert [measured.gained.shape for measured in found["lora-tsd"].values()] == [(1, 2)] * 3
    stored = json.loads((tmp_path / "subjects.json").read_text())
    assert set(stored["methods"]["lora-tsd"]) == set(MEASURES.values())
    native = tmp_path / "duck-lora-tsd-0" / "native.safetensors"
    before = native.stat().st_mtime_ns
    assert stored["real_scenes_less_base"]["CLIP-T, prompts"]["value"] == lost.value
    assert table(check_subjects(config)[0]) == table(found)
    assert native.stat().st_mtime_ns == before


def test_likeness_needs_an_interval_above_zero_and_prompts_may_lose_two_points():
    clip_i, _, clip_t = MEASURES.values()
    sure, unsure = score(np.full((4, 3), 0.1)), score(np.array([[0.3], [-0.2], [0.1]]))
    assert reached(clip_i, sure) and not reached(clip_i, unsure)
    assert reached(clip_t, score(np.full((4, 3), -0.019)))
    assert not reached(clip_t, score(np.full((4, 3), -0.021)))


def measured(adapter, base):
    return {title: Measured(np.array(adapter), np.array(base)) for title in MEASURES.values()}


def test_methods_are_compared_with_the_base_and_with_the_first_by_subject_and_seed():
    found: Table = {
        "lora": measured([[0.2, 0.4], [0.6, 0.6]], [[0.1, 0.1], [0.1, 0.1]]),
        "lora-tsd": measured([[0.3, 0.3], [0.8, 0.6]], [[0.1, 0.1], [0.1, 0.1]]),
    }
    means = {what: by_title[MEASURES["clip_i", "held-out photos"]].value
             for what, by_title in comparisons(found).items()}  # fmt: skip
    assert means == pytest.approx(
        {"lora − base": 0.35, "lora-tsd − base": 0.4, "lora-tsd − lora": 0.05}
    )
    shown = table(found)
    assert "lora-tsd − lora, × 100:" in shown and "+5.0 [" in shown


def test_a_subject_that_is_not_bundled_is_refused_by_name(tmp_path):
    with pytest.raises(ConfigError, match="unicorn.*not bundled.*duck"):
        check_subjects(SubjectsConfig(("unicorn",), out=tmp_path))
