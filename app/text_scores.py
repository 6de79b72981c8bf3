"""The scores of a run on texts, by its own set and by others, with what was answered. No torch."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.runs import one_of, read_json
from app.text_sets import GLUE_DEMO, HUB_SETS, ITEMS_DEMO, TextSets
from app.text_views import TextSetView
from app.workspace import Workspace
from trainer.text_config import GlueConfig, LLMConfig
from trainer.text_run import TextRun

OWN, TEST = "own", "test"
"""What the scores by the run's own set are called, and the answers to its test set."""
_STEM = "scores"


@dataclass(frozen=True)
class TextScores:
    """One scoring of a run."""

    id: str
    """`own`, or what the scorer calls the set."""
    values: dict[str, Any]
    """What the scorer wrote (eval.score_glue, eval.score_commonsense)."""


def own_set(workspace: Workspace, config: GlueConfig | LLMConfig) -> str | None:
    """Id of the set that a run was trained on; None for data that the command line was given."""
    if config.data is not None:
        folder = Path(config.data).resolve()
        return folder.name if folder.parent == workspace.texts.resolve() else None
    if isinstance(config, LLMConfig):
        return ITEMS_DEMO
    hub = {task.name: set_id for set_id, task in HUB_SETS.items()}
    return hub.get(config.task, GLUE_DEMO)


def scorings(run: TextRun) -> dict[str, Path]:
    """The file of every scoring of a run by its id, that of its own set first."""
    files = sorted(run.path.glob(f"{_STEM}*.json"), key=lambda file: len(file.stem))
    return {_id(file): file for file in files}


def all_scores(run: TextRun) -> list[TextScores]:
    """Every scoring of a run, that of its own set first."""
    found = ((scoring, read_json(file)) for scoring, file in scorings(run).items())
    return [TextScores(scoring, values) for scoring, values in found if values is not None]


def predictions_file(run: TextRun, scoring: str) -> Path:
    """The answers behind a scoring; only those that are there are known."""
    one_of(scorings(run), scoring, f"The run {run.path.name} has no scores {scoring[:100]!r}")
    own = run.predictions
    return own if scoring == OWN else own.with_stem(f"{own.stem}-{scoring}")


def first_predictions(run: TextRun, scoring: str, rows: int) -> list[dict[str, Any]]:
    """The first so many answers of a scoring."""
    with predictions_file(run, scoring).open(encoding="utf-8") as lines:
        return [json.loads(line) for line in itertools.islice(lines, rows)]


def submissions(run: TextRun) -> dict[str, Path]:
    """The files for GLUE's server that a run has made, by name."""
    return {file.name: file for file in sorted(run.submissions.glob("*.tsv"))}


def submission_file(run: TextRun, name: str) -> Path:
    """One of them; only those that are there are known."""
    missing = f"The run {run.path.name} has no file {name[:100]!r} for GLUE's server"
    return one_of(submissions(run), name, missing)


def no_test_set(sets: TextSets, config: GlueConfig | LLMConfig, own: str | None) -> str | None:
    """Why the texts of a run have no test set to predict; None where they have one, or where only
    the folder that the command line was given knows."""
    if isinstance(config, LLMConfig):
        return "Instructions have no server that takes answers: only the tasks of GLUE have."
    if own is None or own in HUB_SETS:
        return None
    return (
        f"The texts {sets.get(own).name} have no test set to predict for GLUE's server; those of "
        "GLUE on the hub have one. A file by path: python -m eval.score_glue RUN FILE.tsv."
    )


def scorable(sets: TextSets, config: GlueConfig | LLMConfig) -> list[TextSetView]:
    """Sets of the run's recipe and task that have rows to score by."""
    task = config.task if isinstance(config, GlueConfig) else None
    return [view for view in sets.all() if view.task == task and view.test]


def _id(file: Path) -> str:
    return file.stem.removeprefix(_STEM).removeprefix("-") or OWN
