"""Differences of methods against numbers by hand, beside the paper's."""

from __future__ import annotations

from typing import Any

import pytest
from scipy import stats

from eval.reproduction.differences import (
    agreement,
    beside_control,
    difference,
    of_many,
    setting,
)
from eval.reproduction.paired import Paired, holm

PRINTED = {"columns": ["method", "SST-2"], "rows": [["lora", 93.0], ["lora-tsd", 96.0]]}


def record(**scores: list[float]) -> dict[str, Any]:
    return {
        "asked": {"rank": 8, "steps": 300, "batch_size": 32, "examples": 1000},
        "recipe": {"base": "minilm"},
        "methods": [
            {"method": method.replace("_", "-"),
             "cells": [{"seed": n, "scores": {"accuracy": v}} for n, v in enumerate(values)]}
            for method, values in scores.items()
        ],
    }  # fmt: skip


def test_methods_are_compared_seed_by_seed_and_with_the_paper() -> None:
    # by hand: 83 − 80 = 3 and 81 − 82 = −1, mean 1, deviation √8; the paper 96 − 93;
    # t(0.975; 1) = 12.7062, times √8 / √2
    told = difference(record(lora=[0.80, 0.82], lora_tsd=[0.83, 0.81]), PRINTED, "SST-2")
    assert told == (
        "LoRA-TSD − LoRA: accuracy +1.0 ± 2.8, above 0 for 1 of 2 seeds; in the paper +3.0. "
        "The mean's 95 % interval is ±25.4 and holds 0, so the sign is open."
    )
    assert difference(record(lora=[0.8]), PRINTED, "SST-2") == ""


def test_only_seeds_that_both_have_count() -> None:
    told = difference(record(lora=[0.8, 0.5], lora_tsd=[0.9]), PRINTED, "CoLA")
    assert told == "LoRA-TSD − LoRA: accuracy +10.0, above 0 for 1 of 1 seeds."


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([2.0, 2.1], "the same"),
        ([-2.0, -2.1], "the other"),
        ([1.0, 2.0, 3.5], "open"),  # all above 0, and more than a deviation from it
        ([2.0], "spread"),
    ],
)
def test_a_sign_is_said_only_where_the_interval_leaves_0_out(
    values: list[float], said: str
) -> None:
    assert said in agreement(Paired(values), 1.0)


def test_the_control_stands_beside() -> None:
    told = beside_control(record(lora=[0.8], lora_restart=[0.75], lora_tsd=[0.78]))
    assert "− LoRA: −5.0; LoRA-TSD − the control, " in told and told.endswith(": +3.0.")
    assert beside_control(record(lora=[0.8])) == ""


def test_many_looks_are_held_against_chance_together() -> None:
    # by hand: of p = 0.01, 0.02, 0.04 Holm asks 0.05/3, 0.05/2, 0.05/1; of 0.02, 0.04 alone 0.025
    assert holm([0.04, 0.01, 0.02]) == [True, True, True]
    assert holm([0.03, 0.04]) == [False, False] and holm([]) == []
    clear = record(lora=[0.80, 0.81, 0.82], lora_tsd=[0.85, 0.861, 0.87])
    faint = record(lora=[0.80, 0.81, 0.82], lora_tsd=[0.81, 0.83, 0.84])
    _, p = stats.ttest_rel([81, 83, 84], [80, 81, 82])
    told = of_many({"SST-2": clear, "CoLA": faint})
    assert "look at 2 differences" in told and f"CoLA, LoRA-TSD − LoRA (p = {p:.3f})" in told
    assert "for all of them: SST-2, LoRA-TSD − LoRA; CoLA, LoRA-TSD − LoRA." in told
    assert of_many({"SST-2": clear}) == ""


def test_the_setting_is_that_of_the_records() -> None:
    told = setting([record(), record()], "microsoft/deberta-v3-base", "rank 8")
    assert told.count("MiniLM") == 1 and "DeBERTaV3-base having 8 times its parameters" in told
    assert "300 steps of 32, so 9,600 rows are drawn, of 1,000" in told
    assert setting([], "microsoft/deberta-v3-base", "rank 8") == ""
