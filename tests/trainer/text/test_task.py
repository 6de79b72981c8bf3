"""The losses are what a hand computes from single, unpadded examples, however a batch is cut."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

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


class Shapes(TorchDispatchMode):
    """The shapes that matrices multiplied batch by batch have."""

    def __init__(self) -> None:
        super().__init__()
        self.of_bmm: list[tuple[int, ...]] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:  # fmt: skip
        if func is torch.ops.aten.bmm.default:
            self.of_bmm += [tuple(given.shape) for given in args]
        return func(*args, **(kwargs or {}))


def test_the_vocabulary_is_not_copied_for_every_row_of_a_batch(language_model: TextModel) -> None:
    size = language_model.model.config.vocab_size
    embeddings = language_model.model.get_input_embeddings()
    embeddings.requires_grad_(True)
    with Shapes() as shapes:
        AnswerLoss(language_model).loss(answers(language_model)).backward()
    assert embeddings.weight.grad is not None
    assert not [shape for shape in shapes.of_bmm if size in shape]


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
