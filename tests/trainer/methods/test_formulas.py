"""Promises of the methods that are ours to write; the reference is each paper's formula, dense."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from trainer.adapters.config import AdapterConfig
from trainer.methods.build import build_method

SHAPES = [(8, 8), (8, 14), (14, 8)]


def linear(out: int, in_: int, bias: bool = True) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(in_, out, bias=bias)).requires_grad_(False)


def randomised(model: nn.Module, instead: Any, **changes: Any) -> dict[str, Tensor]:
    """The trained tensors, filled with numbers, by their last name."""
    config = AdapterConfig(method="lora", target_modules=("0",), **changes)
    method = build_method(model, config, instead)
    for parameter in method.trainable_parameters():
        parameter.data.normal_()
    return {key.rpartition(".")[2]: tensor.detach() for key, tensor in method.tensors().items()}


@pytest.mark.parametrize(("out", "in_"), SHAPES)
@pytest.mark.parametrize("bias", [True, False])
def test_ssl_and_ssb_scale_the_weight_and_spare_the_bias(out: int, in_: int, bias: bool) -> None:
    x = torch.randn(5, in_)
    for instead in ("ssl", "ssb"):
        model = linear(out, in_, bias)
        weight, offset = model[0].weight, model[0].bias
        tensors = randomised(model, instead)
        dense = weight * (1 + tensors["input_scale"])
        if instead == "ssb":
            dense = (1 + tensors["output_scale"])[:, None] * dense
        expected = nn.functional.linear(x, dense, offset)
        torch.testing.assert_close(model(x), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("out", "in_"), SHAPES)
def test_spectral_turns_the_largest_singular_vectors(out: int, in_: int) -> None:
    model, x = linear(out, in_), torch.randn(5, in_)
    weight, bias = model[0].weight, model[0].bias
    u, sigma, vh = torch.linalg.svd(weight.double(), full_matrices=False)
    tensors = randomised(model, "spectral", rank=3, alpha=4.5)
    # a pair of vectors has one sign, which the library may choose; take ours
    sign = ((tensors["spectral_u"].double() / sigma[:3].sqrt()) * u[:, :3]).sum(0).sign()
    u, v, s = u[:, :3] * sign, vh[:3].T * sign, torch.diag(sigma[:3])
    turned = (u + tensors["turn_u"].double()) @ s @ (v + tensors["turn_v"].double()).T
    dense = weight.double() + 1.5 * (turned - u @ s @ v.T)
    expected = nn.functional.linear(x.double(), dense, bias.double())
    torch.testing.assert_close(model(x).double(), expected, rtol=1e-4, atol=1e-4)


def test_a_prefix_writes_on_in_generation_as_it_reads_in_one_piece(zoo: Any) -> None:
    model = zoo.llama()
    config = AdapterConfig(method="lora", target_modules=zoo.llama_targets)
    build_method(model, config, "prefix")
    ids = zoo.tokens(rows=2)
    ids[1, :2] = 0
    mask = (ids != 0).long()
    written = model.generate(
        input_ids=ids, attention_mask=mask, max_new_tokens=5, do_sample=False, eos_token_id=None
    )
    assert written.shape == (2, 12)
    grown = torch.cat([mask, torch.ones(2, 5, dtype=torch.long)], 1)
    places = (grown.cumsum(1) - 1).clamp(min=0)  # as `generate` counts where there is padding
    with torch.no_grad():
        read = model(input_ids=written, attention_mask=grown, position_ids=places).logits
    assert torch.equal(read[:, 6:-1].argmax(-1), written[:, 7:])
