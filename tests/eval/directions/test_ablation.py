"""Figs. 6 and 7 from scores: what is varied alone is compared, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from eval.directions.ablation import ablations, unscored
from eval.directions.pooled import settings_of
from eval.reproduction import about_training
from eval.reproduction.stored import Results
from trainer.adapters.config import AdapterConfig
from trainer.text_config import GlueConfig

LOSS = "validation loss"


def pool(scores: list[dict[str, float] | None], launch: int | None = 5, **adapter: Any) -> Any:
    config = GlueConfig(adapter=AdapterConfig(**{"method": "lora-dash", **adapter}))
    by_seed = {seed: row for seed, row in enumerate(scores) if row is not None}
    return settings_of(config, launch, 300), by_seed


def test_each_setting_is_compared_where_all_else_is_equal() -> None:
    found = ablations([
        pool([{"matthews": 0.5}, {"matthews": 0.7}]),
        pool([{"matthews": 0.4}], direction="top"),
        pool([{"matthews": 0.3}], 9),
        pool([{"matthews": 0.2}], num_directions=2),
        pool([{"matthews": 0.1}], num_directions=2, rank=4),
        pool([{"matthews": 0.6}], None, method="lora"),
    ])["lora-dash"]  # fmt: skip
    assert found["measure"] == "matthews"
    values = {axis: [row["value"] for row in study["values"]]
              for axis, study in found["axes"].items()}  # fmt: skip
    assert values == {"direction": ["tsd", "top"], "t": [5, 9], "s": [2, 8]}
    assert found["axes"]["s"]["values"][0]["mean"] == 0.2
    assert found["axes"]["s"]["lora"]["mean"] == 0.6


def test_plain_lora_beside_has_the_settings_of_the_runs_that_are_compared() -> None:
    found = ablations([
        pool([{"f1": 0.1}], rank=4), pool([{"f1": 0.5}]), pool([{"f1": 0.4}], direction="top"),
        pool([{"f1": 0.2}], None, method="lora", rank=4), pool([{"f1": 0.6}], None, method="lora"),
    ])["lora-dash"]["axes"]["direction"]  # fmt: skip
    assert found["lora"]["mean"] == 0.6


def test_the_reproduction_has_a_table_for_each_setting_with_plain_lora_below(
    tmp_path: Path,
) -> None:
    found = ablations([
        pool([{"matthews": 0.5}]), pool([{"matthews": 0.4}], direction="top"),
        pool([{"matthews": 0.3}], 9), pool([{"matthews": 0.6}], None, method="lora"),
    ])  # fmt: skip
    record = {"base": "minilm", "task": "cola", "methods": {}, "ablations": found,
              "unscored": {"lora-dash": ["dash-1"], "lora-tsd": ["tsd-1"]}}  # fmt: skip
    (tmp_path / "directions-cola.json").write_text(json.dumps(record))
    text = about_training.ablations(Results(tmp_path)).text
    assert (
        "| direction | mean ± deviation |\n| --- | --- |\n| tsd | 0.500 |\n| top | 0.400 |" in text
    )
    assert "| 9 | 0.300 |\n| plain LoRA | 0.600 |" in text
    assert "best is tsd, worst top, apart by 0.100, and too few seeds to say" in text
    assert "`eval.score_glue` scores them" in text
    assert "LoRA-Dash: without a score are dash-1, so they are in none of these tables" in text
    assert "LoRA-TSD: without a score are tsd-1, so which directions, t and s are best" in text


def test_only_seeds_that_all_values_have_are_compared() -> None:
    found = ablations([
        pool([{"f1": 0.5}, {"f1": 0.7}, {"f1": 0.1}]),
        pool([{"f1": 0.4}, {"f1": 0.2}], direction="top"),
        pool([{"f1": 0.3}, None, {"f1": 0.9}], None, method="lora"),
    ])["lora-dash"]["axes"]["direction"]  # fmt: skip
    assert found["seeds"] == [0, 1] and found["lora"]["mean"] == 0.3
    first = found["values"][0]
    assert first["mean"] == pytest.approx(0.6) and first["sd"] == pytest.approx(0.02**0.5)
    apart = ablations([pool([{"f1": 0.5}]), pool([None, {"f1": 0.4}], direction="top")])
    assert apart["lora-dash"]["axes"]["direction"]["seeds"] == []
    assert [row["mean"] for row in apart["lora-dash"]["axes"]["direction"]["values"]] == [0.5, 0.4]


def test_where_one_run_is_not_scored_the_validation_loss_is_compared() -> None:
    found = ablations([
        pool([{"accuracy": 0.9, LOSS: 0.3}]), pool([{LOSS: 0.4}], direction="random"),
    ])["lora-dash"]  # fmt: skip
    study = found["axes"]["direction"]
    assert found["measure"] == LOSS and study["lora"] is None
    assert [row["mean"] for row in study["values"]] == [0.3, 0.4]


def test_without_anything_varied_or_measured_there_is_no_ablation() -> None:
    assert ablations([pool([{"accuracy": 0.9}])]) == {}
    assert ablations([pool([{}]), pool([{}], direction="top")]) == {}


def test_where_runs_have_nothing_in_common_those_without_a_score_are_named() -> None:
    pools = [
        pool([{"accuracy": 0.9}, {LOSS: 0.3}]), pool([{}], direction="top"),
        pool([{}], None, method="lora-init"),
    ]  # fmt: skip
    folders = [{0: "tsd-0", 1: "tsd-1"}, {0: "top-0"}, {0: "init-0"}]
    assert ablations(pools) == {}
    assert unscored(pools, folders) == {"lora-dash": ["tsd-1", "top-0"]}


def test_only_runs_that_would_be_compared_are_missed() -> None:
    """One that differs in more, such as its task or rank, is held against none of the others."""
    pools = [
        pool([{LOSS: 0.5}]), pool([{LOSS: 0.4}], direction="top"), pool([{LOSS: 0.1}], rank=4),
    ]  # fmt: skip
    assert unscored(pools, [{0: "tsd"}, {0: "top"}, {0: "small"}]) == {"lora-dash": ["tsd", "top"]}


def test_best_and_worst_are_held_against_what_seeds_leave_open(tmp_path: Path) -> None:
    found = ablations([
        pool([{"f1": 0.5}, {"f1": 0.7}, {"f1": 0.6}]),
        pool([{"f1": 0.4}, {"f1": 0.6}, {"f1": 0.5}], direction="bottom"),
        pool([{"f1": 0.4}, {"f1": 0.7}, {"f1": 0.1}], direction="top"),
    ])  # fmt: skip
    record = {"base": "minilm", "task": "cola", "methods": {}, "ablations": found}
    (tmp_path / "directions-cola.json").write_text(json.dumps(record))
    # by hand: tsd - top is 0.1, 0.0, 0.5: mean 0.2, deviation 0.2646, t(0.975; 2) = 4.3027
    told = "best is tsd, worst top, apart by 0.200, inside the ±0.657 that seeds leave open"
    text = about_training.ablations(Results(tmp_path)).text
    assert told in text and "the ends of 3 differ a little where nothing does" in text
