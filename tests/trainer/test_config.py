"""A config makes the whole trip from flags to JSON and back, and says what is wrong with it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.adapters.config import AdapterConfig
from trainer.config import (
    PRESETS,
    DreamBoothConfig,
    ModelConfig,
    OptimConfig,
)
from trainer.config_file import from_json, read_config, to_json
from trainer.errors import ConfigError
from trainer.methods.config import Instead
from trainer.text_config import LLMConfig, TextModelConfig


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_survives_json(name: str) -> None:
    config = PRESETS[name]
    assert from_json(json.loads(json.dumps(to_json(config))), DreamBoothConfig()) == config


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_valid(name: str) -> None:
    PRESETS[name].validate()


@given(
    rate=st.floats(1e-8, 1.0),
    betas=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    steps=st.none() | st.integers(1, 10**6),
    photos=st.none() | st.text("abc/é ", min_size=1).map(Path),
)
def test_any_values_survive_json(
    rate: float, betas: tuple[float, float], steps: int | None, photos: Path | None
) -> None:
    optim = OptimConfig(learning_rate=rate, betas=betas, steps=steps)
    config = DreamBoothConfig(photos=photos, optim=optim)
    assert from_json(json.loads(json.dumps(to_json(config))), DreamBoothConfig()) == config


def test_fields_left_out_keep_the_default() -> None:
    demo = PRESETS["demo"]
    config = from_json({"optim": {"steps": 7}}, demo)
    assert config == dataclasses.replace(demo, optim=dataclasses.replace(demo.optim, steps=7))


def test_all_faults_of_a_file_are_named_at_once() -> None:
    values = {
        "optim": {"stepz": 1, "learning_rate": "fast"},
        "model": {"precision": "fp8"},
        "subject": 3,
    }
    with pytest.raises(ConfigError) as caught:
        from_json(values, DreamBoothConfig())
    message = str(caught.value)
    assert "optim.stepz" in message and "steps" in message
    assert "optim.learning_rate" in message and "'fast'" in message
    assert "model.precision" in message and "bf16 | fp16" in message
    assert "subject: is 3" in message


def test_true_is_no_number() -> None:
    with pytest.raises(ConfigError, match="optim.steps"):
        from_json({"optim": {"steps": True}}, DreamBoothConfig())


@pytest.mark.parametrize("text", ["{", "[1]", "\xff"])
def test_a_file_that_is_no_config_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "config.json"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigError, match="config.json"):
        read_config(file, DreamBoothConfig())


def test_all_faults_of_the_values_are_named_by_flag() -> None:
    config = DreamBoothConfig(
        optim=OptimConfig(steps=0, learning_rate=-1.0, optimizer="prodigy"),
        model=ModelConfig(device="cpu", precision="fp16"),
    )
    with pytest.raises(ConfigError) as caught:
        config.validate()
    for flag in ("--optim.steps", "--optim.learning-rate", "--model.precision", "prodigy"):
        assert flag in str(caught.value)


@pytest.mark.parametrize(
    ("photos", "steps"), [(1, 500), (5, 500), (8, 800), (15, 1500), (200, 1500)]
)
def test_steps_follow_the_photos(photos: int, steps: int) -> None:
    assert DreamBoothConfig().total_steps(photos) == steps


@pytest.mark.parametrize("recipe", [DreamBoothConfig, LLMConfig], ids=["pictures", "text"])
def test_moment_decays_that_are_none_are_named(
    recipe: type[DreamBoothConfig] | type[LLMConfig],
) -> None:
    config = recipe()
    wrong = dataclasses.replace(config.optim, betas=(1.5, -0.1))
    with pytest.raises(ConfigError) as caught:
        dataclasses.replace(config, optim=wrong).validate()  # type: ignore[arg-type]
    for beta in ("1.5", "-0.1"):
        assert f"--optim.betas has {beta}; both must be at least 0 and below 1." in str(
            caught.value
        )


def test_prodigy_has_no_other_rate_after_a_restart() -> None:
    optim = OptimConfig(optimizer="prodigy", learning_rate=1.0)
    DreamBoothConfig(optim=optim).validate()
    dash = AdapterConfig(method="lora-dash", lr_post=2.0)  # which does not restart
    DreamBoothConfig(optim=optim, adapter=dash).validate()
    with pytest.raises(ConfigError, match=r"--adapter\.lr-post 2\.0 is another"):
        DreamBoothConfig(optim=optim, adapter=AdapterConfig(lr_post=2.0)).validate()


@pytest.mark.parametrize("instead", ["dora", "spectral", "full"])
def test_what_stands_in_place_of_the_adapter_has_its_bounds_too(instead: Instead) -> None:
    adapter = AdapterConfig(rank=0, dropout=3.0)
    config = LLMConfig(instead=instead, adapter=adapter)
    with pytest.raises(ConfigError, match=r"rank is 0(.|\n)*dropout is 3\.0"):
        config.validate()


@pytest.mark.parametrize("instead", ["pissa", "spectral"])
def test_packed_weights_have_no_singular_vectors(instead: Instead) -> None:
    model = TextModelConfig(quantization="4bit")
    with pytest.raises(ConfigError, match=f"--instead {instead} starts from singular vectors"):
        LLMConfig(instead=instead, model=model).validate()


@pytest.mark.parametrize("instead", ["full", "bitfit"])
@pytest.mark.parametrize(
    "model", [{"precision": "bf16"}, {"precision": "fp16"}, {"quantization": "4bit"}], ids=str
)
def test_the_bases_own_weights_are_trained_in_fp32_alone(
    instead: Instead, model: dict[str, Any]
) -> None:
    with pytest.raises(ConfigError, match=f"--instead {instead} .* use --model.precision fp32"):
        LLMConfig(instead=instead, model=TextModelConfig(**model)).validate()
    LLMConfig(instead=instead, model=TextModelConfig(precision="fp32")).validate()
