"""The tasks of GLUE (Wang et al. 2019; the paper's Table 9), and reading their files. No torch.

    <folder>/<Task>/<split>.tsv    the official download, each file with columns of its own
    <folder>/<split>.tsv           one task alone
    nyu-mll/glue                   the same from the hub, through `datasets`

The official files quote nothing, so a quotation mark is a character like any other; some begin with
a byte-order mark; CoLA has no header outside its test file. A file of one's own needs a header with
the task's columns, or plainly sentence (sentence1, sentence2) and label.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from trainer.config import ASSETS
from trainer.errors import DataError
from trainer.hub import hub_errors

Split = Literal["train", "dev", "test"]
HUB = "nyu-mll/glue"
DEMO_FOLDER = ASSETS / "glue_demo"
_COLA_COLUMNS = ("source", "label", "star", "sentence")
_HIDDEN = -1  # what the hub's test sets say for a label that is kept secret
_PLAIN = {1: ("sentence",), 2: ("sentence1", "sentence2")}


@dataclass(frozen=True)
class GlueTask:
    """One task: where its texts stand and what counts."""

    name: str
    """As the hub calls it."""
    folder: str
    """As the official download calls it, and its submission file."""
    sentences: tuple[str, ...]
    """Columns of the texts, one or two."""
    label: str
    """Column of the label."""
    labels: tuple[str, ...]
    """Their names in the files, in the hub's order; empty for a number (STS-B, 0 to 5)."""
    metrics: tuple[str, ...]
    """Names in `eval.glue_metrics`; the first is the one by which runs are compared."""
    hub_sentences: tuple[str, ...] = ()
    """Columns on the hub, where they are called otherwise."""

    @property
    def is_regression(self) -> bool:
        return not self.labels


@dataclass(frozen=True)
class LabelledText:
    """One row."""

    texts: tuple[str, ...]
    label: int | float | None
    """Index into the task's labels; the number of a regression; None in a test file."""


_BINARY, _ENTAILMENT = ("0", "1"), ("entailment", "not_entailment")
_NLI = ("entailment", "neutral", "contradiction")
_PAIR = ("sentence1", "sentence2")
_ALL = (
    GlueTask("cola", "CoLA", ("sentence",), "label", _BINARY, ("matthews",)),
    GlueTask("sst2", "SST-2", ("sentence",), "label", _BINARY, ("accuracy",)),
    GlueTask(
        "mrpc", "MRPC", ("#1 String", "#2 String"), "Quality", _BINARY, ("accuracy", "f1"), _PAIR
    ),
    GlueTask("qqp", "QQP", ("question1", "question2"), "is_duplicate", _BINARY, ("accuracy", "f1")),
    GlueTask("stsb", "STS-B", _PAIR, "score", (), ("pearson", "spearman")),
    GlueTask("mnli", "MNLI", _PAIR, "gold_label", _NLI, ("accuracy",), ("premise", "hypothesis")),
    GlueTask("qnli", "QNLI", ("question", "sentence"), "label", _ENTAILMENT, ("accuracy",)),
    GlueTask("rte", "RTE", _PAIR, "label", _ENTAILMENT, ("accuracy",)),
    GlueTask("demo", "glue_demo", ("sentence",), "label", _BINARY, ("accuracy",)),
)
TASKS = {task.name: task for task in _ALL}


def task_named(name: str) -> GlueTask:
    """The task; DataError with the possible names."""
    if name not in TASKS:
        raise DataError(f"--task {name} is no task of GLUE; possible: {', '.join(TASKS)}.")
    return TASKS[name]


def read_task(data: str, task: GlueTask, split: Split) -> list[LabelledText]:
    """A split of a task: from a folder, or from the hub where `data` names no folder.

    MNLI's dev and test are the matched ones; the mismatched are read by path. DataError where there
    is no such folder, file or repository.
    """
    if Path(data).is_dir():
        return read_tsv(_find(Path(data), task, split), task)
    return _from_hub(data, task, split)


def read_tsv(path: Path, task: GlueTask) -> list[LabelledText]:
    """The rows of a file; labels None where it has no column for them.

    Rows too short for these columns are left out (QQP's training set has some). DataError names the
    file, the line and what it should hold.
    """
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as UTF-8 text ({error}).") from error
    # Not splitlines(): the texts hold other characters that it would take for the end of a line.
    lines = [line.removesuffix("\r").split("\t") for line in text.split("\n") if line.strip()]
    header, first = _header(lines, task)
    sentences, label = _columns(path, header, task)
    where = {column: header.index(column) for column in (*sentences, *([label] if label else ()))}
    rows = []
    for number, line in enumerate(lines[first:], start=first + 1):
        if len(line) <= max(where.values()):
            continue
        texts = tuple(line[where[column]].strip() for column in sentences)
        value = _label(line[where[label]], task, f"{path}, line {number}") if label else None
        rows.append(LabelledText(texts, value))
    if not rows:
        raise DataError(f"{path}: there is no row of {task.name} in it.")
    return rows


def _find(folder: Path, task: GlueTask, split: Split) -> Path:
    stem = f"{split}_matched" if task.name == "mnli" and split != "train" else split
    possible = [folder / task.folder / f"{stem}.tsv", folder / f"{stem}.tsv"]
    for path in possible:
        if path.is_file():
            return path
    raise DataError(
        f"{folder} holds no {split} set of {task.name}; looked for "
        f"{' and '.join(str(path) for path in possible)}."
    )


def _header(lines: Sequence[Sequence[str]], task: GlueTask) -> tuple[Sequence[str], int]:
    """Column names, and the index of the first row."""
    bare = task.name == "cola" and lines and len(lines[0]) == 4 and lines[0][1] in task.labels
    return (_COLA_COLUMNS, 0) if bare else (lines[0] if lines else (), 1)


def _columns(
    path: Path, header: Sequence[str], task: GlueTask
) -> tuple[tuple[str, ...], str | None]:
    """The columns of the texts and of the label (None without one), as this file calls them."""
    possible = [task.sentences, task.hub_sentences, _PLAIN[len(task.sentences)]]
    found = [names for names in possible if names and set(names) <= set(header)]
    if not found:
        wanted = " or ".join(", ".join(names) for names in dict.fromkeys(filter(None, possible)))
        raise DataError(
            f"{path}: its first line should name tab-separated columns with the texts of "
            f"{task.name} ({wanted}); it has {', '.join(header) or 'nothing'}."
        )
    return found[0], next((name for name in (task.label, "label") if name in header), None)


def _label(value: str, task: GlueTask, where: str) -> int | float | None:
    """A label's index by its name; by its number where a file comes from the hub, -1 for none."""
    try:
        if value in task.labels:
            return task.labels.index(value)
        if float(value) == _HIDDEN:
            return None
        return float(value) if task.is_regression else range(len(task.labels))[int(value)]
    except (ValueError, IndexError) as error:
        possible = "a number" if task.is_regression else ", ".join(task.labels)
        raise DataError(
            f"{where}: the label {value!r} is none of {task.name}; possible: {possible}."
        ) from error


def _from_hub(repo: str, task: GlueTask, split: Split) -> list[LabelledText]:
    """A split from a dataset repository with one configuration a task, as nyu-mll/glue has."""
    import datasets  # seconds to import, and needed for this way only

    instead = f"A folder with {task.folder}/{split}.tsv works without it."
    name = {"train": "train", "dev": "validation", "test": "test"}[split]
    name += "_matched" if task.name == "mnli" and split != "train" else ""
    with hub_errors(repo, DataError, instead):
        try:
            rows = datasets.load_dataset(repo, task.name, split=name)
        except (FileNotFoundError, ValueError) as error:
            raise DataError(
                f"{repo} is neither a folder nor a dataset on the hub with {task.name} in it "
                f"({str(error).splitlines()[0]}). {instead}"
            ) from error
    return [_from_row(row, task) for row in rows]


def _from_row(row: Mapping[str, Any], task: GlueTask) -> LabelledText:
    """A row of the hub's."""
    texts = tuple(str(row[column]) for column in task.hub_sentences or task.sentences)
    label = row["label"]
    return LabelledText(texts, None if label == _HIDDEN else label)
