"""Promises of the adapted linear; the reference is the dense formula in fp64."""

from __future__ import annotations

from typing import Any, get_args

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trainer.adapters.config import AdapterConfig, Method
from trainer.adapters.layer import AdaptedLinear, LowRankBranch, random_A

METHODS = list(get_args(Method))
SHAPES = [(8, 8), (8, 14), (14, 8)]
CPU = torch.device("cpu")


def config(method: Any, **changes: Any) -> AdapterConfig:
    return AdapterConfig(method=method, **{"rank": 3, "alpha": 4.5, "num_directions": 2, **changes})


def adapted(
    method: str, out: int = 8, in_: int = 14, **changes: Any
) -> tuple[AdaptedLinear, LowRankBranch]:
    """A linear with one branch whose every float tensor is random: as after a launch."""
    torch.manual_seed(0)
    layer = AdaptedLinear(nn.Linear(in_, out).requires_grad_(False))
    branch = LowRankBranch(in_, out, config(method, **changes), CPU)
    for tensor in branch.state_dict().values():
        if tensor.is_floating_point():
            tensor.normal_()
    layer.branches["default"] = branch
    return layer, branch


def dense_delta_w(branch: LowRankBranch, c: float) -> Tensor:
    """method.md's formula, written out; absent tensors are zero."""
    core = torch.eye(len(branch.lora_A))
    if branch.lora_E is not None:
        core = torch.diag(branch.lora_E[:, 0])
    if branch.lora_G is not None:
        core = branch.lora_G
    delta_w = c * branch.lora_B @ core @ branch.lora_A
    if branch.init_A is not None and branch.init_B is not None:
        delta_w = delta_w - c * branch.init_B @ branch.init_A
    if branch.prelaunch_A is not None and branch.prelaunch_B is not None:
        delta_w = delta_w + c * branch.prelaunch_B @ branch.prelaunch_A
    if branch.delta_sigma is not None:
        assert branch.direction_u is not None and branch.direction_v is not None
        delta_w = (
            delta_w + branch.direction_u @ torch.diag(branch.delta_sigma) @ branch.direction_v.T
        )
    return delta_w


@pytest.mark.parametrize(("out", "in_"), SHAPES)
@pytest.mark.parametrize("method", METHODS)
def test_forward_and_gradients_are_those_of_the_dense_formula(
    method: str, out: int, in_: int
) -> None:
    layer, branch = adapted(method, out, in_)
    x = torch.randn(5, in_, dtype=torch.float64, requires_grad=True)
    layer.base.double()
    target = torch.randn(5, out, dtype=torch.float64)
    wanted = [x, *branch.parameters()]

    y = F.linear(x, layer.base.weight + dense_delta_w(branch, 1.5), layer.base.bias)
    expected = torch.autograd.grad((y - target).square().sum(), wanted)
    found = torch.autograd.grad((layer(x) - target).square().sum(), wanted)

    torch.testing.assert_close(layer(x), y, rtol=1e-5, atol=1e-5)
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_delta_w_is_what_the_forward_adds(method: str) -> None:
    layer, branch = adapted(method)
    x = torch.randn(5, 14)
    torch.testing.assert_close(
        layer(x), F.linear(x, layer.base.weight + branch.delta_w().float(), layer.base.bias)
    )


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("alpha", [3.0, 4.5])
def test_plain_lora_is_peft_lora(alpha: float) -> None:
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(0)
    base = nn.Sequential(nn.Linear(14, 8)).requires_grad_(False)
    ours = AdaptedLinear(base[0])  # type: ignore[arg-type]
    branch = LowRankBranch(14, 8, config("lora", alpha=alpha), CPU)
    ours.branches["default"] = branch
    theirs = get_peft_model(base, LoraConfig(r=3, lora_alpha=alpha, target_modules=["0"]))
    factors = {n.split(".")[-3]: p for n, p in theirs.named_parameters() if "lora_" in n}
    for name, parameter in factors.items():
        parameter.data.normal_()
        getattr(branch, name).data.copy_(parameter)

    x = torch.randn(5, 14)
    torch.testing.assert_close(ours(x), theirs(x), rtol=1e-6, atol=1e-6)
    ours(x).square().sum().backward()
    theirs(x).square().sum().backward()
    for name, parameter in factors.items():
        torch.testing.assert_close(getattr(branch, name).grad, parameter.grad)


def test_one_dropout_mask_serves_all_trained_branches_and_spares_the_folded_one() -> None:
    layer, branch = adapted("lora-tsd", dropout=0.5)
    x = torch.randn(40, 14)
    torch.manual_seed(7)
    dropped = F.dropout(x, 0.5)
    folded = 1.5 * branch.prelaunch_B @ branch.prelaunch_A  # type: ignore[operator]
    rest = dense_delta_w(branch, 1.5) - folded
    torch.manual_seed(7)
    torch.testing.assert_close(
        layer(x),
        layer.base(x) + F.linear(dropped, rest) + F.linear(x, folded),
        rtol=1e-4,
        atol=1e-4,
    )
    layer.eval()
    torch.testing.assert_close(
        layer(x), layer.base(x) + F.linear(x, dense_delta_w(branch, 1.5)), rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize("method", METHODS)
def test_strength_0_is_bitwise_the_base_and_between_scales_all_of_the_change(method: str) -> None:
    layer, branch = adapted(method)
    x = torch.randn(5, 14)
    whole = layer(x) - layer.base(x)
    branch.strength = 0.0
    assert torch.equal(layer(x), layer.base(x))
    branch.strength = 0.25
    torch.testing.assert_close(layer(x) - layer.base(x), 0.25 * whole, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(0.25 * dense_delta_w(branch, 1.5), branch.delta_w().float())


def test_before_launch_the_dash_term_gets_a_gradient_of_exactly_zero() -> None:
    layer = AdaptedLinear(nn.Linear(14, 8).requires_grad_(False))
    branch = LowRankBranch(14, 8, config("lora-tsd"), CPU)
    branch.lora_A.data.normal_()
    branch.lora_B.data.normal_()
    layer.branches["default"] = branch
    layer(torch.randn(5, 14)).square().sum().backward()
    assert branch.delta_sigma is not None and branch.delta_sigma.grad is not None
    assert torch.equal(branch.delta_sigma.grad, torch.zeros(2))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_half_precision_base_keeps_its_dtype_and_the_adapter_its_fp32(dtype: torch.dtype) -> None:
    layer, branch = adapted("lora-tsd")
    layer.to(dtype)
    assert {t.dtype for t in branch.state_dict().values()} == {torch.float32, torch.int64}
    x = torch.randn(5, 14).to(dtype)
    y = layer(x)
    assert y.dtype == dtype
    exact = F.linear(x.double(), layer.weight.double() + branch.delta_w(), layer.bias.double())  # type: ignore[union-attr]
    torch.testing.assert_close(y.double(), exact, rtol=0.03, atol=0.1)
    y.float().square().sum().backward()
    assert branch.lora_A.grad is not None and branch.lora_A.grad.dtype == torch.float32


def test_a_change_too_small_for_bf16_to_see_in_the_factors_still_counts() -> None:
    layer, branch = adapted("lora-init", prelaunch="discard")
    assert branch.init_A is not None and branch.init_B is not None
    branch.lora_B.data.copy_(branch.init_B)
    branch.lora_A.data.copy_(branch.init_A * (1 + 2.0**-12))
    assert torch.equal(branch.lora_A.bfloat16(), branch.init_A.bfloat16())  # gone, if rounded first
    x = torch.randn(5, 14).bfloat16()
    change = branch(x).double()
    exact = F.linear(x.double(), branch.delta_w())
    assert ((change - exact).norm() / exact.norm()) < 0.02


def test_under_autocast_the_output_is_in_its_dtype() -> None:
    layer, branch = adapted("lora-tsd")
    with torch.autocast("cpu", torch.bfloat16):
        y = layer(torch.randn(5, 14))
    assert y.dtype == torch.bfloat16
    y.float().sum().backward()
    assert branch.lora_A.grad is not None and torch.isfinite(branch.lora_A.grad).all()


def test_the_wrapper_looks_like_the_linear_it_wraps() -> None:
    base = nn.Linear(14, 8)
    layer = AdaptedLinear(base)
    assert (layer.in_features, layer.out_features) == (14, 8)
    assert layer.weight is base.weight and layer.bias is base.bias
    assert set(dict(layer.named_parameters())) == {"base.weight", "base.bias"}


def test_the_start_of_A_is_loras_and_depends_on_its_label_only() -> None:
    first = random_A(64, 100, "0:blocks.0.to_q")
    torch.rand(3)  # the global generator has no say
    assert torch.equal(first, random_A(64, 100, "0:blocks.0.to_q"))
    assert not torch.equal(first, random_A(64, 100, "1:blocks.0.to_q"))
    reference = torch.empty(64, 100)
    nn.init.kaiming_uniform_(reference, a=5**0.5)  # as PEFT writes it
    assert abs(first.std() / reference.std() - 1) < 0.05
    assert first.abs().max() <= 0.1


@pytest.mark.parametrize("method", METHODS)
def test_only_factors_and_delta_sigma_are_trained(method: str) -> None:
    _, branch = adapted(method)
    names = {name for name, p in branch.named_parameters() if p.requires_grad}
    dash = {"delta_sigma"} if method not in ("lora", "lora-init", "adalora", "flora") else set()
    core = {"adalora": {"lora_E"}, "flora": {"lora_G"}}.get(method.removesuffix("-dash"), set())
    assert names == {"lora_A", "lora_B"} | core | dash


@pytest.mark.parametrize("method", ["adalora", "flora"])
def test_the_factors_around_a_zero_core_start_as_their_authors_start_them(method: str) -> None:
    branch = LowRankBranch(400, 300, config(method, rank=40), CPU)
    branch.start("0:blocks.0.to_q")
    core = branch.lora_E if method == "adalora" else branch.lora_G
    assert core is not None and not core.any()
    for factor in (branch.lora_A, branch.lora_B):
        assert abs(factor.std().item() / 0.02 - 1) < 0.05 and abs(factor.mean().item()) < 1e-3
    assert not torch.equal(branch.lora_A[:, :300], branch.lora_B.T)
