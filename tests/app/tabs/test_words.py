"""The page's sentences: every key that the code says exists, and every sentence is said."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import get_args

import pytest

from app.jobs.records import JobKind, JobState
from app.tabs.jobs import PHASES
from app.tabs.words import say
from eval.comparison_config import VARIANTS
from trainer.adapters.config import Method
from trainer.config import ASSETS, PRESETS, Scheduler
from trainer.data.glue import TASKS
from trainer.methods.config import Instead

APP = Path(__file__).parents[3] / "app"
SENTENCES = {
    f"{section}.{key}": text
    for section, part in json.loads((ASSETS / "studio" / "en.json").read_text("utf-8")).items()
    for key, text in part.items()
}

NEVER_ONE = {"photo.size", "fields.unreadable", "job.warnings", "scores.unavailable"}
"""Sentences in which what looks like a count has no noun, or is always larger."""


def said_keys() -> list[str]:
    """The first argument of each `say(…)`, as a pattern: what is filled in becomes `.+`."""
    calls = [
        node.args[0]
        for file in [APP / "ui.py", *(APP / "tabs").glob("*.py")]
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "say"
    ]
    return [pattern for call in calls for pattern in patterns(call)]


def patterns(node: ast.expr) -> list[str]:
    """All keys that an expression may give."""
    if isinstance(node, ast.IfExp):
        return [*patterns(node.body), *patterns(node.orelse)]
    if isinstance(node, ast.JoinedStr):
        parts = [re.escape(p.value) if isinstance(p, ast.Constant) else ".+" for p in node.values]
        return ["".join(parts)]
    constants = [part.value for part in ast.walk(node) if isinstance(part, ast.Constant)]
    return [re.escape(value) for value in constants if isinstance(value, str)]


def test_every_key_that_is_said_has_a_sentence() -> None:
    for pattern in said_keys():
        assert any(re.fullmatch(pattern, key) for key in SENTENCES), pattern


def test_every_sentence_is_said_somewhere() -> None:
    keys = said_keys()
    assert [key for key in SENTENCES if not any(re.fullmatch(p, key) for p in keys)] == []


def test_every_name_of_the_domain_has_its_word() -> None:
    names = {
        "state": JobState,
        "kind": JobKind,
        "method": (*get_args(Method), *get_args(Instead), *VARIANTS),
        "task": TASKS,
        "metric": {metric for task in TASKS.values() for metric in task.metrics},
        "phase": PHASES,
        "scheduler": get_args(Scheduler),
        "preset": PRESETS,
    }
    for section, values in names.items():
        assert all(SENTENCES[f"{section}.{value}"] for value in values)


def test_placeholders_are_filled_in_and_braces_of_prompts_stay() -> None:
    assert say("job.left", time="3 min") == "about 3 min left"
    assert "{unique_token}" in say("draw.prompts_info")


@pytest.mark.parametrize("one", [1, "1"])
def test_a_count_has_the_word_that_fits_it(one: object) -> None:
    assert say("language.rows_to_score", n=one) == "1 row to score"
    assert say("language.rows_to_score", n="1,000") == "1,000 rows to score"
    assert say("blind.voted", n=0, total=2) == "0 of 2 pairs judged."


def test_one_of_a_kind_is_never_counted_in_the_plural() -> None:
    """`{n} photos` would be `1 photos`: a count is followed by both forms of its word."""
    counted = re.compile(r"\{\w+\} ([a-z-]+ )?[a-z]+s\b")
    assert {key for key, text in SENTENCES.items() if counted.search(text)} == NEVER_ONE


def test_an_unknown_key_is_an_error() -> None:
    with pytest.raises(KeyError):
        say("page.nothing")
