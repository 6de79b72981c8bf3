"""Batches answer as each row does alone, read by a plain loop without cache or padding."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from eval.text_outputs import class_outputs, log_likelihoods, responses
from trainer.data.glue import LabelledText
from trainer.text.load import TextModel, load_causal_lm, load_classifier
from trainer.text_config import TextModelConfig

CPU = TextModelConfig(device="cpu")
QUESTIONS = [
    ("Question: What do bees make?\nAnswer:", (" honey", " a cup of sugar", " the sand")),
    ("Question:\nAnswer:", (" water and air", " wood")),
    ("Question: Which season comes right after winter in the north?\nAnswer:", (" spring",)),
    ("Answer:", (" the sun", " a mirror in a dark room", " the moon", " sand")),
]


@pytest.fixture(scope="module", params=["llama", "gpt2"])
def language_model(
    request: pytest.FixtureRequest, llama: Path, tmp_path_factory: pytest.TempPathFactory
) -> TextModel:
    """Rotary positions, and absolute ones, which a wrong count at the left would shift."""
    rotary = load_causal_lm(str(llama), CPU)
    if request.param == "llama":
        return rotary
    torch.manual_seed(0)
    shape = GPT2Config(
        vocab_size=len(rotary.tokenizer), n_embd=24, n_layer=2, n_head=2, n_positions=128,
        initializer_range=0.3, eos_token_id=4, bos_token_id=4, pad_token_id=0,
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("gpt2")
    GPT2LMHeadModel(shape).save_pretrained(folder)
    rotary.tokenizer.save_pretrained(folder)
    return load_causal_lm(str(folder), CPU)


@torch.no_grad()
def plainly(text: TextModel, prompt: str, completion: str) -> float:
    """One row, one pass, no padding, no cache."""
    start = text.tokenizer(prompt)["input_ids"]
    end = text.tokenizer(completion, add_special_tokens=False)["input_ids"]
    log_p = text.model(input_ids=torch.tensor([start + end])).logits[0].log_softmax(-1)
    return float(sum(log_p[len(start) + i - 1, token] for i, token in enumerate(end)))


@pytest.mark.parametrize("batch_size", [1, 3, 4])
def test_likelihoods_do_not_depend_on_the_batch(language_model: TextModel, batch_size: int) -> None:
    found = log_likelihoods(language_model, QUESTIONS, batch_size=batch_size)
    for (prompt, completions), values in zip(QUESTIONS, found, strict=True):
        expected = [plainly(language_model, prompt, completion) for completion in completions]
        assert values == pytest.approx(expected, abs=1e-4)


def test_prompts_lose_their_beginning_where_a_table_of_positions_ends(
    language_model: TextModel,
) -> None:
    """Nothing is cut where positions are computed."""
    prompt, completions = QUESTIONS[0]
    told = language_model.tokenizer(prompt)["input_ids"]
    answers = language_model.tokenizer(list(completions), add_special_tokens=False)["input_ids"]
    long = language_model.tokenizer.decode(told * 20)
    ids = language_model.tokenizer(long)["input_ids"]
    table = getattr(language_model.model.config, "n_positions", None)
    asked = [(long, completions), QUESTIONS[3]]
    every = [text for _, texts in asked for text in texts]
    told = language_model.tokenizer(every, add_special_tokens=False)["input_ids"]
    room = max(map(len, told))
    assert len(ids) > 128
    kept = ids if table is None else ids[room - table :]
    rows = [torch.tensor([kept + answer]) for answer in answers]
    with torch.no_grad():
        log_p = [language_model.model(input_ids=row).logits[0].log_softmax(-1) for row in rows]
    expected = [
        float(sum(found[len(kept) + i - 1, token] for i, token in enumerate(answer)))
        for found, answer in zip(log_p, answers, strict=True)
    ]
    found = log_likelihoods(language_model, asked, batch_size=1)[0]
    assert found == pytest.approx(expected, abs=1e-3)
    written = responses(language_model, [long], batch_size=1, num_beams=1, max_new_tokens=6)
    assert len(written) == 1


@pytest.mark.parametrize("num_beams", [1, 4])
def test_responses_do_not_depend_on_the_batch(language_model: TextModel, num_beams: int) -> None:
    prompts = [prompt for prompt, _ in QUESTIONS]

    def written(batch_size: int) -> list[str]:
        return responses(
            language_model, prompts, batch_size=batch_size, num_beams=num_beams, max_new_tokens=6
        )

    alone = written(1)
    assert written(4) == alone
    assert len(set(alone)) > 1 and all(alone)


def test_a_greedy_response_is_the_chain_of_the_likeliest_tokens(
    language_model: TextModel,
) -> None:
    prompt = QUESTIONS[0][0]
    ids = language_model.tokenizer(prompt)["input_ids"]
    start = len(ids)
    with torch.no_grad():
        for _ in range(5):
            ids = [*ids, int(language_model.model(torch.tensor([ids])).logits[0, -1].argmax())]
    expected = language_model.tokenizer.decode(ids[start:], skip_special_tokens=True).strip()
    found = responses(language_model, [prompt], batch_size=1, num_beams=1, max_new_tokens=5)
    assert found == [expected]


def test_class_outputs_do_not_depend_on_the_batch_and_keep_the_order(bert: Path) -> None:
    classifier = load_classifier(str(bert), CPU, 3)
    rows = [
        LabelledText(("A tedious film.",), None),
        LabelledText(("The soup was warm and rich and exactly what I needed.",), None),
        LabelledText(("Fine.",), None),
    ]
    with torch.no_grad():
        expected = [
            classifier.model(**classifier.tokenizer(row.texts[0], return_tensors="pt")).logits[0]
            for row in rows
        ]
    found = class_outputs(classifier, rows, max_length=32, batch_size=2)
    assert torch.stack(expected).numpy() == pytest.approx(found, abs=1e-5)


def test_a_text_longer_than_the_models_positions_is_cut(bert: Path) -> None:
    classifier = load_classifier(str(bert), CPU, 2)
    rows = [LabelledText(("Fine. " * words,), None) for words in (31, 200)]  # two tokens each
    cut, long = class_outputs(classifier, rows, max_length=256, batch_size=1)
    assert long == pytest.approx(cut)


def test_progress_is_told_in_rows(bert: Path) -> None:
    told: list[int] = []
    rows = [LabelledText(("Fine.",), None)] * 5
    class_outputs(
        load_classifier(str(bert), CPU, 2), rows, max_length=32, batch_size=2, advance=told.append
    )
    assert told == [2, 2, 1]
