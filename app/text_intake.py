"""Labelled texts as a client sends them: read by the trainers' own readers, written anew. No torch.

Nothing that was sent is kept as it came: what is stored is written from the rows that were read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from app import typed
from app.views import Upload
from trainer.data.glue import GlueTask, LabelledText, Split, read_tsv
from trainer.data.instruct import Item, candidates_of, read_items
from trainer.errors import DataError
from trainer.files import write_text

MAX_FILE_BYTES = 64 * 2**20
"""The commonsense sets of the paper, 170,000 items merged, have about as much."""
Part = Literal["train", "test"]
PARTS: tuple[Part, ...] = ("train", "test")


def part_file(folder: Path, task: GlueTask | None, part: Part) -> Path:
    """Where the trainers look for a part of a set: `None` stands for instructions."""
    if task is None:
        return folder / f"{part}.jsonl"
    dev = "dev_matched" if task.name == "mnli" else "dev"
    return folder / f"{part if part == 'train' else dev}.tsv"


def take_in(upload: Upload, folder: Path, task: GlueTask | None, part: Part) -> None:
    """Check an upload and write its rows into the set's folder.

    Items that name their split give both parts, if both are there; those to score by need choices.
    DataError says which line is wrong, by the name that the file came with.
    """
    with _received(upload, folder) as path:
        if task is not None:
            split: Split = "train" if part == "train" else "dev"
            _write_rows(part_file(folder, task, part), read_tsv(path, task, split), task)
            return
        _write_items(folder, part, read_items(path, part))
        if part == "train" and (kept_apart := _test_items(path)):
            _write_items(folder, "test", kept_apart)


def count(folder: Path, task: GlueTask | None, part: Part) -> int:
    """Rows of a part that was taken in; 0 where there is none."""
    file = part_file(folder, task, part)
    if not file.exists():
        return 0
    lines = file.read_text("utf-8").count("\n")
    return lines - 1 if task else lines


@contextmanager
def _received(upload: Upload, folder: Path) -> Iterator[Path]:
    """The upload as a file of the set's folder, by which the reader knows its kind; then gone."""
    shown, path = typed.file_name(upload.name), folder / "received"
    try:
        path.write_bytes(_bytes(upload, shown))
        yield path
    except DataError as error:
        raise DataError(str(error).replace(str(path), shown)) from error
    except RecursionError as error:
        raise DataError(f"{shown}: its objects are nested too deeply.") from error
    except UnicodeError as error:
        raise DataError(
            f"{shown}: holds half a character (a lone surrogate); write whole ones."
        ) from error
    finally:
        path.unlink(missing_ok=True)


def _bytes(upload: Upload, shown: str) -> bytes:
    source = upload.data
    data = source if isinstance(source, bytes) else source.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise DataError(
            f"{shown}: is larger than {MAX_FILE_BYTES // 2**20} MiB. Take fewer rows; a thousand "
            "teach a lot."
        )
    return data


def _write_rows(path: Path, rows: Sequence[LabelledText], task: GlueTask) -> None:
    """As GLUE's files are: tabs between columns, a row a line, nothing quoted."""

    def named(label: int | float | None) -> str:
        return str(label) if task.is_regression else task.labels[int(label or 0)]

    lines = ["\t".join([*task.sentences, task.label])]
    lines += ["\t".join([*row.texts, named(row.label)]) for row in rows]
    write_text(path, "".join(f"{line}\n" for line in lines))


def _write_items(folder: Path, part: Part, items: Sequence[Item]) -> None:
    for item in items if part == "test" else ():
        candidates_of(item)
    write_text(part_file(folder, None, part), "".join(f"{_line(item)}\n" for item in items))


def _line(item: Item) -> str:
    values = {"instruction": item.instruction, "input": item.input, "output": item.output,
              "answer": item.answer}  # fmt: skip
    return json.dumps(values, ensure_ascii=False)


def _test_items(path: Path) -> list[Item]:
    """Those that a file with both splits keeps for scoring; none where items name no split."""
    try:
        test = read_items(path, "test")
    except DataError:
        return []
    train = {item.where for item in read_items(path, "train")}
    return [item for item in test if item.where not in train]
