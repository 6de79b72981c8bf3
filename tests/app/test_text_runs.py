"""Runs on text in a workspace: listed with what they are, never mixed up with those on photos."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.text_runs import TextRuns
from app.workspace import Workspace
from tests.text_bases import glue_recipe, llm_recipe
from trainer import glue
from trainer.errors import ArtifactError, ConfigError
from trainer.text_run import TextRun


def test_a_run_is_listed_with_task_base_method_seed_and_step(
    workspace: Workspace, bert: Path, llama: Path
) -> None:
    config = glue_recipe(bert, workspace.root)
    trained = glue.train(replace(config, optim=replace(config.optim, seed=3)))
    begun = TextRun(workspace.run("begun"))
    begun.write_config(replace(llm_recipe(llama, workspace.root), instead="full"))
    begun.metrics.write_text('{"kind": "step", "step": 2}\n')
    views = {view.name: view for view in TextRuns(workspace).all()}
    done = views[trained.path.name]
    assert (done.task, done.base, done.method, done.seed, done.steps, done.state) == (
        "demo", str(bert), "lora-tsd", 3, 6, "succeeded",
    )  # fmt: skip
    assert done.base_fingerprint and done.finished_at and not done.instead
    unfinished = views["begun"]
    assert (unfinished.task, unfinished.method, unfinished.steps) == ("instructions", "full", 2)
    assert (unfinished.state, unfinished.instead) == ("unfinished", True)
    assert unfinished.base_fingerprint is None


def test_a_damaged_run_and_one_on_photos_are_left_out(
    workspace: Workspace, bert: Path, scored_run: Any
) -> None:
    scored_run("duck-1", 8)
    TextRun(workspace.run("good")).write_config(glue_recipe(bert, workspace.root))
    workspace.run("bad").mkdir()
    (workspace.run("bad") / "config.json").write_text("{")
    runs = TextRuns(workspace)
    assert [view.name for view in runs.all()] == ["good"]
    with pytest.raises(ArtifactError, match="duck-1 is no training on text"):
        runs.open("duck-1")


def test_what_is_not_there_is_refused_by_name(workspace: Workspace) -> None:
    with pytest.raises(ArtifactError, match="no run 'nobody'"):
        TextRuns(workspace).get("nobody")
    with pytest.raises(ConfigError, match="is no name"):
        TextRuns(workspace).get("../runs")
