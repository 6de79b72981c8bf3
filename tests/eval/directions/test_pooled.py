"""Which runs are one method with several seeds, and what they are called."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from eval.directions.pooled import Settings, folder_of, plain_lora, pools, settings_of
from trainer.adapters.config import AdapterConfig
from trainer.config import CheckpointConfig
from trainer.text_config import GlueConfig, TextOptimConfig, ValidationConfig


def settings(launch: int | None = 5, **adapter: Any) -> Settings:
    return settings_of(GlueConfig(adapter=AdapterConfig(**adapter)), launch, 300)


def test_seeds_and_what_is_only_kept_or_looked_at_make_no_other_method() -> None:
    config = GlueConfig(adapter=AdapterConfig(method="lora-dash"))
    other = replace(
        config,
        run=Path("elsewhere"),
        adapter=replace(config.adapter, seed=1),
        optim=replace(config.optim, seed=1),
        checkpoint=CheckpointConfig(every=3),
        validation=ValidationConfig(every=7),
    )
    assert settings_of(config, 5, 300) == settings_of(other, 5, 300)
    faster = replace(config, optim=TextOptimConfig(learning_rate=1.0))
    assert settings_of(config, 5, 300) != settings_of(faster, 5, 300)


def test_a_run_that_was_ended_early_is_no_seed_of_the_others() -> None:
    config = GlueConfig(adapter=AdapterConfig(method="lora-dash"))
    found = pools([settings_of(config, 5, done) for done in (300, 300, 150)])
    assert found == {"lora-dash, after step 300": [0, 1], "lora-dash, after step 150": [2]}


def test_plain_lora_beside_a_method_has_its_settings() -> None:
    dash = settings(method="lora-dash", rank=8)
    others = [settings(None, method="lora", rank=4), settings(None, method="lora", rank=8)]
    assert plain_lora(dash, others) == 1
    assert plain_lora(dash, others[:1]) is None
    assert plain_lora(others[1], others) is None
    full = settings_of(GlueConfig(instead="full"), None, 300)
    assert plain_lora(full, others) is None


def test_t_is_the_step_of_the_launch_however_it_was_asked_for() -> None:
    asked = settings(method="lora-dash", prelaunch_steps=5)
    assert pools([settings(method="lora-dash"), asked]) == {"lora-dash": [0, 1]}


def test_a_label_names_what_is_unlike_most_runs_of_the_method() -> None:
    dash = {"method": "lora-dash"}
    found = pools([
        settings(**dash), settings(**dash, direction="top"), settings(9, **dash),
        settings(**dash, num_directions=2), settings(**dash), settings(None, method="lora"),
    ])  # fmt: skip
    assert found == {
        "lora-dash": [0, 4], "lora-dash, top": [1], "lora-dash, t 9": [2], "lora-dash, s 2": [3],
        "lora": [5],
    }  # fmt: skip


def test_where_each_has_its_own_value_all_are_named() -> None:
    found = pools([settings(method="lora-dash", rank=rank) for rank in (4, 8)])
    assert list(found) == ["lora-dash, rank 4", "lora-dash, rank 8"]


def test_data_are_called_by_their_folder_and_not_by_its_path() -> None:
    config = GlueConfig(adapter=AdapterConfig(method="lora-dash"))
    other = replace(config, data="/somewhere/else/glue")
    found = pools([
        settings_of(config, 5, 300), settings_of(config, 9, 300), settings_of(other, 5, 300),
    ])  # fmt: skip
    assert found == {"lora-dash": [0], "lora-dash, t 9": [1], "lora-dash, data glue": [2]}


def test_what_nothing_launches_does_not_tell_runs_of_plain_lora_apart() -> None:
    found = pools([settings(None, method="lora", num_directions=s) for s in (2, 8)])
    assert found == {"lora": [0, 1]}


def test_a_label_makes_a_folder() -> None:
    assert folder_of("lora-dash, top+bottom, t 9") == "lora-dash-top-bottom-t-9"
