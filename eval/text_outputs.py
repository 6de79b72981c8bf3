"""What a model on text answers, in batches: class outputs, log-likelihoods, responses.

Rows go by length, the longest first: little is padding, and memory that does not suffice shows at
once. Answers come back in the order given, and padding changes none of them beyond rounding.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainer.data.glue import LabelledText
from trainer.text.batches import tokenise_sentences
from trainer.text.load import TextModel
from trainer.text.task import Classification

Advance = Callable[[int], object]
"""Told how many rows are done since it was last told."""


def class_outputs(
    model: TextModel,
    rows: Sequence[LabelledText],
    *,
    max_length: int,
    batch_size: int,
    advance: Advance = lambda rows: None,
) -> NDArray[np.float32]:
    """(n, labels) outputs of a classifier."""
    examples = tokenise_sentences(model.tokenizer, rows, model.at_most(max_length))
    classifier = Classification(model)
    found: dict[int, Tensor] = {}
    for batch in _batches([example.length for example in examples], batch_size):
        with torch.inference_mode():
            logits = classifier.logits([examples[index] for index in batch]).cpu()
        found |= zip(batch, logits, strict=True)
        advance(len(batch))
    return torch.stack([found[index] for index in range(len(rows))]).numpy()


def log_likelihoods(
    model: TextModel,
    questions: Sequence[tuple[str, Sequence[str]]],
    *,
    batch_size: int,
    advance: Advance = lambda rows: None,
) -> list[list[float]]:
    """log p(completion | prompt), in nats, for every (prompt, completions).

    Both are made to tokens on their own, as in training; the end of text is not counted. A prompt
    is read once, its completions go on from what the model remembers of it.
    """
    completions = [_tokens(model, texts, special=False) for _, texts in questions]
    longest = max((len(ids) for rows in completions for ids in rows), default=0)
    prompts = _prompts(model, [prompt for prompt, _ in questions], longest)
    found: dict[int, list[float]] = {}
    for batch in _batches([len(ids) for ids in prompts], batch_size):
        owner = [place for place, index in enumerate(batch) for _ in completions[index]]
        rows = [ids for index in batch for ids in completions[index]]
        sums = iter(_sums(model, [prompts[index] for index in batch], rows, owner))
        found |= {index: list(islice(sums, len(completions[index]))) for index in batch}
        advance(len(batch))
    return [found[index] for index in range(len(questions))]


@torch.inference_mode()
def _sums(
    model: TextModel, prompts: list[list[int]], rows: list[list[int]], owner: list[int]
) -> list[float]:
    """The summed log-probabilities of each row's tokens, read after the prompt of its owner.

    P prompts end together, filled up at the left; R rows begin together, filled up at the right.
    """
    owners = torch.tensor(owner, device=model.device)
    read, told = _padded(model, prompts, "left"), _padded(model, rows, "right")
    mask, answer = read["attention_mask"], told["input_ids"]
    places = (mask.cumsum(-1) - 1).clamp(min=0)
    known = model.model(
        **read, **model.accepted(position_ids=places), use_cache=True, logits_to_keep=1
    )
    log_p = known.logits[:, -1:].float().log_softmax(-1)[owners]  # (R, 1, vocabulary)
    if answer.shape[1] > 1:
        known.past_key_values.batch_select_indices(owners)
        after = places[owners, -1:] + torch.arange(1, answer.shape[1], device=model.device)
        more = model.model(
            input_ids=answer[:, :-1],
            attention_mask=torch.cat([mask[owners], told["attention_mask"][:, :-1]], dim=1),
            past_key_values=known.past_key_values,
            **model.accepted(position_ids=after),
        )
        log_p = torch.cat([log_p, more.logits.float().log_softmax(-1)], dim=1)
    of_tokens = log_p.gather(-1, answer[..., None])[..., 0] * told["attention_mask"]
    sums: list[float] = of_tokens.sum(-1).tolist()
    return sums


def responses(
    model: TextModel,
    prompts: Sequence[str],
    *,
    batch_size: int,
    num_beams: int,
    max_new_tokens: int,
    advance: Advance = lambda rows: None,
) -> list[str]:
    """What the model writes after each prompt: beam search, no sampling."""
    told = _prompts(model, prompts, max_new_tokens)
    found: dict[int, str] = {}
    for batch in _batches([len(ids) for ids in told], batch_size):
        inputs = _padded(model, [told[index] for index in batch], "left")
        with torch.inference_mode():
            written = model.model.generate(
                **inputs, do_sample=False, num_beams=num_beams, max_new_tokens=max_new_tokens
            )
        new = written[:, inputs["input_ids"].shape[1] :]
        texts = model.tokenizer.batch_decode(new, skip_special_tokens=True)
        found |= zip(batch, (text.strip() for text in texts), strict=True)
        advance(len(batch))
    return [found[index] for index in range(len(prompts))]


def _prompts(model: TextModel, texts: Sequence[str], room: int) -> list[list[int]]:
    """Tokens of prompts, with so much room behind them: where a model's table of positions ends
    before that, a prompt loses its beginning, as in training."""
    longest = max(1, model.at_most(sys.maxsize) - room)
    return [ids[-longest:] for ids in _tokens(model, texts)]


def _tokens(model: TextModel, texts: Sequence[str], special: bool = True) -> list[list[int]]:
    tokens: list[list[int]] = model.tokenizer(list(texts), add_special_tokens=special)["input_ids"]
    return tokens


def _padded(model: TextModel, rows: list[list[int]], side: str) -> dict[str, Tensor]:
    """input_ids and attention_mask, (rows, longest)"""
    filled = model.tokenizer.pad({"input_ids": rows}, padding_side=side, return_tensors="pt")
    return {name: tensor.to(model.device) for name, tensor in filled.items()}


def _batches(lengths: Sequence[int], batch_size: int) -> Iterator[list[int]]:
    """Indices in batches of rows of similar length, the longest first."""
    order = sorted(range(len(lengths)), key=lambda index: -lengths[index])
    for start in range(0, len(order), batch_size):
        yield order[start : start + batch_size]
