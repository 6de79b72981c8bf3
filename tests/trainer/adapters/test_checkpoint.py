"""Promises of the native file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from safetensors.torch import save_file

from trainer.adapters import checkpoint, decomposition
from trainer.adapters.attach import attach
from trainer.adapters.checkpoint import (
    NativeHeader,
    load_native,
    read_header,
    read_layer,
    read_native,
    save_native,
)
from trainer.adapters.config import Method
from trainer.adapters.layer import AdaptedLinear
from trainer.adapters.weights import base_fingerprint
from trainer.errors import ArtifactError

METHODS = list(get_args(Method))
ALL = {
    "lora_A", "lora_B", "init_A", "init_B", "prelaunch_A", "prelaunch_B", "direction_u",
    "direction_v", "delta_sigma", "direction_index", "direction_sigma", "direction_rate",
}  # fmt: skip


def save(training: Any, path: Path) -> str:
    fingerprint = base_fingerprint(training.adapter.linears())
    save_native(training.adapter, path, step=5, base_fingerprint=fingerprint)
    return fingerprint


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("steps", [2, 5])
def test_a_loaded_adapter_is_bitwise_the_saved_one_and_decomposes_nothing(
    lab: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, steps: int
) -> None:
    training = lab.start(method).fit(1, steps)
    fingerprint = save(training, tmp_path / "native.safetensors")

    def never(*_: object) -> None:
        raise AssertionError("decomposed")

    monkeypatch.setattr(decomposition, "decompose", never)
    monkeypatch.setattr(torch.linalg, "eigh", never)
    model = lab.model()
    loaded = load_native(model, tmp_path / "native.safetensors", base_fingerprint=fingerprint)
    assert torch.equal(lab.output(model), training.output())
    expected = training.adapter.state()
    found = loaded.state()
    assert found["tensors"].keys() == expected["tensors"].keys()
    assert all(torch.equal(t, expected["tensors"][k]) for k, t in found["tensors"].items())
    assert (loaded.phase, loaded.launch_step) == (expected["phase"], expected["launch_step"])
    launched = steps == 5 and loaded.config.launches
    assert loaded.phase == ("dash" if launched else "pre-launch")
    assert loaded.config == training.adapter.config


def test_the_file_can_be_read_without_a_model(lab: Any, tmp_path: Path) -> None:
    training = lab.start().fit(1, 5)
    fingerprint = base_fingerprint(training.adapter.linears())
    save_native(
        training.adapter,
        tmp_path / "native.safetensors",
        step=5,
        base_fingerprint=fingerprint,
        extra_metadata={"subject": "teapot"},
    )
    file = read_native(tmp_path / "native.safetensors")
    assert (file.step, file.launch_step, file.base_fingerprint) == (5, 3, fingerprint)
    assert file.metadata["subject"] == "teapot" and file.metadata["scaling"] == "1.5"
    layers = file.layers()
    assert layers.keys() == training.adapter.layers.keys()
    for path, tensors in layers.items():
        assert tensors.keys() == ALL
        assert tuple(tensors["direction_index"].tolist()) == training.report.layers[path].index
        assert {t.dtype for t in tensors.values()} == {torch.float32, torch.int64}


def test_a_layer_is_read_alone_and_is_the_same(lab: Any, tmp_path: Path) -> None:
    training = lab.start().fit(1, 5)
    path = tmp_path / "native.safetensors"
    save_native(training.adapter, path, step=5, base_fingerprint="of a base")
    whole = read_native(path)
    assert read_header(path) == NativeHeader(**{
        name: value for name, value in vars(whole).items() if name != "tensors"
    })  # fmt: skip
    for name, tensors in whole.layers().items():
        alone = read_layer(path, name)
        assert alone.keys() == tensors.keys()
        assert all(torch.equal(alone[key], tensors[key]) for key in tensors)
    assert read_layer(path, "no.such.layer") == {}


def test_another_base_is_refused_and_left_alone(lab: Any, tmp_path: Path) -> None:
    training = lab.start().fit(1, 5)
    save(training, tmp_path / "native.safetensors")
    other = lab.model(seed=1)
    with pytest.raises(ArtifactError, match="trained on another base"):
        load_native(other, tmp_path / "native.safetensors", base_fingerprint="something else")
    assert not any(isinstance(module, AdaptedLinear) for module in other.modules())


def test_a_file_that_does_not_fit_is_refused_and_the_model_left_alone(
    lab: Any, tmp_path: Path
) -> None:
    training = lab.start().fit(1, 5)
    fingerprint = save(training, tmp_path / "native.safetensors")
    smaller = lab.model()
    del smaller.blocks[1]
    with pytest.raises(ArtifactError, match="does not fit"):
        load_native(smaller, tmp_path / "native.safetensors", base_fingerprint=fingerprint)
    assert not any(isinstance(module, AdaptedLinear) for module in smaller.modules())


def test_missing_foreign_and_damaged_files_are_named(tmp_path: Path) -> None:
    foreign, damaged = tmp_path / "foreign.safetensors", tmp_path / "damaged.safetensors"
    save_file({"a": torch.zeros(2)}, foreign)
    damaged.write_bytes(b"\\x00" * 5)
    for path, words in [
        (tmp_path / "none.safetensors", "cannot be read"),
        (damaged, "cannot be read"),
        (foreign, "not a native adapter"),
    ]:
        with pytest.raises(ArtifactError, match=f"{path.name} .*{words}|{path.name} is {words}"):
            read_native(path)


def test_a_save_that_fails_leaves_the_old_file(
    lab: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "native.safetensors"
    adapter = attach(lab.model(), lab.config())
    save_native(adapter, path, step=1, base_fingerprint="f")

    def half(tensors: object, file: Path, metadata: object) -> None:
        file.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(checkpoint, "save_file", half)
    with pytest.raises(OSError, match="disk full"):
        save_native(adapter, path, step=2, base_fingerprint="f")
    assert read_native(path).step == 1
    assert [file.name for file in tmp_path.glob("*native*")] == ["native.safetensors"]
