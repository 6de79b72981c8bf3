"""A table may be filled in several sittings, but only with what was asked alike."""

from __future__ import annotations

from typing import Any

import pytest

from eval.reproduction.compared import _made_earlier
from eval.reproduction.joined import joined
from trainer.errors import ArtifactError


def record(*methods: str, **asked: Any) -> dict[str, Any]:
    return {
        "date": "2026-01-02",
        "machine": "cpu",
        "asked": {"task": "cola", "steps": 300, "methods": list(methods), **asked},
        "recipe": {"base": "minilm", "workspace": "here"},
        "methods": [{"method": name, "cells": [{"seed": 0}], "open": []} for name in methods],
    }


def names(result: dict[str, Any]) -> list[str]:
    return [row["method"] for row in result["methods"]]


def test_methods_of_an_earlier_sitting_stay_before_the_newer_ones() -> None:
    assert names(joined(record("lora", "dora"), record("pissa", out="there"))) == [
        "lora", "dora", "pissa",
    ]  # fmt: skip


def test_what_was_run_again_is_the_newer_one() -> None:
    newer = record("lora")
    newer["methods"][0]["cells"] = [{"seed": 7}]
    result = joined(record("lora", "dora"), newer)
    assert names(result) == ["dora", "lora"] and result["methods"][1]["cells"] == [{"seed": 7}]


def test_an_earlier_sitting_keeps_its_machine_and_day() -> None:
    newer = {**record("pissa"), "machine": "gpu", "date": "2026-01-05T10:00:00"}
    first = joined(record("lora"), newer)
    rows = {row["method"]: row.get("made") for row in first["methods"]}
    assert rows == {"lora": {"machine": "cpu", "date": "2026-01-02"}, "pissa": None}
    last = joined(first, {**record("dora"), "machine": "gpu", "date": "2026-01-05T12:00:00"})
    assert _made_earlier(last) == ["On cpu, 2026-01-02: LoRA."]


def test_what_has_no_cells_does_not_displace_what_has() -> None:
    newer = record("pissa")
    newer["methods"].append({"method": "lora", "open": [0]})
    assert names(joined(record("lora"), newer)) == ["lora", "pissa"]


def test_epochs_beside_the_steps_of_a_record_of_old_make_no_other_budget() -> None:
    old, new = (record(name) for name in ("lora", "dora"))
    old["recipe"] |= {"optim": {"epochs": 3, "steps": 300}}
    new["recipe"] |= {"optim": {"epochs": None, "steps": 300}}
    assert names(joined(old, new)) == ["lora", "dora"]


def test_another_budget_is_refused_so_that_nothing_is_lost() -> None:
    with pytest.raises(ArtifactError, match=r"asked\.steps 300, now 100"):
        joined(record("lora"), record("pissa", steps=100))


def test_data_are_the_same_by_a_whole_path_and_as_typed() -> None:
    assert names(joined(record("lora", data="glue"), record("dora", data="glue/"))) == [
        "lora", "dora",
    ]  # fmt: skip


def test_other_results_are_replaced() -> None:
    newer = {"matrix": [[1.0]]}
    assert joined({"matrix": [[0.5]]}, newer) is newer and joined(None, newer) is newer
