"""What a step sees is a function of (seed, step); nothing is lost, no answer is cut off."""

from __future__ import annotations

from pathlib import Path

import pytest
from transformers import AutoTokenizer

from trainer.text.batches import Batches, Example, draw, hold_out, with_answer


def examples(count: int) -> list[Example]:
    return [
        Example(str(place), {"input_ids": [1] * (1 + place * 7 % 30)}) for place in range(count)
    ]


def names(batches: Batches, step: int) -> list[str]:
    return [example.name for example in batches.of_step(step)]


def test_an_epoch_holds_every_example_once() -> None:
    batches = Batches(examples(23), batch_size=5, seed=0)
    assert batches.per_epoch == 5
    for epoch in range(3):
        seen = [name for place in range(5) for name in names(batches, 5 * epoch + place)]
        assert sorted(seen) == sorted(str(place) for place in range(23))


def test_a_step_is_the_same_whatever_was_asked_before() -> None:
    straight, jumping = (Batches(examples(23), 5, seed=3) for _ in range(2))
    jumping.of_step(14)
    expected = [names(straight, step) for step in range(8)]
    assert [names(jumping, step) for step in (7, 2)] == [expected[7], expected[2]]
    assert expected != [names(Batches(examples(23), 5, seed=4), step) for step in range(8)]
    assert expected[:5] != expected[5:]  # another epoch, another order


def test_a_batch_holds_like_lengths() -> None:
    batches = Batches(examples(400), 8, seed=0)
    for step in range(batches.per_epoch):
        lengths = [example.length for example in batches.of_step(step)]
        assert lengths == sorted(lengths, reverse=True)
        assert lengths[0] - lengths[-1] <= 2


def test_rows_are_drawn_by_the_seed_and_what_is_held_out_is_not_trained_on() -> None:
    rows = list(range(50))
    assert draw(rows, 10, 1) == draw(rows, 10, 1) != draw(rows, 10, 2)
    assert draw(rows, None, 1) == draw(rows, 99, 1) == rows
    rest, kept = hold_out(rows, 10, 1)
    assert len(kept) == 10 and sorted(rest + kept) == rows


@pytest.mark.parametrize("max_length", [8, 12, 64])
def test_what_is_too_long_loses_the_beginning_of_its_prompt(llama: Path, max_length: int) -> None:
    tokenizer = AutoTokenizer.from_pretrained(llama)
    long = "Question: which of these tells a driver to stop at the beach? Answer:"
    whole = with_answer(tokenizer, long, "a red light", 1000)
    example = with_answer(tokenizer, long, "a red light", max_length)
    assert example.length == min(max_length, whole.length)
    assert example.tokens["input_ids"] == whole.tokens["input_ids"][-max_length:]
    assert example.answer == 4 and example.tokens["input_ids"][-1] == tokenizer.eos_token_id
    endless = with_answer(tokenizer, "Question:", "red " * 100, 8)
    assert (endless.length, endless.answer) == (8, 7)  # something is left to predict it from


def test_an_answer_without_its_end_is_for_comparing_answers(llama: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(llama)
    open_ended = with_answer(tokenizer, "Question:", "a red light", 64, end=False)
    assert open_ended.answer == 3 and open_ended.tokens["input_ids"][-1] != tokenizer.eos_token_id
