"""Promises of the launch: when it comes, what it changes, what it leaves alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from trainer.adapters.attach import attach
from trainer.adapters.schedule import LaunchSchedule
from trainer.config import OptimConfig
from trainer.errors import ConfigError, NonFiniteError, ResumeError
from trainer.optimizer import build_optimizer

LAUNCHING = ["lora-dash", "lora-init", "lora-tsd", "lora-restart", "adalora-dash", "flora-dash"]
DASHING = ["lora-dash", "adalora-dash", "flora-dash"]  # no restart


def tensors(training: Any) -> dict[str, torch.Tensor]:
    return training.adapter.state()["tensors"]


def indices(training: Any) -> dict[str, tuple[int, ...]]:
    return {path: layer.index for path, layer in training.report.layers.items()}


def dense_choice(
    weight: torch.Tensor, delta_w: torch.Tensor, count: int
) -> tuple[tuple[int, ...], list[float]]:
    """numpy: eq. 3 by the dense SVD of W and the dense delta_w."""
    u, sigma, vh = np.linalg.svd(weight.double().numpy(), full_matrices=False)
    rate = np.abs(np.diagonal(u.T @ delta_w.numpy() @ vh.T)) / (sigma + 1e-6)
    index = np.argsort(-rate, kind="stable")[:count]
    return tuple(index.tolist()), rate[index].tolist()


@pytest.mark.parametrize("method", LAUNCHING)
def test_launch_is_continuous_to_the_last_bit(lab: Any, method: str) -> None:
    training = lab.start(method, probe=True).fit(1, 2)
    after_two = training.output()
    training.fit(3, 3)
    assert training.report.probe_difference == 0.0
    assert not torch.equal(training.output(), after_two)


def test_launch_is_continuous_on_a_half_precision_base(lab: Any) -> None:
    model = lab.model().bfloat16()
    training = lab.start("lora-tsd", model=model, probe=True, prelaunch_steps=1)
    for branch in training.adapter.layers.values():
        branch.lora_B.data.normal_(std=0.02, generator=torch.Generator().manual_seed(1))
    training.tell(1)
    assert training.report.probe_difference == 0.0


@pytest.mark.parametrize("method", ["lora-init", "lora-tsd"])
def test_a_discarding_launch_is_bitwise_the_base(lab: Any, method: str) -> None:
    model = lab.model()
    base = lab.output(model)
    training = lab.start(method, model=model, prelaunch="discard", probe=True).fit(1, 3)
    assert torch.equal(training.output(), base)
    assert training.report.probe_difference > 0


@pytest.mark.parametrize("method", ["lora-init", "lora-tsd", *DASHING])
def test_launch_takes_the_directions_that_the_dense_formula_takes(lab: Any, method: str) -> None:
    training = lab.start(method).fit(1, 2)
    linears, count = training.adapter.linears(), training.adapter.config.chosen
    expected = {
        path: dense_choice(linears[path].weight, branch.delta_w(), count)
        for path, branch in training.adapter.layers.items()
    }
    training.tell(3)
    for path, (index, rate) in expected.items():
        assert training.report.layers[path].index == index
        assert training.report.layers[path].rate == pytest.approx(rate, rel=1e-3)


def test_init_takes_the_first_r_and_dash_the_first_s_of_one_list(lab: Any) -> None:
    lists = {
        method: indices(lab.start(method).fit(1, 3))
        for method in ("lora-dash", "lora-init", "lora-tsd")
    }
    for path, both in lists["lora-tsd"].items():
        assert lists["lora-init"][path] == both
        assert lists["lora-dash"][path] == both[:3]


def test_the_launched_directions_are_those_of_the_report_and_of_the_weight(lab: Any) -> None:
    training = lab.start().fit(1, 3)
    for path, branch in training.adapter.layers.items():
        weight = training.adapter.linears()[path].weight.double()
        sigma = torch.linalg.svdvals(weight)[branch.direction_index]
        torch.testing.assert_close(branch.direction_sigma.double(), sigma, rtol=1e-5, atol=1e-6)
        u, v = branch.direction_u.double(), branch.direction_v.double()
        torch.testing.assert_close(
            weight @ v, u * sigma[: u.shape[1]], rtol=1e-5, atol=1e-5
        )  # W v_i = sigma_i u_i
        c = training.adapter.config.scaling
        held = c * branch.init_B.double() @ branch.init_A.double()
        torch.testing.assert_close(held @ v, u * sigma[: u.shape[1]], rtol=1e-4, atol=1e-5)
        assert torch.equal(branch.lora_A, branch.init_A)
        assert torch.equal(branch.lora_B, branch.init_B)
        assert training.report.layers[path].rate == pytest.approx(branch.direction_rate.tolist())


@pytest.mark.parametrize("direction", ["top", "bottom", "random", "top+bottom"])
def test_the_other_directions_may_launch_before_the_first_step(lab: Any, direction: str) -> None:
    training = lab.start(direction=direction, prelaunch_steps=0, probe=True)
    training.tell(0)
    assert training.report.step == 0 and training.report.probe_difference == 0.0
    for index in indices(training).values():
        if direction == "top":
            assert index == (0, 1, 2, 3)
        elif direction == "bottom":
            assert index == (15, 14, 13, 12)
        elif direction == "top+bottom":
            assert index == (0, 15, 1, 14)
        else:
            assert len(set(index)) == 4
    training.fit(1, 2)
    assert training.report.step == 0


@pytest.mark.parametrize("method", DASHING)
def test_all_directions_dash_together_but_for_those_that_are_noise(lab: Any, method: str) -> None:
    model = lab.model()
    with torch.no_grad():
        model.get_submodule("blocks.1.to_v").weight[12:] = 0
    training = lab.start(method, model=model, direction="all", probe=True).fit(1, 5)
    assert training.report.probe_difference == 0.0
    for path, branch in training.adapter.layers.items():
        usable = 12 if path == "blocks.1.to_v" else 16
        assert training.report.layers[path].index == tuple(range(usable))
        assert branch.delta_sigma.shape == (16,)
        assert branch.delta_sigma[:usable].all() and not branch.delta_sigma[usable:].any()
        assert branch.direction_index.tolist() == [*range(usable), *[-1] * (16 - usable)]


@pytest.mark.parametrize("direction", ["random", "top+bottom"])
def test_fewer_directions_are_a_part_of_more(lab: Any, direction: str) -> None:
    few, more = (
        indices(lab.start("lora-dash", direction=direction, num_directions=n).fit(1, 3))
        for n in (2, 6)
    )
    assert all(more[path][:2] == few[path] for path in few)


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("accumulate", [1, 4])
def test_launch_counts_optimizer_steps_and_nothing_else(
    lab: Any, accumulate: int, checkpointing: bool
) -> None:
    plain = lab.start().fit(1, 4)
    training = lab.start()
    training.model.checkpointing = checkpointing
    training.fit(1, 4, accumulate=accumulate, validate=True)
    assert training.report.step == 3
    assert indices(training) == indices(plain)


@pytest.mark.parametrize("method", LAUNCHING)
def test_the_optimizer_forgets_what_is_gone_and_keeps_the_rest(lab: Any, method: str) -> None:
    training = lab.start(method).fit(1, 2)
    optimizer, adapter = training.optimizer, training.adapter
    parameters = [*adapter.factor_parameters(), *adapter.direction_parameters()]
    identities = [id(p) for group in optimizer.param_groups for p in group["params"]]
    moments = {id(p): s["exp_avg"].clone() for p, s in optimizer.state.items()}
    assert len(moments) == len(parameters)
    training.fit(3, 3)

    kept = {id(p) for p in optimizer.state}
    factors = {id(p) for p in adapter.factor_parameters()}
    assert kept == (factors if method in DASHING else set())
    assert identities == [id(p) for group in optimizer.param_groups for p in group["params"]]
    training.fit(4, 4)
    for parameter in adapter.direction_parameters():
        assert optimizer.state[parameter]["step"] == 1
    expected = 4 if method in DASHING else 1
    assert {int(optimizer.state[p]["step"]) for p in adapter.factor_parameters()} == {expected}


@pytest.mark.parametrize("method", ["lora-init", "lora-tsd", "lora-restart"])
def test_with_prodigy_no_first_update_after_a_restart_is_above_its_rate(
    lab: Any, method: str
) -> None:
    """Adam's first update is the rate times the gradient's sign; Prodigy's rate is d."""
    pytest.importorskip("prodigyopt")
    training = lab.start(method, prelaunch_steps=40, total_steps=50)
    config = OptimConfig(optimizer="prodigy", learning_rate=1.0)
    training.optimizer = build_optimizer(training.adapter, config)
    training.fit(1, 40)
    rate = training.optimizer.param_groups[0]["d"]
    before = {name: tensor.clone() for name, tensor in tensors(training).items()}
    training.fit(41, 41)
    moved = [(t - before[name]).abs().max().item() for name, t in tensors(training).items()]
    assert rate > 1e-3 and max(moved) == pytest.approx(rate, rel=1e-3)


@pytest.mark.parametrize("method", ["lora", *LAUNCHING])
def test_the_learning_rate_series_is_the_schedulers_own(lab: Any, method: str) -> None:
    training = lab.start(method)
    scheduler = torch.optim.lr_scheduler.LambdaLR(training.optimizer, lambda k: 1 / (1 + k))
    rates = []
    for step in range(1, 6):
        training.fit(step, step)
        scheduler.step()
        rates.append(training.optimizer.param_groups[0]["lr"])
    assert rates == [1e-2 * (1 / (1 + k)) for k in range(1, 6)]


def test_lr_post_follows_the_restart_through_any_scheduler(lab: Any) -> None:
    factors = {
        method: [lab.start(method, lr_post=4.0).schedule.lr_factor(step) for step in range(6)]
        for method in ("lora", "lora-dash", "lora-init", "lora-tsd")
    }
    assert factors["lora"] == factors["lora-dash"] == [1.0] * 6
    assert factors["lora-init"] == factors["lora-tsd"] == [1.0] * 3 + [4.0] * 3

    training = lab.start(lr_post=4.0)
    scheduler = torch.optim.lr_scheduler.LambdaLR(
        training.optimizer, [training.schedule.lr_factor, lambda step: 1.0]
    )
    used = []
    for step in range(1, 6):
        used.append([group["lr"] for group in training.optimizer.param_groups])
        training.fit(step, step)
        scheduler.step()
    assert used == [[0.01, 0.01]] * 3 + [[0.04, 0.01]] * 2


def test_a_layer_that_has_learned_nothing_stays_plain(lab: Any) -> None:
    training = lab.start()
    idle = training.adapter.layers["blocks.1.to_v"]
    idle.lora_B.requires_grad_(False)  # never updated: B, and so delta_w, stays zero
    training.fit(1, 2)
    before = idle.lora_A.detach().clone()
    training.tell(3)
    assert training.report.plain == ("blocks.1.to_v",)
    assert len(training.report.layers) == len(training.adapter.layers) - 1
    assert idle.direction_index.tolist() == [-1] * 4
    assert torch.equal(idle.lora_A, before) and not idle.init_A.any()
    assert idle.lora_A in training.optimizer.state


@pytest.mark.parametrize("num_directions", [0, 3])
def test_the_restart_control_folds_and_starts_anew(lab: Any, num_directions: int) -> None:
    training = lab.start("lora-restart", num_directions=num_directions, probe=True)
    first = {path: b.lora_A.detach().clone() for path, b in training.adapter.layers.items()}
    training.fit(1, 3)
    assert training.report.probe_difference == 0.0
    assert bool(training.adapter.direction_parameters()) == bool(num_directions)
    for path, branch in training.adapter.layers.items():
        assert branch.prelaunch_B.any() and not branch.lora_B.any()
        assert not torch.equal(branch.lora_A, first[path])
        bound = 1 / branch.lora_A.shape[1] ** 0.5
        assert 0.8 * bound < branch.lora_A.abs().max() <= bound
    assert len(training.report.layers) == len(training.adapter.layers)


def test_plain_lora_never_launches(lab: Any) -> None:
    training = lab.start("lora").fit(1, 6)
    assert training.report is None and training.adapter.phase == "pre-launch"


def test_too_many_directions_are_refused_and_nothing_is_launched(lab: Any) -> None:
    model = lab.model()
    with torch.no_grad():
        model.get_submodule("blocks.1.to_v").weight[3:] = 0  # three directions, the rest is noise
    training = lab.start(model=model).fit(1, 2)
    before = tensors(training)
    with pytest.raises(ConfigError, match="rank 4 is more than the 3 directions of blocks.1.to_v"):
        training.fit(3, 3)
    assert training.adapter.phase == "pre-launch"
    assert all(not tensors(training)[key].any() for key in before if ".init_" in key)


@pytest.mark.parametrize("where", ["weight", "change"])
def test_what_is_not_finite_is_named_by_its_layer(lab: Any, where: str) -> None:
    training = lab.start()
    layer = training.adapter.layers["blocks.0.to_k"]
    tensor = (
        layer.lora_B if where == "change" else training.adapter.linears()["blocks.0.to_k"].weight
    )
    tensor.data[0, 0] = torch.nan
    with pytest.raises(NonFiniteError, match="^blocks.0.to_k: "):
        training.schedule.after_step(3, training.optimizer)


def test_a_missed_launch_is_an_error(lab: Any) -> None:
    training = lab.start()
    with pytest.raises(ResumeError, match="due at step 3"):
        training.schedule.after_step(4, training.optimizer)


def test_a_launch_that_cannot_be_is_refused_before_the_run(lab: Any) -> None:
    adapter = attach(lab.model(), lab.config(prelaunch_steps=10))
    with pytest.raises(ConfigError, match="prelaunch-steps"):
        LaunchSchedule(adapter, 10, lab.service)


@pytest.mark.parametrize("method", ["lora", "adalora", "flora", *LAUNCHING])
@pytest.mark.parametrize("stop", [2, 3, 4, 6])
def test_a_resumed_run_is_bitwise_the_uninterrupted_one(
    lab: Any, tmp_path: Path, method: str, stop: int
) -> None:
    straight = lab.start(method).fit(1, 7)

    first = lab.start(method).fit(1, stop)
    saved = tmp_path / "saved.pt"
    torch.save(
        {
            "adapter": first.adapter.state(),
            "optimizer": first.optimizer.state_dict(),
        },
        saved,
    )
    second = lab.start(method)
    state = torch.load(saved)
    second.adapter.load_state(state["adapter"])
    second.optimizer.load_state_dict(state["optimizer"])
    second.fit(stop + 1, 7)

    expected = tensors(straight)
    assert all(torch.equal(tensor, expected[key]) for key, tensor in tensors(second).items())
    assert torch.equal(second.output(), straight.output())


@pytest.mark.filterwarnings("ignore")
def test_one_compiled_graph_serves_before_and_after_launch(lab: Any) -> None:
    from torch._dynamo.testing import CompileCounter

    training = lab.start(prelaunch_steps=2)
    counter = CompileCounter()
    eager = training.model
    training.model = torch.compile(eager, backend=counter, fullgraph=True)
    training.model.training = False  # the lab's validation reads and sets it
    for step in range(1, 5):
        training.fit(step, step)
    assert training.report.step == 2
    assert counter.frame_count == 1
