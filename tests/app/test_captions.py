"""A caption teaches the token where it names it once, beside the class, within 77 tokens."""

from __future__ import annotations

import pytest

from app.captions import CANDIDATES, count_tokens, lint, suggest_token, token_warnings
from trainer.sdxl.tokenizer import clip_merges, clip_tokenizer


def test_a_good_caption_has_no_faults() -> None:
    assert lint("a zwx dog on a red sofa, seen from above", "zwx", "dog") == []


@pytest.mark.parametrize(
    ("caption", "fault"),
    [
        ("a dog on a sofa", "nowhere"),
        ("a zwxy dog", "nowhere"),
        ("a zwx dog beside a zwx dog", "2 times"),
        ("a zwx animal", "does not say what it shows"),
        ("a zwx dog " + "on a sofa " * 40, "tokens"),
    ],
)
def test_each_fault_is_named(caption: str, fault: str) -> None:
    (found,) = lint(caption, "zwx", "dog")
    assert fault in found


@pytest.mark.parametrize(
    "text",
    [
        "a zwx dog",
        "an astronaut riding a horse, 35mm photograph",
        "Straße, naïve 写真",
        "it's the dog's 2nd  bowl -- 50% off!",
        "a weathered zwx backpack leaning against a mossy stone wall, photographed at dusk with "
        "shallow depth of field, warm rim light and a blurred alpine meadow behind",
    ],
)
def test_a_caption_is_counted_as_clip_counts_it(text: str) -> None:
    clip = clip_tokenizer(clip_merges())
    assert count_tokens(text) == len(clip(text, truncation=False).input_ids)


def test_words_that_sdxl_knows_are_warned_of() -> None:
    assert "rifle" in token_warnings("sks", "dog")[0]
    assert "class itself" in token_warnings("dog", "Dog")[0]
    assert "knows" in token_warnings("bob", "dog")[0]


@pytest.mark.parametrize("token", CANDIDATES)
def test_every_suggested_word_is_rare(token: str) -> None:
    assert token_warnings(token, "dog") == []


def test_a_second_subject_is_given_another_word() -> None:
    assert suggest_token([]) != suggest_token([suggest_token([])])
