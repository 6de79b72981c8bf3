"""An estimate says what it is from, and knows its own range."""

from __future__ import annotations

import dataclasses

from app.estimate import estimate
from app.workspace import Workspace
from tests.past_runs import write_past
from trainer.config import PRESETS, DreamBoothConfig
from trainer.run import Run

DEMO = PRESETS["demo"]


def test_with_no_run_to_go_by_it_says_so_and_is_wide(workspace: Workspace) -> None:
    found = estimate(DEMO, 5, workspace, score=False)
    assert found.steps == 400 and found.high / found.low > 4
    assert "measured on two CPU cores" in found.basis


def test_runs_like_it_decide_by_steps_and_what_is_beside_them(workspace: Workspace) -> None:
    write_past(Run(workspace.run("a-1")), DEMO, step=0.5, beside=30, gib=1.5)
    found = estimate(DEMO, 5, workspace, score=False)
    assert round(found.seconds) == 400 * 0.5 + 30
    assert found.low < found.seconds < found.high < 2 * found.seconds
    assert (found.memory_gib, found.basis) == (1.5, "from the last 1 run like this one")


def test_runs_of_other_settings_do_not_count(workspace: Workspace) -> None:
    other = dataclasses.replace(DEMO.optim, batch_size=1)
    config = dataclasses.replace(DEMO, optim=other)
    write_past(Run(workspace.run("a-1")), config, step=9, beside=0, gib=1.5)
    assert "measured on two CPU cores" in estimate(DEMO, 5, workspace, score=False).basis


def test_sdxl_without_any_run_is_called_a_guess(workspace: Workspace) -> None:
    found = estimate(DreamBoothConfig(), 4, workspace, score=False)
    assert "a guess" in found.basis and found.steps == 500


def test_low_vram_is_estimated_to_need_less_memory_and_more_time(workspace: Workspace) -> None:
    plain, low = (
        estimate(PRESETS[name], 4, workspace, score=False) for name in ("default", "low-vram")
    )
    assert low.memory_gib < plain.memory_gib and low.seconds > plain.seconds
