"""Promises of reading and naming weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from trainer.adapters.weights import StoredWeight, base_fingerprint, read_weight, tensor_bytes


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_a_stored_weight_is_read_as_stored(tmp_path: Path, dtype: torch.dtype) -> None:
    weight = torch.randn(3, 5).to(dtype)
    save_file({"a.weight": weight, "b.weight": weight * 2}, tmp_path / "base.safetensors")
    read = read_weight(StoredWeight(tmp_path / "base.safetensors", "a.weight"))
    assert read.dtype == dtype and torch.equal(read, weight)
    assert tensor_bytes(read) == tensor_bytes(weight)


def test_bytes_follow_the_rows_of_a_view() -> None:
    weight = torch.arange(6.0).reshape(2, 3)
    assert tensor_bytes(weight.T) == tensor_bytes(weight.T.contiguous())


def test_a_fingerprint_sees_names_shapes_dtypes_and_every_byte() -> None:
    torch.manual_seed(0)
    linear = nn.Linear(4, 3)
    mine = base_fingerprint({"a": linear})
    assert base_fingerprint({"a": linear}) == mine
    others = [{"b": linear}, {"a": nn.Linear(4, 3)}, {"a": nn.Linear(4, 3, bias=False)}]
    with torch.no_grad():
        nudged = nn.Linear(4, 3)
        nudged.load_state_dict(linear.state_dict())
        nudged.bias[2] += 1e-7
    halved = nn.Linear(4, 3).half()
    others += [{"a": nudged}, {"a": halved}, {"a": linear, "b": linear}]
    assert mine not in {base_fingerprint(other) for other in others}
