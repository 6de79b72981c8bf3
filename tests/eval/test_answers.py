"""Answers read out of responses in all eight formats, and out of likelihoods."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.answers import NO_ANSWER, extract, extract_text, most_likely, most_likely_per_byte
from trainer.data.instruct import COMMONSENSE
from trainer.errors import NonFiniteError


@pytest.mark.parametrize("name", COMMONSENSE)
def test_every_answer_of_every_set_is_read_out_of_the_trained_sentence(name: str) -> None:
    for choice in COMMONSENSE[name]:
        assert extract(f"the correct answer is {choice}", COMMONSENSE[name]) == choice


# What LLM-Adapters' commonsense_evaluate.py gives for the same responses: re.findall(...)[0].
@pytest.mark.parametrize(
    ("name", "response", "expected"),
    [
        ("boolq", "the correct answer is true, not false", "true"),
        ("boolq", "untrue", "true"),
        ("boolq", "True", NO_ANSWER),
        ("piqa", "solution2\n\nsolution1", "solution2"),
        ("social_i_qa", "answer4 or answer3", "answer3"),
        ("hellaswag", "It is ending4.", "ending4"),
        ("winogrande", "option1option2", "option1"),
        ("ARC-Easy", "answer 1", NO_ANSWER),
        ("openbookqa", "", NO_ANSWER),
    ],
)
def test_the_first_label_counts_as_it_does_in_the_papers_protocol(
    name: str, response: str, expected: str
) -> None:
    assert extract(response, COMMONSENSE[name]) == expected


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ("honey", "b"),
        ("Honey, which they store", "b"),
        ("first silk, then honey", "a"),
        ("the honey pot of gold", "c"),
        ("honeycombs", NO_ANSWER),
        ("", NO_ANSWER),
    ],
)
def test_a_written_answer_is_the_choice_whose_text_comes_first_and_is_longest(
    response: str, expected: str
) -> None:
    texts = (" silk", " honey", " honey pot")
    assert extract_text(response, texts, ("a", "b", "c")) == expected


@pytest.mark.parametrize(
    ("response", "expected"),
    [("Rr", "c"), ("rr", "b"), ("RR, since", "d"), ("R", "a"), ("r", "a"), ("rR", "b")],
)
def test_case_tells_texts_apart_that_differ_in_nothing_else(response: str, expected: str) -> None:
    # The options of an item on genotypes in ARC's test sets.
    assert extract_text(response, ("R", "rr", "Rr", "RR"), ("a", "b", "c", "d")) == expected


@given(st.lists(st.text(min_size=1).filter(str.strip), min_size=1, unique_by=str.strip))
def test_any_text_alone_is_read_as_itself_or_as_one_that_reads_the_same(texts: list[str]) -> None:
    choices = tuple(map(str, range(len(texts))))
    for text in texts:
        found = extract_text(text.strip(), texts, choices)
        assert found != NO_ANSWER
        assert re.fullmatch(re.escape(texts[int(found)].strip()), text.strip(), re.IGNORECASE)


def test_the_likeliest_text_wins_and_per_byte_a_long_one_is_not_wronged() -> None:
    texts, values = (" no", " certainly so"), (-3.0, -4.0)
    assert most_likely(values, ("a", "b")) == "a"
    # -3/2 against -4/12
    assert most_likely_per_byte(values, texts, ("a", "b")) == "b"


def test_bytes_are_counted_not_characters() -> None:
    # -5/5 against -6/5: "größe" has seven bytes, so -6/7 wins
    assert most_likely_per_byte((-5.0, -6.0), ("large", "größe"), ("a", "b")) == "b"


@pytest.mark.parametrize("values", [(math.nan, -1.0), (-1.0, math.nan)])
def test_a_likelihood_that_is_no_number_answers_nothing(values: tuple[float, float]) -> None:
    with pytest.raises(NonFiniteError, match=r"of a, b are .*nan.*lower learning rate"):
        most_likely(values, ("a", "b"))
    with pytest.raises(NonFiniteError, match="answers nothing"):
        most_likely_per_byte(values, ("no", "yes"), ("a", "b"))
