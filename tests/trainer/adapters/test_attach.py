"""Promises of putting an adapter on a model and taking it off."""

from __future__ import annotations

from typing import Any, get_args

import pytest
import torch
from torch import nn

from trainer.adapters.attach import attach, find_targets
from trainer.adapters.config import Method
from trainer.adapters.layer import AdaptedLinear
from trainer.adapters.weights import base_fingerprint
from trainer.errors import ConfigError, ResumeError

METHODS = list(get_args(Method))


def linears(model: nn.Module) -> dict[str, nn.Linear]:
    return {p: m for p, m in model.named_modules() if isinstance(m, nn.Linear)}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_fresh_adapter_changes_no_bit_of_the_output(
    lab: Any, method: str, dtype: torch.dtype
) -> None:
    model = lab.model().to(dtype)
    before = lab.output(model)
    attach(model, lab.config(method))
    assert torch.equal(lab.output(model), before)


@pytest.mark.parametrize("method", METHODS)
def test_training_leaves_the_base_untouched_and_detach_returns_it(lab: Any, method: str) -> None:
    model = lab.model()
    originals, before = linears(model), lab.output(model)
    fingerprint = base_fingerprint(originals)
    training = lab.start(method, model=model).fit(1, 5)
    assert not torch.equal(lab.output(model), before)
    assert base_fingerprint(originals) == fingerprint
    training.adapter.detach()
    assert base_fingerprint(originals) == fingerprint
    assert torch.equal(lab.output(model), before)
    after = linears(model)
    assert after.keys() == originals.keys()
    assert all(after[path] is originals[path] for path in originals)


def test_targets_are_whole_names_at_the_end_of_a_path(lab: Any) -> None:
    model = lab.model()
    assert list(find_targets(model, ("to_out.0",))) == ["blocks.0.to_out.0", "blocks.1.to_out.0"]
    assert list(find_targets(model, ("1.to_q", "proj"))) == [
        "blocks.0.proj", "blocks.1.to_q", "blocks.1.proj",
    ]  # fmt: skip
    with pytest.raises(ConfigError, match="o_q q: .*possible: last, proj, to_k, to_out.0, to_q"):
        find_targets(model, ("o_q", "q"))


def test_anything_that_quacks_like_a_linear_is_a_target() -> None:
    class Quantised(nn.Module):
        in_features, out_features = 4, 3

        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("weight", torch.ones(3, 4))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x @ self.weight.T  # type: ignore[operator]

    assert list(find_targets(nn.Sequential(Quantised(), nn.ReLU()), ("0",))) == ["0"]


def test_a_refused_attach_changes_nothing(lab: Any) -> None:
    model = lab.model()
    adapter = attach(model, lab.config("lora"))
    for bad, name, words in [
        (lab.config(rank=17), "other", "--adapter.rank 17 is more than the 16"),
        (lab.config("lora-dash", num_directions=20), "other", "--adapter.num-directions 20"),
        (lab.config(), "default", "already has an adapter"),
        (lab.config(), "a.b", "without dots"),
        (lab.config(), "items", "another word"),
    ]:
        with pytest.raises(ConfigError, match=words):
            attach(model, bad, name=name)
    adapter.detach()
    assert not any(isinstance(m, AdaptedLinear) for m in model.modules())


def test_the_start_depends_on_seed_and_path_alone(lab: Any) -> None:
    one = attach(lab.model(), lab.config())
    other = attach(lab.model(), lab.config("lora", target_modules=("to_v", "to_q")))
    for path, branch in other.layers.items():
        assert torch.equal(branch.lora_A, one.layers[path].lora_A)
        assert not branch.lora_B.any()
    moved = attach(lab.model(), lab.config(seed=1))
    assert not torch.equal(moved.layers["blocks.0.to_q"].lora_A, one.layers["blocks.0.to_q"].lora_A)
    starts = [branch.lora_A for path, branch in one.layers.items() if path.endswith("to_k")]
    assert not torch.equal(*starts)


def test_two_adapters_add_up_and_switch_one_by_one(lab: Any) -> None:
    model = lab.model()
    base = lab.output(model)
    first = lab.start("lora-tsd", model=model).fit(1, 5).adapter
    with_first = lab.output(model)
    second = attach(model, lab.config("lora-dash", target_modules=("to_v", "last")), name="second")
    for branch in second.layers.values():
        branch.lora_B.data.normal_(generator=torch.Generator().manual_seed(3))
    both = lab.output(model)
    with second.disabled():
        assert torch.equal(lab.output(model), with_first)
        with first.disabled():
            assert torch.equal(lab.output(model), base)
        with first.scaled(0.0):
            assert torch.equal(lab.output(model), base)
    assert torch.equal(lab.output(model), both)
    with first.disabled():
        with_second = lab.output(model)
    assert not torch.equal(with_second, base)

    x = torch.randn(3, 24)
    v = model.get_submodule("blocks.0.to_v")
    changes = [a.layers["blocks.0.to_v"](x) for a in (first, second)]
    torch.testing.assert_close(v(x), v.base(x) + changes[0] + changes[1])

    first.detach()
    assert torch.equal(lab.output(model), with_second)
    assert not isinstance(model.get_submodule("blocks.0.to_q"), AdaptedLinear)
    second.detach()
    assert torch.equal(lab.output(model), base)


def test_what_is_borrowed_is_put_back_after_an_error(lab: Any) -> None:
    adapter = attach(lab.model(), lab.config())
    adapter.set_strength(0.5)
    with pytest.raises(RuntimeError), adapter.disabled(), adapter.scaled(2.0):
        raise RuntimeError
    assert adapter.strength == 0.5
    assert all(branch.enabled for branch in adapter.layers.values())


@pytest.mark.parametrize("method", METHODS)
def test_merging_into_fp32_gives_the_same_model_without_adapter(lab: Any, method: str) -> None:
    model = lab.model()
    training = lab.start(method, model=model).fit(1, 6)
    unmerged = lab.output(model)
    training.adapter.merge_into_base()
    assert not any(isinstance(m, AdaptedLinear) for m in model.modules())
    assert (lab.output(model) - unmerged).abs().max() <= 1e-5


def test_merging_into_half_precision_is_refused_before_anything_is_touched(lab: Any) -> None:
    model = lab.model()
    adapter = attach(model, lab.config())
    model.get_submodule("blocks.1.to_v").base.bfloat16()  # type: ignore[operator]
    fingerprint = base_fingerprint(adapter.linears())
    with pytest.raises(ConfigError, match="blocks.1.to_v is stored as torch.bfloat16"):
        adapter.merge_into_base()
    assert base_fingerprint(adapter.linears()) == fingerprint


def test_a_state_goes_back_bit_by_bit_into_the_same_tensors(lab: Any) -> None:
    training = lab.start().fit(1, 5)
    adapter, expected = training.adapter, training.output()
    state = adapter.state()
    objects = {key: id(tensor) for key, tensor in adapter.tensors().items()}
    training.fit(6, 8)
    assert not torch.equal(training.output(), expected)
    adapter.load_state(state)
    assert torch.equal(training.output(), expected)
    assert {key: id(tensor) for key, tensor in adapter.tensors().items()} == objects
    assert (adapter.phase, adapter.launch_step) == ("dash", 3)


def test_a_foreign_state_is_refused(lab: Any) -> None:
    adapter = attach(lab.model(), lab.config())
    for changes in ({"rank": 5}, {"num_directions": 2}, {"target_modules": ("to_q",)}):
        other = attach(lab.model(), lab.config(**changes))
        with pytest.raises(ResumeError, match="another adapter"):
            adapter.load_state(other.state())


def test_parameters_are_named_by_the_adapter_itself(lab: Any) -> None:
    model = lab.model()
    adapter = attach(model, lab.config())
    mine = [*adapter.factor_parameters(), *adapter.direction_parameters()]
    trained = [p for p in model.parameters() if p.requires_grad]
    assert {id(p) for p in mine} == {id(p) for p in trained}
    assert len(mine) == 3 * len(adapter.layers) == 30
    assert attach(lab.model(), lab.config("lora")).direction_parameters() == []
