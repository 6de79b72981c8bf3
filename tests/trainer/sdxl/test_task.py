"""A step means what it says: however it is split, it has the same loss and the same gradient."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from trainer.adapters.attach import Adapter, attach
from trainer.adapters.config import AdapterConfig
from trainer.sdxl.dataset import Example, encode_class_images
from trainer.sdxl.denoise import Denoising
from trainer.sdxl.encode import encode_prompts
from trainer.sdxl.load import SDXL
from trainer.sdxl.task import DreamBoothTask, Prior


@pytest.fixture
def adapter(sdxl: SDXL) -> Adapter:
    """An adapter that has learned something, so that gradients reach A as well as B."""
    adapter = attach(sdxl.unet, AdapterConfig(method="lora", rank=2, alpha=2))
    for number, branch in enumerate(adapter.layers.values()):
        generator = torch.Generator().manual_seed(number)
        with torch.no_grad():
            branch.lora_B.normal_(std=0.02, generator=generator)
    return adapter


def examples(sdxl: SDXL, prompt: str, count: int, side: int = 64) -> list[Example]:
    random = np.random.default_rng(side)
    pixels = random.integers(0, 256, (count, side, side, 3), dtype=np.uint8)
    return encode_class_images(sdxl, [Image.fromarray(p) for p in pixels], prompt)


def task(sdxl: SDXL, adapter: Adapter, micro: int, prior: Prior | None = None) -> DreamBoothTask:
    photos = [*examples(sdxl, "a zwx dog", 2), *examples(sdxl, "a zwx dog", 1, side=48)]
    return DreamBoothTask(
        Denoising(sdxl), adapter, photos, batch_size=4, micro_batch_size=micro, seed=3, prior=prior
    )


def gradient(adapter: Adapter, task: DreamBoothTask, step: int = 0) -> tuple[float, list[Tensor]]:
    for parameter in adapter.factor_parameters():
        parameter.grad = None
    total = 0.0
    for part in task.micro_losses(step):
        (part.loss * part.share).backward()  # type: ignore[no-untyped-call]
        total += part.loss.item() * part.share
    return total, [p.grad.clone() for p in adapter.factor_parameters() if p.grad is not None]


def assert_same(a: tuple[float, list[Tensor]], b: tuple[float, list[Tensor]]) -> None:
    assert a[0] == pytest.approx(b[0], rel=1e-5)
    norm = torch.stack([g.norm() for g in a[1]]).norm()
    difference = torch.stack([(g - h).norm() for g, h in zip(a[1], b[1], strict=True)]).norm()
    assert difference <= 1e-4 * norm


def test_accumulation_changes_neither_loss_nor_gradient(sdxl: SDXL, adapter: Adapter) -> None:
    whole = gradient(adapter, task(sdxl, adapter, micro=4))
    assert_same(gradient(adapter, task(sdxl, adapter, micro=1)), whole)
    assert_same(gradient(adapter, task(sdxl, adapter, micro=3)), whole)


def test_gradient_checkpointing_changes_nothing_but_memory(sdxl: SDXL, adapter: Adapter) -> None:
    plain = gradient(adapter, task(sdxl, adapter, micro=4))
    sdxl.unet.enable_gradient_checkpointing()
    assert_same(gradient(adapter, task(sdxl, adapter, micro=4)), plain)


def test_a_step_has_four_pictures_and_all_of_its_weight(sdxl: SDXL, adapter: Adapter) -> None:
    parts = list(task(sdxl, adapter, micro=3).micro_losses(5))
    assert sum(len(part.names) for part in parts) == 4
    assert sum(part.share for part in parts) == pytest.approx(1.0)


def test_class_pictures_count_by_their_weight_and_know_their_own_size(
    sdxl: SDXL, adapter: Adapter
) -> None:
    pictures = examples(sdxl, "a dog", 3, side=48)
    assert {p.framing.time_ids for p in pictures} == {(48, 48, 0, 0, 48, 48)}
    prior = Prior(0.5, class_examples=tuple(pictures))
    parts = list(task(sdxl, adapter, micro=2, prior=prior).micro_losses(0))
    subject_parts = list(task(sdxl, adapter, micro=2).micro_losses(0))
    class_parts = parts[len(subject_parts) :]
    assert sum(part.share for part in parts) == pytest.approx(1.5)
    assert sum(part.share for part in class_parts) == pytest.approx(0.5)


def test_with_a_fresh_adapter_the_adapter_off_prior_is_exactly_zero(sdxl: SDXL) -> None:
    fresh = attach(sdxl.unet, AdapterConfig(method="lora", rank=2))
    prior = Prior(1.0, class_prompt=encode_prompts(sdxl, ["a dog"])["a dog"])
    parts = list(task(sdxl, fresh, micro=4, prior=prior).micro_losses(0))
    held = [part.loss.item() for part in parts[1::2]]
    assert held and all(loss == 0.0 for loss in held)


def test_the_adapter_off_prior_pulls_back_towards_the_base(sdxl: SDXL, adapter: Adapter) -> None:
    prior = Prior(1.0, class_prompt=encode_prompts(sdxl, ["a dog"])["a dog"])
    both = task(sdxl, adapter, micro=4, prior=prior)
    losses = [part.loss.item() for part in both.micro_losses(0)]
    assert losses[1] > 0
    optimizer = torch.optim.SGD(adapter.factor_parameters(), lr=0.5)
    for part in list(both.micro_losses(0))[1::2]:
        part.loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    assert [part.loss.item() for part in both.micro_losses(0)][1] < losses[1]


def test_noise_of_subject_and_class_is_not_the_same(sdxl: SDXL, adapter: Adapter) -> None:
    photos = examples(sdxl, "a zwx dog", 1)
    same = dataclasses.replace(photos[0])
    both = DreamBoothTask(
        Denoising(sdxl), adapter, photos, batch_size=1, micro_batch_size=1, seed=0,
        prior=Prior(1.0, class_examples=(same,)),
    )  # fmt: skip
    subject, kept = (part.loss.item() for part in both.micro_losses(0))
    assert subject != kept
