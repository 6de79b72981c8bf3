"""The document says what is stored and nothing else: numbers, seeds, and what has not been run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from eval.reproduction.__main__ import document
from eval.reproduction.about_scores import METHODS
from eval.reproduction.markdown import verdict
from eval.reproduction.sections import sections
from eval.reproduction.stored import DOCS, RESULTS, Results, without_paths
from trainer.errors import ArtifactError, ConfigError


def cell(seed: int, accuracy: float) -> dict[str, Any]:
    return {
        "run": f"lora-{seed}", "seed": seed, "scores": {"accuracy": accuracy}, "items": 872,
        "parameters": 1000, "head_parameters": 2, "seconds": 60.0, "memory_gib": 1.0,
    }  # fmt: skip


def comparison() -> dict[str, Any]:
    lora = [cell(0, 0.80), cell(1, 0.82)]
    tsd = [cell(0, 0.83), cell(1, 0.81)]
    return {
        "date": "2026-01-02T03:04:05+00:00", "machine": "x86_64, 2 cores, Linux",
        "asked": {"rank": 8, "steps": 300, "batch_size": 32, "out": "/home/me/out"},
        "methods": [
            {"method": "lora", "learning_rate": 5e-4, "open": [], "cells": lora},
            {"method": "lora-tsd", "learning_rate": 2e-4, "open": [2], "cells": tsd},
            {"method": "prefix", "failed": "prefix needs a language model"},
        ],
    }  # fmt: skip


@pytest.fixture
def results(tmp_path: Path) -> Results:
    """The paper's numbers, and nothing of ours."""
    shutil.copy(RESULTS / "paper.json", tmp_path / "paper.json")
    return Results(tmp_path)


def test_the_committed_document_is_what_the_committed_results_say() -> None:
    assert (DOCS / "reproduction.md").read_text("utf-8") == document(Results())


def test_without_results_every_experiment_says_that_it_was_not_run_and_how_it_would_be(
    results: Results,
) -> None:
    for section in sections(results):
        if not section.title.startswith(("Tables 8", "Fig. 9")):
            assert "*not run*" in section.text, section.title
    assert f"--task rte --base minilm --data glue/ --methods {METHODS}" in document(results)


def test_a_stored_comparison_is_shown_with_spread_seeds_and_what_is_missing(
    results: Results, tmp_path: Path
) -> None:
    file = tmp_path / "comparison.json"
    file.write_text(json.dumps(comparison()))
    results.keep(file, "glue-sst2")
    text = document(results)
    assert "| LoRA | 2 | 81.0 ± 1.4 | 1,000 | 0.0005 | 60.0 ± 0.0 | 1.00 |" in text
    assert "n = 872 items a seed; x86_64, 2 cores, Linux, 2026-01-02" in text
    assert "Not run yet: LoRA-TSD (seeds 2)." in text
    assert "prefix: prefix needs a language model" in text


def test_methods_are_compared_seed_by_seed() -> None:
    said = verdict(comparison())  # by hand: 83 − 80 = 3 and 81 − 82 = −1
    assert said == "LoRA-TSD − LoRA: accuracy 1.0 ± 2.8, seed by seed; above 0 for 1 of 2 seeds."
    assert verdict({"methods": []}) == ""


def test_no_path_of_a_machine_is_stored() -> None:
    told = {"out": "/home/me/runs/full", "rates": ["/a/b", "glue/sst2"], "n": 3}
    assert without_paths(told) == {"out": "full", "rates": ["b", "glue/sst2"], "n": 3}
    for file in RESULTS.glob("*.json"):
        assert without_paths(json.loads(file.read_text("utf-8"))) == json.loads(
            file.read_text("utf-8")
        )


@pytest.mark.parametrize("name", ["../up", "paper", ""])
def test_a_name_that_leaves_the_folder_or_replaces_the_paper_is_refused(
    results: Results, name: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="no name"):
        results.keep(tmp_path / "paper.json", name)


def test_what_is_not_a_result_is_refused(results: Results, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="cannot be read"):
        results.keep(tmp_path / "nowhere.json", "glue-rte")
