"""Captions say what is there, in plain English, in words that the tokenizer keeps whole."""

from __future__ import annotations

import pytest

from trainer.embedded_base.captions import (
    HAT_PHRASE,
    PATTERN_PHRASES,
    Thing,
    background_words,
    caption,
    plural,
)
from trainer.embedded_base.concepts import COLOURS, CONCEPTS, PATTERNS, WEARERS, vocabulary_words
from trainer.embedded_base.subjects import UNIQUE_TOKEN


@pytest.mark.parametrize(
    ("said", "things", "background", "side"),
    [
        ("a dog on a red background", (Thing("dog"),), "red", None),
        ("an apple on an orange background", (Thing("apple"),), "orange", None),
        (
            "a small cat on the left on a blue background",
            (Thing("cat", size="small"),),
            "blue",
            "left",
        ),
        ("a large red robot in the snow", (Thing("robot", "red", "large"),), "snow", None),
        ("two apples on the grass", (Thing("apple", count=2),), "grass", None),
        ("three strawberries", (Thing("strawberry", count=3),), None, None),
        ("a dog and sunglasses in the sky", (Thing("dog"), Thing("sunglasses")), "sky", None),
        ("a ball at the top", (Thing("ball"),), None, "top"),
        (
            "a dog wearing a red hat on a teal background",
            (Thing("dog", hat=True),),
            "teal",
            None,
        ),
    ],
)
def test_captions_read_as_a_person_would_write_them(said, things, background, side):
    assert caption(things, background, side) == said


def test_plurals_of_all_concepts_are_words():
    names = ("fox", "fish", "glasses", "teddy bear", "cactus", "leaf", "wolf", "sheep", "cherry")
    assert [plural(name) for name in names] == [
        *("foxes", "fish", "glasses", "teddy bears", "cactuses"),
        *("leaves", "wolves", "sheep", "cherries"),
    ]


def test_every_word_of_the_grammar_is_in_the_vocabulary():
    grounds = [background_words(b) for b in (*COLOURS, *PATTERNS)]
    texts = (*CONCEPTS, *map(plural, CONCEPTS), *grounds, HAT_PHRASE)
    spoken = {word for text in texts for word in text.split()}
    assert spoken <= set(vocabulary_words())
    assert set(PATTERN_PHRASES) == set(PATTERNS)


def test_the_base_knows_120_concepts_and_the_classes_of_dreambooth_among_them():
    assert len(CONCEPTS) >= 120
    assert {
        *("backpack", "bowl", "can", "candle", "cat", "clock", "dog", "duck", "glasses", "boot"),
        *("sneaker", "teapot", "teddy bear", "robot", "race car", "vase"),
    } <= set(CONCEPTS)
    assert set(WEARERS) <= set(CONCEPTS)


def test_the_unique_token_is_no_word_of_ours():
    assert not any(UNIQUE_TOKEN in word for word in vocabulary_words())
