"""The document says what is stored and nothing else: numbers, seeds, and what has not been run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from eval.reproduction.__main__ import COLUMNS, document
from eval.reproduction.commands import OUR_METHODS
from eval.reproduction.sections import sections
from eval.reproduction.stored import DOCS, RESULTS, Results, without_paths


def cell(seed: int, accuracy: float) -> dict[str, Any]:
    return {
        "run": f"lora-{seed}", "seed": seed, "scores": {"accuracy": accuracy}, "items": 872,
        "parameters": 1000, "head_parameters": 2, "seconds": 60.0, "memory_gib": 1.0,
    }  # fmt: skip


def comparison(**asked: Any) -> dict[str, Any]:
    lora = [cell(0, 0.80), cell(1, 0.82)]
    tsd = [cell(0, 0.83), cell(1, 0.81)]
    return {
        "date": "2026-12-02T03:04:05+00:00", "machine": "x86_64, 2 cores, Linux",
        "asked": {"task": "sst2", "data": "glue", "rank": 8, "steps": 300, "batch_size": 32,
                  "out": "/home/me/out", **asked},
        "recipe": {"base": "minilm", "model": {"precision": "bf16"},
                   "optim": {"head_learning_rate": 5e-3}},
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


def stored(results: Results, name: str, record: dict[str, Any]) -> str:
    """The document with that result in it, and no earlier one of that name."""
    (results.folder / f"{name}.json").unlink(missing_ok=True)
    file = results.folder / "given"
    file.write_text(json.dumps(record))
    results.keep(file, name)
    return document(results)


def test_the_committed_document_is_what_the_committed_results_say() -> None:
    assert (DOCS / "reproduction.md").read_text("utf-8") == document(Results())


def test_without_results_every_experiment_says_that_it_was_not_run_and_how_it_would_be(
    results: Results,
) -> None:
    for section in sections(results):
        if not section.title.startswith("Tables 8"):
            assert "*not run*" in section.text, section.title
            assert "python " in section.text or "by the commands under" in section.text or (
                section.title == "The user study")  # fmt: skip
    assert f"--task rte --base minilm --data glue/ --methods {OUR_METHODS}" in document(results)


@pytest.mark.parametrize(
    "model",
    ["LLaMA-7B", "LLaMA2-7B", "LLaMA3-8B", "DeBERTaV3-base", "DeBERTaV3-large", "Qwen2.5-7B",
     "SDXL"],
)  # fmt: skip
def test_every_model_of_the_paper_is_there_as_not_run(results: Results, model: str) -> None:
    lines = [line for line in document(results).splitlines() if "*not run*" in line]
    assert any(model in line for line in lines)


def test_a_stored_comparison_is_shown_with_spread_seeds_and_what_is_missing(
    results: Results,
) -> None:
    text = stored(results, "glue-sst2", comparison())
    assert "| LoRA | 2 | 81.0 ± 1.4 | 1,000 | 0.0005 | 60.0 ± 0.0 | 1.00 |" in text
    assert "n = 872 items a seed; x86_64, 2 cores, Linux, 2026-12-02" in text
    assert "300 steps of 32, base in bf16, head at rate 0.005, scores × 100" in text
    assert "Not run yet: LoRA-TSD (seeds 2)." in text
    assert "prefix: prefix needs a language model" in text


def test_methods_that_a_record_lacks_are_said_not_to_be_run(results: Results) -> None:
    text = stored(results, "glue-sst2", comparison())
    assert "DoRA, PiSSA, LoRA-Dash, LoRA-Init, LoRA-TSD with a random restart: *not run*: `" in text
    assert "--methods dora pissa lora-dash lora-init lora-restart --seeds" in text


def test_a_correlation_of_0_is_explained(results: Results) -> None:
    record = comparison(task="cola")
    for row in record["methods"][:2]:
        for one in row["cells"]:
            one["scores"] = {"matthews": 0.0 if row["method"] == "lora" else 0.2}
    text = stored(results, "glue-cola", record)
    assert "so answered, with at least one seed, LoRA." in text


@pytest.mark.parametrize(
    ("base", "said"), [("minilm", "MiniLM (6 layers of 384)"), ("some/base", "some/base")]
)
def test_the_base_is_the_one_in_the_record(results: Results, base: str, said: str) -> None:
    record = comparison()
    record["recipe"]["base"] = base
    text = stored(results, "glue-sst2", record)
    assert f"**{said} on SST-2**, rank 8" in text


def test_a_model_of_the_paper_that_was_run_is_no_longer_said_not_to_be(results: Results) -> None:
    record = comparison()
    record["recipe"]["base"] = "microsoft/deberta-v3-base"
    text = stored(results, "glue-sst2", record)
    assert "\nDeBERTaV3-large: *not run*; by" in text
    assert "DeBERTaV3-base, DeBERTaV3-large: *not run*" not in text


def test_questions_say_what_one_answer_to_all_scores(results: Results) -> None:
    record = comparison(task="commonsense", data="commonsense/boolq")
    record["recipe"] |= {"base": "smollm2", "style": "texts"}
    said = "The most frequent right answer, given to every item, scores"
    assert said not in stored(results, "commonsense-boolq", record)
    for row in record["methods"][:2]:
        for one in row["cells"]:
            one["one_answer"] = {"boolq": 0.63, "boolq, generated": 0.7}
            one |= {"scores": {"boolq": 0.66, "boolq, generated": 0.7}, "items": 500}
    text = stored(results, "commonsense-boolq", record)
    assert f"{said} boolq: 63.0, boolq, generated: 70.0." in text
    # by hand: √(0.63 · 0.37 / 500) = 0.0216, and 0.66 is above 0.63 by less than two of them
    assert "two standard errors of so many items (4.3): none has learnt the task" in text
    for one in record["methods"][0]["cells"]:
        one["scores"]["boolq"] = 0.68
    assert "has learnt the task" not in stored(results, "commonsense-boolq", record)


def test_questions_say_how_they_were_scored(results: Results) -> None:
    record = comparison(task="commonsense", data="commonsense/boolq")
    record["recipe"] |= {"base": "smollm2", "style": "texts"}
    text = stored(results, "commonsense-boolq", record)
    assert "**SmolLM2-135M-Instruct on BoolQ**" in text
    assert "scores × 100 by likelihood (style texts), ± deviation" in text
    record["asked"]["generated_items"] = 100
    text = stored(results, "commonsense-boolq", record)
    assert "`generated` read out of what is written for the first 100 items" in text


def test_how_rates_are_chosen_is_said_once(results: Results) -> None:
    assert stored(results, "glue-sst2", comparison()).count(COLUMNS) == 1


def test_no_path_of_a_machine_is_stored() -> None:
    told = {"out": "/home/me/runs/full", "rates": ["/a/b", "glue/sst2"], "n": 3}
    assert without_paths(told) == {"out": "full", "rates": ["b", "glue/sst2"], "n": 3}
    for file in RESULTS.glob("*.json"):
        assert without_paths(json.loads(file.read_text("utf-8"))) == json.loads(
            file.read_text("utf-8")
        )
