"""Buckets keep the base's area and the photo's size; what SDXL is told about the crop is true."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from trainer.data.buckets import (
    Size,
    area,
    aspect,
    aspect_buckets,
    assign_bucket,
    fit_to_bucket,
    is_enlarged,
    kept_part,
    scaled_size,
)
from trainer.errors import ConfigError

BASES = [(1024, 64), (512, 64), (256, 32), (96, 16), (64, 16), (64, 8), (16, 16)]
sizes = st.tuples(st.integers(1, 8000), st.integers(1, 8000))
bases = st.sampled_from(BASES)
places = st.tuples(st.floats(0, 1), st.floats(0, 1))


@pytest.mark.parametrize(("resolution", "step"), BASES)
def test_buckets_keep_to_area_step_and_aspect(resolution: int, step: int) -> None:
    buckets = aspect_buckets(resolution, step)
    assert len(set(buckets)) == len(buckets) > 0
    for width, height in buckets:
        assert width % step == height % step == 0
        assert width * height <= resolution**2
        assert 0.5 <= width / height <= 2
        assert min(width, height) >= resolution / 2
        assert (height, width) in buckets
    assert buckets[-1] == (resolution, resolution)


@given(resolution=st.integers(1, 2048), part=st.floats(0.001, 1))
def test_any_base_has_a_bucket(resolution: int, part: float) -> None:
    step = max(1, int(resolution * part))
    assert aspect_buckets(resolution, max(step, resolution // 64 + 1))


@pytest.mark.parametrize("step", [0, -8, 65])
def test_an_impossible_step_is_named(step: int) -> None:
    with pytest.raises(ConfigError, match=f"64 in steps of {step} .* from 1 to 64"):
        aspect_buckets(64, step)


@pytest.mark.parametrize(
    ("size", "bucket"),
    [
        ((1024, 1024), (1024, 1024)),
        ((4032, 3024), (1152, 896)),  # SDXL's own sizes (Podell et al. 2023, appendix I)
        ((3024, 4032), (896, 1152)),
        ((1920, 1080), (1344, 768)),
        ((1216, 832), (1216, 832)),
        ((700, 700), (640, 640)),  # smaller than the base, and not enlarged
        ((300, 300), (512, 512)),  # smaller than every bucket
    ],
)
def test_known_photos_get_the_expected_bucket(size: Size, bucket: Size) -> None:
    assert assign_bucket(size, aspect_buckets(1024)) == bucket


@given(size=sizes, base=bases)
def test_no_photo_is_enlarged_where_a_bucket_fits(size: Size, base: tuple[int, int]) -> None:
    buckets = aspect_buckets(*base)
    chosen = assign_bucket(size, buckets)
    assert chosen in buckets
    fits_somewhere = any(not is_enlarged(size, bucket) for bucket in buckets)
    assert is_enlarged(size, chosen) != fits_somewhere


@given(size=sizes, base=bases, factor=st.integers(1, 4))
def test_a_larger_photo_never_gets_less_out(size: Size, base: tuple[int, int], factor: int) -> None:
    buckets = aspect_buckets(*base)
    larger = (size[0] * factor, size[1] * factor)
    small, large = assign_bucket(size, buckets), assign_bucket(larger, buckets)
    if not is_enlarged(size, small):
        seen_before = area(small) * kept_part(size, small)
        assert area(large) * kept_part(larger, large) >= seen_before * (1 - 1e-12)


@given(size=sizes, base=bases)
def test_turning_the_photo_turns_the_bucket(size: Size, base: tuple[int, int]) -> None:
    buckets = aspect_buckets(*base)
    upright, turned = (assign_bucket(s, buckets) for s in (size, size[::-1]))
    assert upright[0] * upright[1] == turned[0] * turned[1]
    assert aspect(upright) == aspect(turned)


@given(size=sizes, base=bases)
def test_the_scaled_photo_just_covers_its_bucket(size: Size, base: tuple[int, int]) -> None:
    bucket = assign_bucket(size, aspect_buckets(*base))
    width, height = scaled_size(size, bucket)
    assert width >= bucket[0]
    assert height >= bucket[1]
    assert width == bucket[0] or height == bucket[1]


@given(size=st.tuples(st.integers(20, 300), st.integers(20, 300)), crop=places)
def test_the_crop_lies_within_the_scaled_photo(size: Size, crop: tuple[float, float]) -> None:
    bucket = assign_bucket(size, aspect_buckets(64, 16))
    fitted = fit_to_bucket(Image.new("RGB", size), bucket, crop=crop)
    (width, height), (top, left) = scaled_size(size, bucket), fitted.crop_top_left
    assert fitted.image.size == bucket
    assert 0 <= top <= height - bucket[1]
    assert 0 <= left <= width - bucket[0]


def test_conditioning_is_height_first_and_of_the_unscaled_photo() -> None:
    slope = np.tile(np.arange(200, dtype=np.uint8)[None, :, None], (100, 1, 3))
    fitted = fit_to_bucket(Image.fromarray(slope), (50, 50), crop=(1.0, 0.5))
    assert fitted.original_size == (100, 200)
    assert fitted.target_size == (50, 50)
    assert fitted.crop_top_left == (0, 50)
    # The right half of the slope, at half the size: from 100 to 199 in steps of two.
    assert np.asarray(fitted.image)[25, [0, -1], 0] == pytest.approx([100, 199], abs=2)


def test_a_reduced_photo_is_conditioned_on_its_own_size() -> None:
    fitted = fit_to_bucket(Image.new("RGB", (128, 192)), (64, 80), photo_size=(4000, 6000))
    assert fitted.original_size == (6000, 4000)
    assert fitted.crop_top_left == (8, 0)


def test_a_photo_of_the_buckets_size_is_left_as_it_is() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (64, 80, 3), dtype=np.uint8)
    fitted = fit_to_bucket(Image.fromarray(pixels), (80, 64))
    assert np.array_equal(np.asarray(fitted.image), pixels)
    assert fitted.crop_top_left == (0, 0)
