"""The tasks of GLUE (Wang et al. 2019; the paper's Table 9), and reading their files. No torch.

    <folder>/<Task>/<split>.tsv    the official download, each file with columns of its own
    <folder>/<split>.tsv           one task alone
    nyu-mll/glue                   the same from the hub, through `datasets`

The official files quote nothing, so a quotation mark is a character like any other; some begin with
a byte-order mark; CoLA has no header outside its test file; line ends inside some questions of QQP
cut their rows in two. A file of one's own needs a header with the task's columns, or plainly
sentence (sentence1, sentence2) and label.

A label is checked where it is read, and nowhere else: what comes from here can be learnt from.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from trainer.config import ASSETS
from trainer.errors import DataError
from trainer.hub import hub_errors

logger = logging.getLogger(__name__)

Split = Literal["train", "dev", "test"]
"""A test set may come without labels; the others are learnt from and scored by."""
HUB = "nyu-mll/glue"
DEMO_FOLDER = ASSETS / "glue_demo"
SIMILARITY = (0.0, 5.0)
"""The lowest and the highest number of STS-B, the one regression."""
_COLA_COLUMNS = ("source", "label", "star", "sentence")
_QQP_COLUMNS = ("id", "qid1", "qid2", "question1", "question2", "is_duplicate")
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
    is no such folder, file or repository, and for a wrong row as in `read_tsv`.
    """
    if Path(data).is_dir():
        return read_tsv(_find(Path(data), task, split), task, split)
    return _from_hub(data, task, split)


def read_tsv(path: Path, task: GlueTask, split: Split = "test") -> list[LabelledText]:
    """The rows of a file. All have a label or, in a test set, none has.

    Rows of GLUE's own QQP that are cut short are left out and counted in a warning. DataError names
    the file and the line, what was given and what is possible.
    """
    lines = _lines(path)
    header, first = _header(lines[0][1] if lines else [], task)
    sentences, label = _columns(path, header, task, split)
    where = {column: header.index(column) for column in (*sentences, *([label] if label else ()))}
    rows, cut = {}, 0
    for number, cells in lines[first:]:
        if len(cells) <= max(where.values()):
            if tuple(header) != _QQP_COLUMNS:
                raise _too_short(f"{path}, line {number}", cells, header)
            cut += 1
            continue
        texts = tuple(cells[where[column]].strip() for column in sentences)
        value = _label(cells[where[label]], task, f"{path}, line {number}") if label else None
        rows[number] = LabelledText(texts, value)
    if cut:
        logger.warning("%s: left out %d lines that line ends inside questions cut", path, cut)
    if not rows:
        raise DataError(f"{path}: there is no row of {task.name} in it.")
    return _all_labelled(rows, task, split, f"{path}, line")


def _lines(path: Path) -> list[tuple[int, list[str]]]:
    """The lines that hold something, in cells, each with its number in the file."""
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as UTF-8 text ({error}).") from error
    # Not splitlines(): the texts hold other characters that it would take for the end of a line.
    lines = enumerate(text.split("\n"), start=1)
    return [(number, line.removesuffix("\r").split("\t")) for number, line in lines if line.strip()]


def _too_short(where: str, cells: Sequence[str], header: Sequence[str]) -> DataError:
    return DataError(
        f"{where}: has {len(cells)} of the {len(header)} columns {', '.join(header)}; given "
        f"{' | '.join(cells)[:200]!r}. Columns are set apart by a tab, not by spaces."
    )


def _all_labelled(
    rows: Mapping[int, LabelledText], task: GlueTask, split: Split, where: str
) -> list[LabelledText]:
    """The rows; DataError names the first without a label, unless it is a test set without any."""
    bare = [number for number, row in rows.items() if row.label is None]
    if bare and (split != "test" or len(bare) < len(rows)):
        raise DataError(
            f"{where} {bare[0]}: has no label (nothing, or {_HIDDEN}): "
            f"{rows[bare[0]].texts[0][:100]!r}. To learn from or to score by, every row needs one; "
            f"possible: {_possible(task)}. Only a set to predict goes without, in all its rows."
        )
    return list(rows.values())


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


def _header(first: Sequence[str], task: GlueTask) -> tuple[Sequence[str], int]:
    """Column names, and the index of the first row."""
    bare = task.name == "cola" and len(first) == 4 and first[1] in task.labels
    return (_COLA_COLUMNS, 0) if bare else (first, 1)


def _columns(
    path: Path, header: Sequence[str], task: GlueTask, split: Split
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
    labels = tuple(dict.fromkeys((task.label, "label")))
    label = next((name for name in labels if name in header), None)
    if label is None and split != "test":
        raise DataError(
            f"{path}: has no column of labels ({' or '.join(labels)}) to learn from or to score "
            f"by; it has {', '.join(header)}. Possible labels: {_possible(task)}."
        )
    return found[0], label


def _label(value: str, task: GlueTask, where: str) -> int | float | None:
    """A label's index by its name, or by its number as on the hub; None for -1 or nothing."""
    value = value.strip()
    if value in task.labels:
        return task.labels.index(value)
    try:
        number = float(value or _HIDDEN)
    except ValueError:
        number = math.nan
    if number == _HIDDEN:
        return None
    if task.is_regression and SIMILARITY[0] <= number <= SIMILARITY[1]:
        return number
    if number in range(len(task.labels)):
        return int(number)
    raise DataError(
        f"{where}: the label {value!r} is none of {task.name}; possible: {_possible(task)}."
    )


def _possible(task: GlueTask) -> str:
    low, high = SIMILARITY
    return f"a number from {low:g} to {high:g}" if task.is_regression else ", ".join(task.labels)


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
    where = f"{repo}, {name}, row"
    read = {n: _from_row(row, task, f"{where} {n}") for n, row in enumerate(rows, start=1)}
    return _all_labelled(read, task, split, where)


def _from_row(row: Mapping[str, Any], task: GlueTask, where: str = "") -> LabelledText:
    """A row of the hub's."""
    texts = tuple(str(row[column]) for column in task.hub_sentences or task.sentences)
    label = row.get("label")
    return LabelledText(texts, _label("" if label is None else str(label), task, where))
