"""Scores against plain loops, and intervals against scipy's bootstrap."""

from __future__ import annotations

from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from eval.features import Features
from eval.scores import clip_t, difference, diversity, real, score, similarity


def unit_rows(n: int, d: int = 6, seed: int = 0) -> Features:
    rows = np.random.default_rng(seed).normal(size=(n, d))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def cosine(a: Features, b: Features) -> float:
    return float(sum(float(x) * float(y) for x, y in zip(a, b, strict=True)))


def test_clip_t_is_the_cosine_of_each_picture_with_its_own_text() -> None:
    images, texts = unit_rows(5, seed=1), unit_rows(5, seed=2)
    by_hand = [cosine(image, text) for image, text in zip(images, texts, strict=True)]
    assert clip_t(images, texts) == pytest.approx(by_hand, abs=1e-6)


@given(st.integers(1, 6), st.integers(1, 5), st.integers(0, 99))
def test_similarity_is_the_mean_cosine_with_every_photo(n: int, photos: int, seed: int) -> None:
    images, references = unit_rows(n, seed=seed), unit_rows(photos, seed=seed + 100)
    by_hand = [sum(cosine(i, p) for p in references) / photos for i in images]
    assert similarity(images, references) == pytest.approx(by_hand, abs=1e-6)
    assert score(similarity(images, references)[:, None]).value == pytest.approx(np.mean(by_hand))


@given(st.integers(2, 7), st.integers(0, 99))
def test_real_against_real_leaves_out_a_photo_with_itself(n: int, seed: int) -> None:
    photos = unit_rows(n, seed=seed)
    by_hand = np.mean([cosine(a, b) for a, b in permutations(photos, 2)])
    found = real(photos)
    assert found is not None
    assert found.value == pytest.approx(by_hand, abs=1e-6)
    assert (found.n, found.units, found.resampled) == (n, n, "photos")


def test_one_photo_has_no_real_against_real() -> None:
    assert real(unit_rows(1)) is None


def test_equal_photos_are_perfect_and_certain() -> None:
    found = real(np.repeat(unit_rows(1), 4, axis=0))
    assert found is not None
    assert (found.value, found.low, found.high) == pytest.approx((1, 1, 1), abs=1e-6)


def test_real_interval_is_that_of_resampled_photos_without_equal_pairs() -> None:
    """A plain loop over resamples of photos, with other random numbers: ends agree loosely."""
    photos = unit_rows(8, d=4, seed=3)
    rng, means = np.random.default_rng(99), []
    for _ in range(2000):
        drawn = rng.integers(8, size=8)
        pairs = [cosine(photos[i], photos[j]) for i, j in combinations(drawn, 2) if i != j]
        means.append(np.mean(pairs))
    found = real(photos)
    assert found is not None
    assert found.low == pytest.approx(np.quantile(means, 0.025), abs=0.04)
    assert found.high == pytest.approx(np.quantile(means, 0.975), abs=0.04)


def test_diversity_is_one_minus_the_mean_cosine_within_a_prompt() -> None:
    images = unit_rows(6, seed=4)  # two prompts, three seeds
    by_hand = [
        1 - np.mean([cosine(a, b) for a, b in combinations(group, 2)])
        for group in (images[:3], images[3:])
    ]
    assert diversity(images, prompts=2)[:, 0] == pytest.approx(by_hand, abs=1e-6)


def test_copies_have_no_diversity_and_one_seed_has_none_to_measure() -> None:
    copies = np.repeat(unit_rows(2), 3, axis=0)
    assert diversity(copies, prompts=2) == pytest.approx(np.zeros((2, 1)), abs=1e-6)
    assert np.isnan(diversity(unit_rows(2), prompts=2)).all()


def test_interval_agrees_with_scipys_bootstrap_over_prompts() -> None:
    rng = np.random.default_rng(5)
    values = rng.normal(0.3, 0.05, size=(25, 1)) + rng.normal(0, 0.02, size=(25, 4))
    theirs = stats.bootstrap(
        (values.mean(axis=1),), np.mean, method="percentile", rng=np.random.default_rng(6)
    ).confidence_interval
    ours = score(values)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.002)
    assert (ours.n, ours.units, ours.resampled) == (100, 25, "prompts")


def test_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    """Prompts differ in difficulty: drawing single pictures would miss the mean far too often."""
    rng = np.random.default_rng(7)
    hits = 0
    for _ in range(200):
        values = rng.normal(0.3, 0.05, size=(25, 1)) + rng.normal(0, 0.01, size=(25, 4))
        found = score(values)
        assert found.low is not None and found.high is not None
        hits += found.low <= 0.3 <= found.high
    assert 0.88 <= hits / 200 <= 0.99


def test_a_single_prompt_leaves_its_pictures_and_a_single_picture_no_interval() -> None:
    one_prompt = score(np.array([[0.1, 0.2, 0.4]]))
    assert (one_prompt.resampled, one_prompt.units) == ("pictures", 3)
    assert one_prompt.low is not None and one_prompt.low < one_prompt.value
    one_picture = score(np.array([[0.1]]))
    assert (one_picture.value, one_picture.low, one_picture.high) == (0.1, None, None)


@given(st.integers(2, 10), st.integers(1, 4), st.floats(-0.5, 0.5))
def test_a_constant_gain_is_found_exactly_whatever_the_prompts(
    prompts: int, seeds: int, gain: float
) -> None:
    """Pairing: how hard a prompt is drops out, so the interval of the gain has no width."""
    base = np.random.default_rng(prompts).normal(size=(prompts, seeds))
    found = difference(base + gain, base)
    assert (found.value, found.low, found.high) == pytest.approx((gain, gain, gain), abs=1e-9)


def test_scores_repeat() -> None:
    values = np.random.default_rng(8).normal(size=(5, 3))
    assert score(values) == score(values)
