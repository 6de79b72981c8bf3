"""The presets are the tables of the paper, and print without a model."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest

from trainer import train_glue, train_llm
from trainer.config_file import from_json, to_json
from trainer.data.instruct import read_items
from trainer.errors import ConfigError
from trainer.text_config import GlueConfig, LLMConfig, TextConfig, TextOptimConfig
from trainer.text_presets import GluePreset, LLMPreset, glue_preset, llm_preset
from trainer.training_script import TrainingScript

# Typed off Table 10, column by column: length, rate, epochs.
TABLE_10 = """
MNLI 256 5e-4 12    SST2 128 8e-4 24    COLA 64 8e-4 25     QQP 320 1e-3 5
QNLI 512 5e-4 5     RTE 320 1.2e-3 50   MRPC 320 1e-3 30    STSB 128 5e-4 25
""".split()
COLUMNS = [TABLE_10[start : start + 4] for start in range(0, len(TABLE_10), 4)]
# Table 8: rank, alpha, rate.
TABLE_8 = {
    "llama-7b": [(4, 8, 5e-4), (8, 16, 4e-4), (16, 32, 5e-4), (32, 64, 1e-4), (64, 128, 9e-5)],
    "llama2-7b": [(16, 32, 2e-4), (32, 64, 1e-4)],
    "llama3-8b": [(16, 32, 2e-4), (32, 64, 8e-5)],
}


@pytest.mark.parametrize(("task", "length", "rate", "epochs"), COLUMNS)
@pytest.mark.parametrize("name", [name for name in get_args(GluePreset) if name != "demo"])
def test_glue_presets_are_table_10(
    name: GluePreset, task: str, length: str, rate: str, epochs: str
) -> None:
    config = glue_preset(name, task.lower())
    assert (config.max_length, config.optim.epochs) == (int(length), int(epochs))
    assert config.optim.learning_rate == float(rate)
    assert (config.optim.batch_size, config.optim.warmup) == (32, 0.1)
    assert (config.adapter.rank, config.adapter.alpha) in [(2, 4), (8, 16)]
    assert config.base in name.join(["microsoft/", ""]) and config.base[10:] in name


def test_llm_presets_are_table_8() -> None:
    found = set(get_args(LLMPreset)) - {"demo"}
    assert found == {f"{model}-r{row[0]}" for model, rows in TABLE_8.items() for row in rows}
    for model, rows in TABLE_8.items():
        for rank, alpha, rate in rows:
            config = llm_preset(f"{model}-r{rank}")  # type: ignore[arg-type]
            adapter, optim = config.adapter, config.optim
            assert (adapter.rank, adapter.alpha, adapter.dropout) == (rank, alpha, 0.05)
            assert adapter.target_modules == ("q_proj", "k_proj", "v_proj", "up_proj", "down_proj")
            assert optim.learning_rate == pytest.approx(rate)
            assert (optim.batch_size, optim.warmup, optim.epochs) == (16, 100, 3)


@pytest.mark.parametrize(
    "config",
    [glue_preset(name) for name in get_args(GluePreset)]
    + [llm_preset(name) for name in get_args(LLMPreset)],
)
def test_every_preset_is_valid_and_survives_json(config: TextConfig) -> None:
    config.validate()
    assert from_json(json.loads(json.dumps(to_json(config))), type(config)()) == config


def test_a_task_that_is_not_in_the_table_is_refused_with_those_that_are() -> None:
    with pytest.raises(ConfigError, match=r"wnli.*Table 10.*stsb"):
        glue_preset("deberta-v3-base-r2", "wnli")


def test_the_demos_leave_enough_to_train_on_where_a_validation_is_asked_for() -> None:
    settings = train_llm.SCRIPT.parse(["--validation.every", "20"]).settings
    learnable = len(read_items(settings.items))
    assert settings.validation.examples < learnable / 2


def test_no_flags_mean_the_demo() -> None:
    assert train_glue.SCRIPT.parse([]).settings == glue_preset("demo")
    assert train_llm.SCRIPT.parse([]).settings == llm_preset("demo")


def test_a_recipe_is_printed_whole_without_loading_anything(
    capsys: pytest.CaptureFixture[str],
) -> None:
    flags = ["--preset", "deberta-v3-large-r2", "--task", "rte", "--adapter.method", "lora"]
    assert train_glue.SCRIPT.main([*flags, "--print-recipe"]) == 0
    config = from_json(json.loads(capsys.readouterr().out), GlueConfig())
    assert (config.task, config.adapter.method, config.optim.epochs) == ("rte", "lora", 50)
    assert train_llm.SCRIPT.main(["--preset", "llama3-8b-r32", "--print-recipe"]) == 0
    assert from_json(json.loads(capsys.readouterr().out), LLMConfig()) == llm_preset(
        "llama3-8b-r32"
    )


@pytest.mark.parametrize(
    ("command", "arguments", "says"),
    [
        (train_glue, ["--task", "wnli"], "wnli"),
        (train_glue, ["--data", "/nowhere", "--task", "rte"], "/nowhere"),
        (train_glue, ["--optim.steps", "0"], "--optim.steps"),
        (train_glue, ["--resume", "/nowhere"], "/nowhere"),
        (train_llm, ["--data", "/nowhere.json"], "/nowhere.json"),
        (train_llm, ["--base", "/nowhere"], "/nowhere"),
        (train_llm, ["--adapter.rank", "0"], "--adapter.rank"),
    ],
)
def test_a_users_mistake_is_a_message_and_exit_code_2(
    command: object, arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.SCRIPT.main(arguments) == 2  # type: ignore[attr-defined]
    assert says in capsys.readouterr().err


def test_a_task_named_in_a_file_has_its_own_column(tmp_path: Path) -> None:
    file = tmp_path / "mine.json"
    file.write_text(json.dumps({"task": "rte", "max_length": 99}))
    flags = ["--preset", "deberta-v3-base-r8", "--config", str(file)]
    rte = replace(glue_preset("deberta-v3-base-r8", "rte"), max_length=99)
    assert train_glue.SCRIPT.parse(flags).settings == rte
    told = train_glue.SCRIPT.parse([*flags, "--task", "mrpc"]).settings
    assert told == replace(glue_preset("deberta-v3-base-r8", "mrpc"), max_length=99)


@pytest.mark.parametrize("script", [train_glue.SCRIPT, train_llm.SCRIPT], ids=["glue", "llm"])
def test_epochs_take_the_place_of_a_presets_steps_and_steps_of_its_epochs(
    script: TrainingScript[Any], tmp_path: Path
) -> None:
    def length(*flags: str) -> tuple[int | None, int | None, int]:
        config = script.parse(flags).settings
        config.validate()
        return config.optim.epochs, config.optim.steps, config.total_steps(100)

    paper = "deberta-v3-base-r8" if script is train_glue.SCRIPT else "llama-7b-r4"
    batch = str(script.parse(["--preset", "demo"]).settings.optim.batch_size)
    of_demo = script.parse([]).settings.optim.steps
    per_epoch = math.ceil(100 / int(batch))
    assert length("--preset", "demo") == (None, of_demo, of_demo)
    assert length("--optim.epochs", "3") == (3, None, 3 * per_epoch)
    assert length("--optim.epochs=3", "--optim.steps", "None") == (3, None, 3 * per_epoch)
    assert length("--preset", paper, "--optim.steps", "7") == (None, 7, 7)
    assert length("--optim.steps", "None", "--optim.batch-size", "50") == (None, None, 6)
    file = tmp_path / "mine.json"
    file.write_text(json.dumps({"optim": {"epochs": 5}}))
    assert length("--config", str(file)) == (5, None, 5 * per_epoch)
    assert length("--config", str(file), "--optim.steps", "9") == (None, 9, 9)


def test_a_flag_for_steps_and_one_for_epochs_contradict_each_other(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert train_glue.SCRIPT.main(["--optim.epochs", "3", "--optim.steps", "120"]) == 2
    assert "--optim.epochs 3 and --optim.steps 120 both say" in capsys.readouterr().err


@pytest.mark.parametrize("quantization", ["4bit", "8bit"])
@pytest.mark.parametrize("precision", ["auto", "bf16", "fp16"])
def test_ia3_on_packed_weights_is_refused_in_less_than_fp32(
    quantization: str, precision: str
) -> None:
    packed = ["--model.device", "cuda", "--model.quantization", quantization]

    def validate(instead: str, precision: str) -> None:
        flags = ["--instead", instead, "--model.precision", precision, *packed]
        train_llm.SCRIPT.parse(flags).settings.validate()

    with pytest.raises(ConfigError, match=rf"{quantization} .* {precision}; use .* fp32, or no"):
        validate("ia3", precision)
    validate("ia3", "fp32")
    validate("dora", precision)


def test_of_a_config_that_has_both_the_steps_count_as_they_did_when_all_had_both() -> None:
    stored = {"task": "demo", "optim": {"epochs": 3, "steps": 120}}
    config = from_json(stored, GlueConfig())
    config.validate()
    assert config.total_steps(1000) == 120
    assert from_json({"optim": {"epochs": 3, "steps": None}}, config).total_steps(32) == 3


PRODIGY = ["--optim.optimizer", "prodigy", "--optim.learning-rate", "1"]


def test_prodigy_takes_no_rate_of_a_presets_head_and_no_other() -> None:
    settings = train_glue.SCRIPT.parse(PRODIGY).settings
    settings.validate()
    assert (settings.optim.learning_rate, settings.optim.head_learning_rate) == (1, None)
    told = from_json({"optim": {"optimizer": "prodigy", "learning_rate": 1}}, glue_preset("demo"))
    assert told == settings
    uneven = ["--optim.head-learning-rate", "5e-3", "--adapter.lr-post", "2"]
    with pytest.raises(ConfigError, match=r"lr-post 2\.0 is another(.|\n)*rate 0\.005 is another"):
        train_glue.SCRIPT.parse([*PRODIGY, *uneven]).settings.validate()
    even = ["--optim.head-learning-rate", "1", "--adapter.lr-post", "2", "--adapter.method", "lora"]
    train_glue.SCRIPT.parse([*PRODIGY, *even]).settings.validate()


def test_warm_up_is_steps_or_a_share_rounded_up() -> None:
    share, steps = (GlueConfig(optim=TextOptimConfig(warmup=warmup)) for warmup in (0.1, 100))
    assert (share.warmup_steps(101), steps.warmup_steps(5000)) == (11, 100)
