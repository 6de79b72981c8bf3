"""Only what a section reads is stored, and only under the name of what it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from eval.reproduction.stored import RESULTS, Results
from trainer.errors import ArtifactError, ConfigError

COMPARISON: dict[str, Any] = {
    "asked": {"task": "sst2", "data": "data/glue"}, "recipe": {},
    "methods": [{"method": "lora", "cells": [{"seed": 0}], "open": []}],
}  # fmt: skip
QUESTIONS = {**COMPARISON, "asked": {"task": "commonsense", "data": "commonsense/boolq"}}
DIRECTIONS = {"task": "cola", "change_rates": {}, "methods": {}, "ablations": {}}


def keep(folder: Path, record: Any, name: str) -> Path:
    file = folder / "given.json"
    file.write_text(json.dumps(record))
    return Results(folder).keep(file, name)


@pytest.mark.parametrize("name", ["../up", "paper", "", "glue-sst", "glue-sst2-again"])
def test_a_name_that_no_section_reads_is_refused_with_all_that_are_possible(
    tmp_path: Path, name: str
) -> None:
    with pytest.raises(ConfigError, match=r"no section reads it.*glue-sst2, .*directions-cola"):
        keep(tmp_path, COMPARISON, name)


@pytest.mark.parametrize(
    ("record", "name", "said"),
    [
        (
            COMPARISON,
            "directions-sst2",
            r"of eval\.analyse_directions; it is of eval\.compare_meth",
        ),
        (DIRECTIONS, "glue-cola", r"of eval\.compare_methods; it is of eval\.analyse_directions"),
        (COMPARISON, "subjects", r"of eval\.check_subjects; it is of eval\.compare_methods"),
        ({"a": 1}, "overlap", r"of eval\.compare_subjects; no command of ours wrote it"),
        ([1], "overlap", "no command of ours"),
        (COMPARISON, "glue-cola", "is of sst2; glue-cola is for cola"),
        (DIRECTIONS, "directions-sst2", "is of cola; directions-sst2 is for sst2"),
        (QUESTIONS, "commonsense-arc-e", "commonsense in boolq; .* commonsense in ARC-Easy"),
        (
            {**COMPARISON, "methods": [{"method": "lora", "failed": "the loss is nan"}]},
            "glue-sst2",
            "no method in it has a score yet",
        ),
    ],
)
def test_a_file_of_another_kind_or_task_is_refused(
    tmp_path: Path, record: Any, name: str, said: str
) -> None:
    with pytest.raises(ArtifactError, match=said):
        keep(tmp_path, record, name)
    assert not (tmp_path / f"{name}.json").exists()


@pytest.mark.parametrize(
    ("record", "name"),
    [(COMPARISON, "glue-sst2"), (COMPARISON, "initialisation-sst2"),
     (DIRECTIONS, "directions-cola"), (QUESTIONS, "commonsense-boolq")],
)  # fmt: skip
def test_what_fits_is_stored(tmp_path: Path, record: Any, name: str) -> None:
    assert json.loads(keep(tmp_path, record, name).read_text("utf-8")) == record


@pytest.mark.parametrize("file", sorted(RESULTS.glob("*.json")), ids=lambda file: file.stem)
def test_what_is_committed_fits_its_name(file: Path, tmp_path: Path) -> None:
    if file.stem != "paper":
        assert Results(tmp_path).keep(file, file.stem).exists()


def test_what_is_not_a_result_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="cannot be read"):
        Results(tmp_path).keep(tmp_path / "nowhere.json", "glue-rte")
