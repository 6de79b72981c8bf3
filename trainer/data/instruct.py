"""Items of the commonsense sets (LLM-Adapters, Hu et al. 2023) and their prompts. No torch.

    {"instruction": "Please choose the correct answer to the question: What do bees make?\n\n
                     Answer1: silk Answer2: honey Answer3: milk\n\n
                     Answer format: answer1/answer2/answer3",
     "input": "", "output": "the correct answer is answer2", "answer": "answer2"}

as a JSON list or one object a line; without `answer`, the output tells it. An item is put to a
model in one of two styles:

    labels    the instruction in the Alpaca template; answered by its output, which names a label.
              What the paper trains and tests.
    texts     "Question: What do bees make?\nAnswer:", answered by " honey". What a small model can
              do without training; the options are not shown, only compared.

An item without choices, like {"instruction": "Say 3", "output": "3"}, is answered by its output as
given, in either style. It can be learnt from; only to be scored does an item need choices.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from trainer.config import ASSETS
from trainer.errors import DataError

Split = Literal["train", "test"]
Style = Literal["labels", "texts"]
DEMO_FILE = ASSETS / "commonsense_demo.jsonl"

COMMONSENSE: dict[str, tuple[str, ...]] = {
    "boolq": ("true", "false"),
    "piqa": ("solution1", "solution2"),
    "social_i_qa": ("answer1", "answer2", "answer3"),
    "hellaswag": ("ending1", "ending2", "ending3", "ending4"),
    "winogrande": ("option1", "option2"),
    "ARC-Easy": ("answer1", "answer2", "answer3", "answer4", "answer5"),
    "ARC-Challenge": ("answer1", "answer2", "answer3", "answer4", "answer5"),
    "openbookqa": ("answer1", "answer2", "answer3", "answer4"),
}
"""The answers of the eight sets, in the order of the paper's Table 1."""

# Alpaca's own (Taori et al. 2023), which LLM-Adapters indents by the accident of its source code.
_INTRODUCTION = "Below is an instruction that describes a task"
_REQUEST = "Write a response that appropriately completes the request."
_CHOICES = re.compile(r"Answer format:\s*(\S+/\S+)\s*$")
_TOLD = re.compile(r"\s*the correct answer is\s+(.+?)\.?\s*$", re.IGNORECASE)
_OPTION = re.compile(r"(?:Answer|Solution|Ending|Option)\d: ")
_FIRST_OPTION = re.compile(r"\n\n(?=(?:Answer|Solution|Ending|Option)1: )")
_FIELDS = ("instruction", "input", "output", "answer", "split")
_LEAD = re.compile(r"^Please (?:choose|answer)[^:]*: *", re.IGNORECASE)


@dataclass(frozen=True)
class Item:
    """One instruction and its answer."""

    instruction: str
    input: str
    output: str
    """What a model is to write."""
    answer: str
    """The label in it; the output itself in items without labels."""
    choices: tuple[str, ...]
    """The labels that are possible; empty in items without."""
    where: str = field(default="", compare=False)
    """File and number, for errors."""


def read_items(path: Path, split: Split = "train") -> list[Item]:
    """The items of a file, or of all sets in a folder that have the split, merged.

    A file whose items name their split gives those of `split`; another gives all. DataError says
    which file and which item is wrong, in whatever split.
    """
    return [item for file in find_sets(path, split).values() for item in _read_file(file, split)]


def find_sets(path: Path, split: Split) -> dict[str, Path]:
    """Set name -> file: the file itself, or <folder>/<split>.json(l) and <folder>/<set>/ of it."""
    if path.is_file():
        return {
            path.stem if path.stem not in ("train", "test") else path.resolve().parent.name: path
        }
    found = {
        file.resolve().parent.name: file
        for pattern in (f"{split}.json*", f"*/{split}.json*")
        for file in sorted(path.glob(pattern))
    }
    if not found:
        raise DataError(
            f"{path}: no {split} items there. Give a .json or .jsonl file, or a folder with "
            f"{split}.json or with a folder for each set, such as boolq/{split}.json."
        )
    return found


def require_apart(path: Path) -> None:
    """DataError for a file whose items are learnt from and, for want of a split, scored by too."""
    if not path.is_file():
        return
    train, test = ({item.where for item in read_items(path, split)} for split in get_args(Split))
    if both := len(train & test):
        raise DataError(
            f"{path}: {both} of its items name no split, so scores by them would be of what was "
            "learnt. Score by another file (python -m eval.score_commonsense RUN FILE); or give "
            'each item a "split", train or test, and train anew.'
        )


def _read_file(path: Path, split: Split) -> list[Item]:
    try:
        text = path.read_text("utf-8-sig")
        rows = json.loads(text) if text.lstrip().startswith("[") else list(_lines(text))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not understood as JSON or JSON lines ({error}).") from error
    answers = COMMONSENSE.get(path.resolve().parent.name, ())
    read = [
        (row, _item(row, answers, f"{path}, item {number}"))
        for number, row in enumerate(rows, start=1)
    ]
    items = [item for row, item in read if row.get("split", split) == split]
    if not items:
        raise DataError(f"{path}: there is no item of the {split} split in it.")
    return items


def _lines(text: str) -> Iterator[Any]:
    """The objects of JSON lines; ValueError says on which line of the file one is broken."""
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                yield json.loads(line)
            except json.JSONDecodeError as error:
                raise ValueError(f"line {number}, column {error.colno}: {error.msg}") from error


def _item(row: Any, answers: tuple[str, ...], where: str) -> Item:
    """Check a row; its choices from its "Answer format" line, else from its set."""
    texts = isinstance(row, dict) and [row.get(name, "") for name in ("instruction", "output")]
    if not texts or not all(isinstance(text, str) and text for text in texts):
        raise DataError(
            f"{where}: needs the texts instruction and output (and may have input and answer); "
            f"given {json.dumps(row, ensure_ascii=False)[:200]}."
        )
    for name in _FIELDS:
        if not isinstance(row.get(name, ""), str):
            raise DataError(
                f"{where}: {name} is {json.dumps(row[name])[:100]}, which is no text. Put it in "
                "quotation marks, or leave it out."
            )
    told = _CHOICES.search(row["instruction"])
    choices = tuple(told[1].split("/")) if told else answers
    answer = _answer(row, choices, where)
    return Item(row["instruction"], row.get("input", ""), row["output"], answer, choices, where)


def _answer(row: dict[str, str], choices: tuple[str, ...], where: str) -> str:
    """The label, from `answer` or from an output as the published sets have it."""
    told = _TOLD.match(row["output"]) if choices else None
    answer = row.get("answer", told[1] if told else row["output"])
    if not choices or answer in choices:
        return answer
    if "answer" in row:
        raise DataError(f"{where}: the answer {answer!r} is none of {', '.join(choices)}.")
    raise DataError(
        f"{where}: has no answer, and its output {row['output'][:100]!r} names none of "
        f'{", ".join(choices)}. Write "answer": "{choices[0]}", or as output "the correct answer '
        f'is {choices[0]}".'
    )


def prompt_of(item: Item, style: Style = "labels") -> str:
    """What the model is given."""
    if style == "texts":
        return f"Question: {_question_and_options(item)[0]}\nAnswer:"
    paired = ", paired with an input that provides further context" if item.input else ""
    given = f"\n\n### Input:\n{item.input}" if item.input else ""
    return (
        f"{_INTRODUCTION}{paired}. {_REQUEST}\n\n"
        f"### Instruction:\n{item.instruction}{given}\n\n### Response:\n"
    )


def completion_of(item: Item, style: Style = "labels") -> str:
    """What the model is to write after the prompt.

    DataError for an item with choices whose texts the style wants and nobody finds.
    """
    if style == "labels":
        return item.output
    if not item.choices:
        return f" {item.output}"
    return candidates_of(item, style)[item.choices.index(item.answer)]


def candidates_of(item: Item, style: Style = "labels") -> tuple[str, ...]:
    """What the model could write, one text a choice, in their order.

    DataError for an item without choices, or whose options cannot be told apart.
    """
    if not item.choices:
        raise DataError(
            f"{_named(item)} has no options to compare, so it can be learnt from but not scored. "
            "To score it, end its instruction with its options and their labels: Answer1: … "
            "Answer2: … Answer format: answer1/answer2."
        )
    if style == "labels":
        return tuple(f"the correct answer is {choice}" for choice in item.choices)
    texts = tuple(f" {text}" for text in _question_and_options(item)[1])
    if len(texts) != len(item.choices):
        raise DataError(
            f"{_named(item)} has no options to compare in the style texts: for the labels "
            f"{', '.join(item.choices)} it has {len(texts)} texts. Give each one, as Answer1: … "
            "Answer2: … after an empty line, or take the style labels."
        )
    return texts


def require_learnable(items: Iterable[Item], style: Style) -> None:
    """DataError for the first item that cannot be learnt from in the style; needs no model."""
    for item in items:
        completion_of(item, style)


def require_scorable(items: Iterable[Item], style: Style) -> None:
    """DataError for the first item that nothing can be scored by in the style; needs no model."""
    for item in items:
        candidates_of(item, style)


def _named(item: Item) -> str:
    shown = repr(item.instruction[:200])
    return f"{item.where}: {shown}" if item.where else shown


def _question_and_options(item: Item) -> tuple[str, tuple[str, ...]]:
    """The question alone, and the options' texts; true and false are texts themselves."""
    given = f"\n\n{item.input}" if item.input else ""
    if not item.choices:
        return item.instruction + given, ()
    body = _CHOICES.sub("", item.instruction).strip()
    question, *options = _FIRST_OPTION.split(body, maxsplit=1)
    texts = [text.strip() for text in _OPTION.split(options[0])[1:]] if options else item.choices
    return _LEAD.sub("", question) + given, tuple(text for text in texts if text)
