"""The losses are what a hand computes from single, unpadded examples, however a batch is cut."""

from __future__ import annotations

import pytest
import torch

from trainer.data.glue import LabelledText
from trainer.text.batches import Batches, Example, tokenise_sentences, with_answer
from trainer.text.finished import load_base
from trainer.text.load import TextModel
from trainer.text.task import AnswerLoss, Classification, TextTask
from trainer.text_config import GlueConfig, LLMConfig

PAIRS = [
    ("Question: which of these tells a driver to stop?\nAnswer:", "red"),
    ("Question: what do bees make?\nAnswer:", "a castle at the beach"),
    ("Answer:", "the big wave washes"),
]


@pytest.fixture
def language_model(llm_config: LLMConfig) -> TextModel:
    return load_base(llm_config)


def answers(text: TextModel) -> list[Example]:
    return [with_answer(text.tokenizer, prompt, answer, 64) for prompt, answer in PAIRS]


@torch.no_grad()
def by_hand(text: TextModel, example: Example) -> list[float]:
    """-log p of each token of the answer, from all logits of the one sequence."""
    ids = torch.tensor([example.tokens["input_ids"]])
    log_p = text.model(input_ids=ids).logits[0].log_softmax(-1)
    first = ids.shape[1] - example.answer
    return [-float(log_p[place - 1, ids[0, place]]) for place in range(first, ids.shape[1])]


def test_only_the_tokens_of_the_answers_count_and_each_the_same(language_model: TextModel) -> None:
    examples = answers(language_model)
    assert [example.answer for example in examples] == [2, 6, 5]  # words and the end of text
    expected = [value for example in examples for value in by_hand(language_model, example)]
    loss = AnswerLoss(language_model).loss(examples).detach()
    assert float(loss) == pytest.approx(sum(expected) / len(expected), rel=1e-5)


@pytest.mark.parametrize("micro_batch_size", [1, 2])
def test_a_cut_batch_has_the_same_loss(language_model: TextModel, micro_batch_size: int) -> None:
    objective = AnswerLoss(language_model)
    examples = answers(language_model)
    task = TextTask(language_model, objective, Batches(examples, 3, 0), micro_batch_size)
    parts = list(task.micro_losses(0))
    assert sum(part.share for part in parts) == pytest.approx(1.0)
    cut = sum(float(part.loss.detach()) * part.share for part in parts)
    assert cut == pytest.approx(float(objective.loss(examples).detach()), rel=1e-5)


def test_dropout_is_on_in_a_step_and_off_after_it(language_model: TextModel) -> None:
    task = TextTask(
        language_model, AnswerLoss(language_model), Batches(answers(language_model), 3, 0), 2
    )
    for _ in task.micro_losses(0):
        assert language_model.model.training
    assert not language_model.model.training


def test_labels_are_learnt_by_cross_entropy_and_numbers_by_squares(glue_config: GlueConfig) -> None:
    text = load_base(glue_config)
    rows = [LabelledText(("A cynical film",), 0), LabelledText(("splendid pictures at night",), 1)]
    examples = tokenise_sentences(text.tokenizer, rows, 32)
    objective = Classification(text)
    logits = objective.logits(examples)
    expected = -logits.log_softmax(-1)[[0, 1], [0, 1]].mean()
    assert torch.allclose(objective.loss(examples), expected)

    number = load_base(GlueConfig(**{**vars(glue_config), "task": "stsb"}))
    pairs = [LabelledText(("A cynical film", "a stupid end"), 1.5)]
    pair = tokenise_sentences(number.tokenizer, pairs, 32)
    score = Classification(number).logits(pair)
    assert score.shape == (1, 1)
    assert torch.allclose(Classification(number).loss(pair), (score[0, 0] - 1.5).square())
