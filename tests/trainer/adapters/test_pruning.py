"""Promises of AdaLoRA's rank schedule; the reference is PEFT's AdaLoRA, trained beside ours."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trainer.adapters.attach import attach
from trainer.adapters.config import AdapterConfig
from trainer.adapters.pruning import EVERY, RankPruning, importance

STEPS, LAUNCH, LAST = 60, 10, 35
RANK, START, ALPHA = 4, 6, 6.0


class Regression(nn.Module):
    """Two linears that PEFT's AdaLoRA can find the loss of."""

    config = SimpleNamespace(tie_word_embeddings=False)

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.first, self.second = nn.Linear(12, 20), nn.Linear(20, 9)
        self.requires_grad_(False)

    def forward(self, x: Tensor, target: Tensor) -> SimpleNamespace:
        y = self.second(torch.tanh(self.first(x)))
        return SimpleNamespace(loss=F.mse_loss(y, target), y=y)


def batch(step: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(step)
    x = torch.randn(16, 12, generator=generator)
    return x, torch.sin(3 * x[:, :9])


@pytest.mark.filterwarnings("ignore")
def test_every_step_is_pefts() -> None:
    from peft import AdaLoraConfig, get_peft_model

    theirs = get_peft_model(
        Regression(),  # type: ignore[arg-type]
        AdaLoraConfig(
            init_r=START, target_r=RANK, lora_alpha=ALPHA * START / RANK,  # type: ignore[arg-type]
            target_modules=["first", "second"], total_step=STEPS, tinit=LAUNCH,
            tfinal=STEPS - LAST, deltaT=EVERY, orth_reg_weight=0.5,
        ),
    )  # fmt: skip
    config = AdapterConfig(
        method="adalora", rank=RANK, alpha=ALPHA, target_modules=("first", "second"),
        prelaunch_steps=LAUNCH,
    )  # fmt: skip
    model = Regression()
    adapter = attach(model, config)
    adapter.plan(STEPS)
    reference = {path: theirs.get_submodule(f"base_model.model.{path}") for path in adapter.layers}
    for path, branch in adapter.layers.items():
        for name, factor in branch.factors().items():
            getattr(reference[path], name)["default"].data.copy_(factor)

    ours = torch.optim.AdamW(adapter.trainable_parameters(), lr=1e-2)
    trained = [p for p in theirs.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-2)
    ranks = []
    for step in range(1, STEPS + 1):
        x, target = batch(step)
        theirs.base_model(x, target).loss.backward()  # this forward adds the penalty
        optimizer.step()
        theirs.base_model.update_and_allocate(step)
        optimizer.zero_grad()

        penalty = adapter.penalty()
        assert penalty is not None
        (model(x, target).loss + penalty).backward()
        ours.step()
        adapter.after_update(step)
        ours.zero_grad()

        for path, branch in adapter.layers.items():
            for name, factor in branch.factors().items():
                expected = getattr(reference[path], name)["default"]
                torch.testing.assert_close(factor, expected, rtol=1e-3, atol=1e-5)
        ranks.append(sum(int(b.lora_E.count_nonzero()) for b in adapter.layers.values()))
    assert ranks[LAUNCH - 1] == 2 * START and set(ranks[LAST - 1 :]) == {2 * RANK}


def test_the_budget_sinks_by_the_third_power() -> None:
    config = AdapterConfig(method="adalora", rank=8, prelaunch_steps=100)
    pruning = RankPruning(dict.fromkeys("abcd"), config, 1000)  # type: ignore[arg-type]
    assert [pruning.budget(step) for step in (0, 100, 325, 550, 900)] == [48, 48, 34, 32, 32]


@pytest.mark.parametrize("method", ["adalora", "adalora-dash"])
def test_ranks_that_are_gone_stay_away_and_the_rest_is_r_in_the_mean(lab: Any, method: str) -> None:
    training = lab.start(method, total_steps=12).fit(1, 9)
    layers = training.adapter.layers
    kept = {path: branch.kept.clone() for path, branch in layers.items()}
    assert sum(int(mask.sum()) for mask in kept.values()) == 4 * len(layers)
    assert len({int(mask.sum()) for mask in kept.values()}) > 1  # some linears need more
    training.fit(10, 12)
    for path, branch in layers.items():
        assert not branch.lora_E[~kept[path]].any() and branch.lora_E[kept[path]].all()


def test_the_dash_term_is_in_neither_penalty_nor_importance(lab: Any) -> None:
    training = lab.start("adalora-dash", total_steps=20).fit(1, 5)
    penalty = training.adapter.penalty()
    branch = training.adapter.layers["blocks.0.to_q"]
    before = importance(branch)
    branch.delta_sigma.data += 1
    assert torch.equal(training.adapter.penalty(), penalty)
    assert torch.equal(importance(branch), before)
    penalty.backward()
    assert branch.delta_sigma.grad is None and branch.lora_E.grad is None


def test_a_skipped_update_leaves_no_trace(lab: Any) -> None:
    adapter = lab.start("adalora").fit(1, 2).adapter
    before = adapter.state()["tensors"]
    for parameter in adapter.factor_parameters():
        parameter.grad = torch.full_like(parameter, torch.inf)  # fp16 overflow
    adapter.after_update(3)
    assert all(torch.equal(before[key], tensor) for key, tensor in adapter.tensors().items())
