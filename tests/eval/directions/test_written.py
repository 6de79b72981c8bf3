"""What runs say of themselves: each scoring under a name of its own."""

from __future__ import annotations

from pathlib import Path

from eval.directions.written import score_of_run
from trainer.files import write_json
from trainer.text_run import TextRun


def test_every_scoring_of_a_run_is_found_the_tasks_own_first(tmp_path: Path) -> None:
    run = TextRun(tmp_path)
    run.metrics.write_text('{"kind": "validation", "step": 3, "loss": 0.5}\n')
    assert score_of_run(run) == {"validation loss": 0.5}
    write_json(tmp_path / "scores-commonsense-generation.json", {"average": 0.25, "scores": {}})
    write_json(tmp_path / "scores.json", {"scores": {"f1": {"value": 0.75}, "em": {"value": 0.1}}})
    assert list(score_of_run(run).items()) == [
        ("f1", 0.75), ("accuracy, commonsense-generation", 0.25), ("validation loss", 0.5),
    ]  # fmt: skip
