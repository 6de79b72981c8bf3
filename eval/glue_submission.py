"""Predictions as gluebenchmark.com takes them: one `<Task>.tsv` a task. No torch.

The server wants the files of all tasks in one zip, which is for the person to make: each run has
its own task.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from trainer.data.glue import GlueTask


def file_name(task: GlueTask, source: Path) -> str:
    """Name of the submission file; MNLI has two, told apart by the test file."""
    if task.name != "mnli":
        return f"{task.folder}.tsv"
    return "MNLI-mm.tsv" if "mismatched" in source.stem else "MNLI-m.tsv"


def submission(task: GlueTask, predicted: Iterable[float]) -> str:
    """The file's text: the test rows in their order, labels by name, STS-B to three places."""
    told = [
        f"{value:.3f}" if task.is_regression else task.labels[int(value)] for value in predicted
    ]
    rows = (f"{index}\t{prediction}\n" for index, prediction in enumerate(told))
    return "index\tprediction\n" + "".join(rows)
