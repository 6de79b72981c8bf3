"""What a run shows: its training as it goes on, and its scores with what they are held against."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from PIL import Image

from app.jobs.records import Job, JobKind, JobState, StateError
from app.requests import ScoreRequest
from app.studio import Studio
from app.tabs.choices import run_choices, unfinished_choices
from app.tabs.live import training_body
from app.tabs.scorecard import scorecard
from app.tabs.scores import shown_run
from trainer.config import preset
from trainer.files import write_json
from trainer.run import Run, Subject

STEP = {"kind": "step", "attempt": 1, "loss": 0.5, "grad_norm": 0.1, "learning_rate": 1e-3,
        "seconds": 0.25, "memory_gib": 1.5}  # fmt: skip
LAUNCH = {"kind": "launch", "attempt": 1, "step": 3, "layers": 2, "plain": ["a"], "directions": {
    "mid_block.attentions.0.attn1.to_q": {"index": [0, 1], "rate": [0.2, 0.1]},
    "up_blocks.1.attentions.0.attn2.to_k": {"index": [5, 2], "rate": [0.9, 0.8]},
}}  # fmt: skip
JOB = Job("ab12", JobKind.TRAIN, "duck", {}, JobState.RUNNING, run="duck-lora-tsd-1")


@pytest.fixture
def run(studio: Studio) -> Run:
    """A run of five steps with a launch and two previews."""
    run = Run(studio.workspace.run("duck-lora-tsd-1"))
    run.write_config(preset("demo"))
    run.write_subject(Subject("duck", "zwx", "duck", ()))
    rows = [*({**STEP, "step": step} for step in range(1, 4)), LAUNCH,
            *({**STEP, "step": step} for step in (4, 5))]  # fmt: skip
    run.metrics.write_text("".join(json.dumps(row) + "\n" for row in rows))
    run.samples.mkdir()
    for name in ("step-000000-seed-0", "step-000005-seed-1", "step-000005-seed-0"):
        Image.new("RGB", (8, 8)).save(run.samples / f"{name}.png")
    return run


def score(value: float) -> dict[str, Any]:
    return {"value": value, "low": value - 0.1, "high": value + 0.1, "n": 8}


def scores_of(run: Run) -> dict[str, Any]:
    row = {"scorer": "a CLIP", "measure": "clip_i", "against": "photos", "adapter": score(0.7),
           "base": score(0.4), "difference": score(0.3), "real": None}  # fmt: skip
    return {
        "run": run.path.name, "base": "embedded", "prompts": {"n": 4}, "seeds": [0, 1],
        "photos": {"n": 5, "held_out": 0}, "scores": [row],
        "sampling": {"num_inference_steps": 30, "guidance_scale": 3.0},
        "scorers": [{"name": "a CLIP", "available": True},
                    {"name": "dino", "available": False, "reason": "no <network>"}],
    }  # fmt: skip


def test_the_newest_previews_come_first_seed_by_seed(studio: Studio, run: Run) -> None:
    labels = re.findall(r"<span>(step [^<]+)</span>", str(training_body(studio, JOB)))
    assert labels == ["step 5, seed 0", "step 5, seed 1", "step 0, seed 0"]


def test_the_launch_says_how_many_directions_and_where_they_are_strongest(
    studio: Studio, run: Run
) -> None:
    page = str(training_body(studio, JOB))
    assert "At step 3 it chose 2 directions of your subject in each of 2 layers" in page
    assert page.index("up block 1 (text attention)") < page.index("middle block")
    assert "1 layer had learned nothing yet and goes on" in page


def test_before_the_launch_it_says_what_it_waits_for_but_not_for_plain_lora(
    studio: Studio, run: Run
) -> None:
    run.metrics.write_text(json.dumps({**STEP, "step": 1}) + "\n")
    assert "pre-launch phase" in str(training_body(studio, JOB))
    plain = preset("demo")
    run.write_config(replace(plain, adapter=replace(plain.adapter, method="lora")))
    assert "pre-launch phase" not in str(training_body(studio, JOB))


def test_a_training_that_has_no_folder_yet_shows_nothing(studio: Studio) -> None:
    assert training_body(studio, JOB) is None


def test_a_score_stands_with_n_interval_yardstick_and_what_good_looks_like(
    studio: Studio, run: Run
) -> None:
    write_json(run.scores, scores_of(run))
    page = scorecard(studio, run.path.name)
    cells = re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", page.split("<tbody>")[1])
    label, n, adapter, base, difference, real, good = cells
    assert (label, n) == ("CLIP-I, photos", "8")
    assert "70.0" in adapter and "60.0 … 80.0" in adapter and "40.0" in base
    assert "+30.0" in difference and "–" in real and good.startswith("near the real photos")


def test_a_scorer_that_is_not_there_says_why_as_text(studio: Studio, run: Run) -> None:
    write_json(run.scores, scores_of(run))
    assert "dino was not measured: no &lt;network&gt;" in scorecard(studio, run.path.name)


def test_the_best_checkpoint_is_marked_with_its_reason(studio: Studio, run: Run) -> None:
    write_json(run.scores, scores_of(run))
    rows = scores_of(run)["scores"]
    points = [
        {"checkpoint": step, "clip_t": 0.3 + step / 100, "clip_i": 0.6, "scores": rows}
        for step in (3, 5)
    ]
    best = {"checkpoint": 5, "reason": "as like, more obedient"}
    write_json(run.path / "curve.json", {"points": points, "best": best})
    page = scorecard(studio, run.path.name)
    assert page.count('class="best"') == 1
    assert "Best: step 5, as like, more obedient." in page
    assert "Scores at step 3" in page and "Scores at step 5" in page


def test_an_unscored_run_says_what_to_press(studio: Studio, run: Run) -> None:
    assert "Score this run" in scorecard(studio, run.path.name)


def test_a_scorecard_names_its_run_scored_or_not(studio: Studio, run: Run) -> None:
    heading = "<h3>duck-lora-tsd-1</h3>"
    assert heading in scorecard(studio, run.path.name)
    write_json(run.scores, scores_of(run))
    assert heading in scorecard(studio, run.path.name)


def test_an_unfinished_run_is_listed_after_finished_ones_and_can_only_be_deleted(
    studio: Studio, run: Run
) -> None:
    done = Run(studio.workspace.run("duck-lora-1"))
    done.write_config(preset("demo"))
    write_json(done.status_file, {"state": "succeeded", "step": 5})
    assert [name for _, name in run_choices(studio)] == ["duck-lora-1"]
    assert unfinished_choices(studio) == [("duck-lora-tsd-1 (unfinished)", "duck-lora-tsd-1")]
    card, files = shown_run(studio, run.path.name)
    assert "Not finished" in card and "duck-lora-tsd-1" in card
    assert 'data-do="delete"' in files and "href" not in files
    with pytest.raises(StateError, match="has no adapter yet"):
        studio.score(ScoreRequest(run.path.name))
    card, files = shown_run(studio, "duck-lora-1")
    assert "Score this run" in card and "href" in files
