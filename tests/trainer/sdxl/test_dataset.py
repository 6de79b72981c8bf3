"""Which photos a step sees: all of them in turn, always a full batch, whatever the resume."""

from __future__ import annotations

from collections import Counter

import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from trainer.data.buckets import fit_to_bucket
from trainer.sdxl.dataset import Example, draw, micro_batches, mirrored
from trainer.sdxl.denoise import Framing
from trainer.sdxl.encode import Posterior, Prompt


def example(name: str, height: int = 2) -> Example:
    latent = torch.zeros(4, height, 2)
    nothing = torch.zeros(1)
    framing = Framing((8, 8), (0, 0), (8, 8))
    return Example(name, Posterior(latent, latent), Prompt(nothing, nothing), framing)


@given(photos=st.integers(1, 13), batch=st.integers(1, 7), seed=st.integers(0, 2**31))
def test_every_photo_comes_once_before_any_comes_again(photos: int, batch: int, seed: int) -> None:
    examples = [example(str(n)) for n in range(photos)]
    seen: Counter[str] = Counter()
    for step in range(photos):  # that many steps are whole rounds
        drawn = draw(examples, batch, step, seed)
        assert len(drawn) == batch
        seen.update(e.name for e in drawn)
        assert max(seen.values()) - min(seen[e.name] for e in examples) <= 1
    assert set(seen.values()) == {batch}


def test_a_step_is_a_function_of_seed_and_step() -> None:
    examples = [example(str(n)) for n in range(7)]
    once = [e.name for step in range(9) for e in draw(examples, 4, step, seed=5)]
    again = [e.name for step in reversed(range(9)) for e in reversed(draw(examples, 4, step, 5))]
    assert once == again[::-1]
    assert once != [e.name for step in range(9) for e in draw(examples, 4, step, seed=6)]


@given(
    heights=st.lists(st.integers(1, 3), min_size=1, max_size=9),
    limit=st.integers(1, 5),
)
def test_micro_batches_hold_one_size_and_lose_nothing(heights: list[int], limit: int) -> None:
    drawn = [example(str(n), height) for n, height in enumerate(heights)]
    batches = list(micro_batches(drawn, limit))
    assert sorted(place for batch in batches for place in batch) == list(range(len(drawn)))
    for batch in batches:
        assert 1 <= len(batch) <= limit
        assert len({heights[place] for place in batch}) == 1


def test_a_mirrored_photo_is_the_photo_fitted_after_mirroring() -> None:
    photo = Image.linear_gradient("L").resize((90, 40)).convert("RGB")
    for crop in ((0.0, 0.0), (0.25, 0.5), (1.0, 1.0)):
        flipped = mirrored(fit_to_bucket(photo, (32, 32), crop=crop))
        other = (1 - crop[0], crop[1])
        expected = fit_to_bucket(ImageOps.mirror(photo), (32, 32), crop=other)
        assert flipped.crop_top_left == expected.crop_top_left
        assert flipped.original_size == expected.original_size
