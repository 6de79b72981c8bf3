"""A checkpoint is whole or does not exist, and gives back exactly what was put in."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load, save
from torch import nn
from torch.amp.grad_scaler import GradScaler

from trainer.adapters.attach import attach
from trainer.adapters.config import AdapterConfig
from trainer.checkpoints import (
    join_state,
    newest_checkpoint,
    split_state,
    write_checkpoint,
)
from trainer.loop import Trained


@pytest.fixture
def trained() -> Trained:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 5), nn.Linear(5, 4))
    config = AdapterConfig(rank=2, num_directions=2, target_modules=("0", "1"))
    adapter = attach(model, config)
    parameters = [*adapter.factor_parameters(), *adapter.direction_parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=1e-2)
    model(torch.randn(3, 6)).square().sum().backward()
    optimizer.step()
    return Trained(adapter, optimizer, GradScaler("cpu", enabled=False), "fingerprint")


def test_optimizer_state_survives_the_split_bitwise(trained: Trained) -> None:
    state = trained.optimizer.state_dict()
    tensors, numbers = split_state(copy.deepcopy(state))
    again = join_state(tensors, json.loads(json.dumps(numbers)))
    assert again["param_groups"] == state["param_groups"]
    for index, values in state["state"].items():
        for name, value in values.items():
            assert torch.equal(torch.as_tensor(again["state"][index][name]), value)


def test_packed_moments_in_a_dict_of_their_own_survive_the_split_bitwise() -> None:
    """As bitsandbytes 0.50.2 gives them."""
    moments = {"state1": torch.randint(0, 256, (8, 4), dtype=torch.uint8)}
    moments |= {"qmap1": torch.randn(256), "absmax1": torch.randn(2)}
    packed = {"step": 7, "__bnb_optimizer_quant_state__": {**moments, "blocks": 2}}
    plain = {"step": 7, "d": 0.1, "exp_avg": torch.randn(3), "none": {}}
    groups = [{"lr": 1e-3, "betas": (0.9, 0.999), "params": [0, 1, 2]}]
    tensors, numbers = split_state({"state": {0: packed, 2: plain}, "param_groups": groups})
    again = join_state(load(save(tensors)), json.loads(json.dumps(numbers)))
    state = {"state": {0: packed, 2: plain}, "param_groups": groups}
    torch.testing.assert_close(again, state, rtol=0, atol=0)


def test_two_checkpoints_are_kept_and_the_newest_is_found(trained: Trained, tmp_path: Path) -> None:
    for step in (5, 10, 15):
        write_checkpoint(tmp_path, step, trained)
    assert [p.name for p in sorted(tmp_path.iterdir())] == ["step-00000010", "step-00000015"]
    newest = newest_checkpoint(tmp_path)
    assert newest is not None and newest.step == 15


@pytest.mark.parametrize("file", ["adapter.safetensors", "optimizer.safetensors", "state.json"])
def test_a_damaged_checkpoint_does_not_exist(trained: Trained, tmp_path: Path, file: str) -> None:
    write_checkpoint(tmp_path, 5, trained)
    damaged = write_checkpoint(tmp_path, 10, trained) / file
    content = bytearray(damaged.read_bytes())
    content[-1] ^= 1
    damaged.write_bytes(content)
    newest = newest_checkpoint(tmp_path)
    assert newest is not None and newest.step == 5


def test_a_checkpoint_without_manifest_does_not_exist(trained: Trained, tmp_path: Path) -> None:
    (write_checkpoint(tmp_path, 5, trained) / "manifest.json").unlink()
    assert newest_checkpoint(tmp_path) is None


def test_a_failed_write_leaves_nothing(trained: Trained, tmp_path: Path) -> None:
    broken = Trained(trained.adapter, None, trained.scaler, "")  # type: ignore[arg-type]
    with pytest.raises(AttributeError):
        write_checkpoint(tmp_path, 5, broken)
    assert list(tmp_path.iterdir()) == []
