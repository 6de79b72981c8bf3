"""Items of the commonsense sets (LLM-Adapters, Hu et al. 2023) and their prompts. No torch.

    {"instruction": "Please choose the correct answer to the question: What do bees make?\n\n
                     Answer1: silk Answer2: honey Answer3: milk\n\n
                     Answer format: answer1/answer2/answer3",
     "input": "", "output": "the correct answer is answer2", "answer": "answer2"}

as a JSON list or one object a line. An item is put to a model in one of two styles:

    labels    the instruction in the Alpaca template; answered by its output, which names a label.
              What the paper trains and tests.
    texts     "Question: What do bees make?\nAnswer:", answered by " honey". What a small model can
              do without training; the options are not shown, only compared.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

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
_CHOICES = re.compile(r"Answer format:\s*(\S+)\s*$")
_OPTION = re.compile(r"(?:Answer|Solution|Ending|Option)\d: ")
_FIRST_OPTION = re.compile(r"\n\n(?=(?:Answer|Solution|Ending|Option)1: )")
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


def read_items(path: Path, split: Split = "train") -> list[Item]:
    """The items of a file, or of all sets in a folder that have the split, merged.

    A file whose items name their split gives those of `split`; another gives all. DataError says
    which file and which item is wrong.
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


def _read_file(path: Path, split: Split) -> list[Item]:
    try:
        text = path.read_text("utf-8-sig")
        rows = json.loads(text) if text.lstrip().startswith("[") else list(_lines(text))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not understood as JSON or JSON lines ({error}).") from error
    answers = COMMONSENSE.get(path.resolve().parent.name, ())
    items = [
        _item(row, answers, f"{path}, item {number}")
        for number, row in enumerate(rows, start=1)
        if not isinstance(row, dict) or row.get("split", split) == split
    ]
    if not items:
        raise DataError(f"{path}: there is no item of the {split} split in it.")
    return items


def _lines(text: str) -> Iterable[Any]:
    return (json.loads(line) for line in text.split("\n") if line.strip())


def _item(row: Any, answers: tuple[str, ...], where: str) -> Item:
    """Check a row; its choices from its "Answer format" line, else from its set."""
    texts = isinstance(row, dict) and [row.get(name, "") for name in ("instruction", "output")]
    if not texts or not all(isinstance(text, str) and text for text in texts):
        raise DataError(
            f"{where}: needs the texts instruction and output (and may have input and answer); "
            f"given {json.dumps(row, ensure_ascii=False)[:200]}."
        )
    told = _CHOICES.search(row["instruction"])
    choices = tuple(told[1].split("/")) if told else answers
    answer = str(row.get("answer", row["output"]))
    if choices and answer not in choices:
        raise DataError(f"{where}: the answer {answer!r} is none of {', '.join(choices)}.")
    return Item(row["instruction"], row.get("input") or "", row["output"], answer, choices)


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
    """What the model is to write after the prompt."""
    if style == "labels":
        return item.output
    return candidates_of(item, style)[item.choices.index(item.answer)]


def candidates_of(item: Item, style: Style = "labels") -> tuple[str, ...]:
    """What the model could write, one text a choice, in their order.

    DataError for an item without choices, or whose options cannot be told apart.
    """
    if style == "labels":
        texts = tuple(f"the correct answer is {choice}" for choice in item.choices)
    else:
        texts = tuple(f" {text}" for text in _question_and_options(item)[1])
    if not texts or len(texts) != len(item.choices):
        raise DataError(
            f"{item.instruction[:200]!r} has no options to compare in the style {style}. Give them "
            "as Answer1: … Answer2: … and as Answer format: answer1/answer2."
        )
    return texts


def _question_and_options(item: Item) -> tuple[str, tuple[str, ...]]:
    """The question alone, and the options' texts; true and false are texts themselves."""
    body = _CHOICES.sub("", item.instruction).strip()
    question, *options = _FIRST_OPTION.split(body, maxsplit=1)
    texts = [text.strip() for text in _OPTION.split(options[0])[1:]] if options else item.choices
    given = f"\n\n{item.input}" if item.input else ""
    return _LEAD.sub("", question) + given, tuple(texts)
