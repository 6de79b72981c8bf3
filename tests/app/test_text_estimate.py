"""An estimate of a training on texts knows what it is from, and what it cannot know."""

from __future__ import annotations

import dataclasses
import os

import pytest

from app.studio import Studio
from app.text_estimate import estimate_text
from app.text_requests import TextMethodsRequest, TextTrainRequest
from app.text_sets import GLUE_DEMO, ITEMS_DEMO, TextSets
from app.text_training import TextConfig, config_of
from app.views import Estimate
from app.workspace import Workspace
from tests.past_runs import write_past
from trainer.errors import ConfigError
from trainer.files import write_json
from trainer.text_run import TextRun

CELL = {"optim": {"steps": 20, "batch_size": 32}}
"""Of a cell that is asked for with 20 steps."""


def asked(workspace: Workspace, data: str, **settings: object) -> TextConfig:
    return config_of(TextTrainRequest(data, settings=settings), workspace)


def estimated(
    workspace: Workspace, config: TextConfig, data: str = GLUE_DEMO, score: bool = False
) -> Estimate:
    return estimate_text(config, TextSets(workspace).get(data), workspace, score)


def finished(workspace: Workspace, config: TextConfig, step: float, beside: float) -> None:
    run = TextRun(workspace.run("texts-1"))
    model = dataclasses.replace(config.model, precision="fp32")  # as a CPU resolves `auto`
    trained = dataclasses.replace(config, run=run.path, model=model)
    write_past(run, trained, step=step, beside=beside, gib=0.5)


def test_with_no_run_to_go_by_it_says_what_was_measured(workspace: Workspace) -> None:
    glue = estimated(workspace, asked(workspace, GLUE_DEMO, optim={"steps": 40, "batch_size": 32}))
    assert glue.steps == 40 and glue.low < glue.seconds < glue.high
    assert "MiniLM" in glue.basis
    items = estimated(workspace, asked(workspace, ITEMS_DEMO), ITEMS_DEMO)
    assert "SmolLM2" in items.basis and items.seconds > glue.seconds


def test_half_the_batch_takes_half_the_time_of_a_step(workspace: Workspace) -> None:
    seconds = [
        estimated(
            workspace, asked(workspace, GLUE_DEMO, optim={"steps": steps, "batch_size": batch})
        ).seconds
        for steps, batch in ((100, 16), (50, 32))
    ]
    assert seconds[0] == seconds[1]


def test_a_finished_run_on_the_same_texts_decides(workspace: Workspace) -> None:
    config = asked(workspace, GLUE_DEMO, optim={"steps": 30})
    finished(workspace, config, step=2.0, beside=7)
    found = estimated(workspace, config)
    assert round(found.seconds) == 30 * 2 + 7 and found.memory_gib == 0.5
    longer = asked(workspace, GLUE_DEMO, optim={"steps": 30}, max_length=32)
    assert "MiniLM" in estimated(workspace, longer).basis


def test_scoring_is_in_it_once_a_run_like_it_was_scored(workspace: Workspace) -> None:
    config = asked(workspace, GLUE_DEMO, optim={"steps": 30})
    assert "scoring comes on top" in estimated(workspace, config, score=True).basis
    finished(workspace, config, step=2.0, beside=7)
    run = TextRun(workspace.run("texts-1"))
    write_json(run.scores, {"seconds": 20})
    ended = run.status_file.stat().st_mtime
    os.utime(run.scores, (ended, ended + 60))  # scored a minute later than it could have been
    found = estimated(workspace, config, score=True)
    assert round(found.seconds) == 30 * 2 + 7 + 20
    assert "scoring is about 20 s of it, from the last 1 that was scored" in found.basis
    write_json(run.scores, {})  # of an older version
    assert "scoring comes on top" in estimated(workspace, config, score=True).basis


def test_steps_that_only_the_hub_could_count_are_not_made_up(workspace: Workspace) -> None:
    config = asked(workspace, "hub-sst2", optim={"steps": None})
    with pytest.raises(ConfigError, match="only the hub has counted"):
        estimated(workspace, config, "hub-sst2")
    counted = dataclasses.replace(config, optim=dataclasses.replace(config.optim, steps=70))
    assert estimated(workspace, counted, "hub-sst2").steps == 70


def test_a_comparison_counts_its_cells_and_the_trials_of_its_rates(studio: Studio) -> None:
    asked = TextMethodsRequest(GLUE_DEMO, ("lora", "lora-tsd"), seeds=(0, 1), steps=20)
    found = studio.texts.estimate_methods(asked)
    assert found.steps == 2 * (2 + 2) * 20 and "8 trainings" in found.basis
    more = dataclasses.replace(asked, rates=(1e-4, 2e-4, 3e-4))
    assert studio.texts.estimate_methods(more).seconds == found.seconds / 8 * 10


def test_a_comparison_scores_its_cells_alone_and_no_trial(studio: Studio) -> None:
    asked = TextMethodsRequest(GLUE_DEMO, ("lora", "lora-tsd"), seeds=(0, 1), steps=20)
    assert "scoring comes on top" in studio.texts.estimate_methods(asked).basis
    config = config_of(TextTrainRequest(GLUE_DEMO, settings=CELL), studio.workspace)
    finished(studio.workspace, config, step=2.0, beside=7)
    write_json(TextRun(studio.workspace.run("texts-1")).scores, {"seconds": 20})
    found = studio.texts.estimate_methods(asked)
    assert round(found.seconds) == 8 * (20 * 2 + 7) + 4 * 20


def test_a_cell_on_instructions_has_its_part_of_a_run_s_scoring(studio: Studio) -> None:
    """Its items; nothing of the base, which a run's scoring has beside the adapter."""
    config = config_of(TextTrainRequest(ITEMS_DEMO, settings=CELL), studio.workspace)
    finished(studio.workspace, config, step=2.0, beside=7)
    write_json(TextRun(studio.workspace.run("texts-1")).scores, {"seconds": 59 * 4})
    asked = TextMethodsRequest(ITEMS_DEMO, ("lora",), seeds=(0,), steps=20)
    trained = 3 * (20 * 2 + 7)
    whole, part, written = (
        studio.texts.estimate_methods(dataclasses.replace(asked, **items))
        for items in ({}, {"test_items": 10}, {"generated_items": 5})
    )
    assert round(whole.seconds) == round(written.seconds) == trained + 59 * 2
    assert round(part.seconds) == trained + 10 * 2
    assert "written answers come on top" in written.basis and "written" not in whole.basis
