"""Tiny real bases with random weights, in folders as transformers keeps them; a word is a token."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

from trainer.adapters.config import AdapterConfig
from trainer.config import CheckpointConfig
from trainer.data.glue import DEMO_FOLDER
from trainer.data.instruct import DEMO_FILE
from trainer.text_config import (
    BERT_LINEARS,
    LLAMA_LINEARS,
    GlueConfig,
    LLMConfig,
    TextModelConfig,
    TextOptimConfig,
)

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "</s>"]
STEPS, LAUNCH = 6, 3


def tokenizer(text: str, **tokens: str) -> PreTrainedTokenizerFast:
    """Of the words in a text."""
    words = sorted(set(re.findall(r"\w+|[^\w\s]+", text)))
    vocabulary = {word: place for place, word in enumerate([*SPECIAL, *words])}
    made = Tokenizer(WordLevel(vocabulary, unk_token="[UNK]"))
    made.pre_tokenizer = Whitespace()
    if "cls_token" in tokens:
        made.post_processor = TemplateProcessing(
            single="[CLS] $A [SEP]",
            pair="[CLS] $A [SEP] $B [SEP]",
            special_tokens=[(word, vocabulary[word]) for word in ("[CLS]", "[SEP]")],
        )
    return PreTrainedTokenizerFast(
        tokenizer_object=made, unk_token="[UNK]", pad_token="[PAD]", **tokens
    )


@pytest.fixture(scope="session")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT without a classifier in its checkpoint, with dropout."""
    folder = tmp_path_factory.mktemp("bert")
    words = tokenizer((DEMO_FOLDER / "train.tsv").read_text("utf-8"), cls_token="[CLS]")
    torch.manual_seed(0)
    shape = BertConfig(
        vocab_size=len(words), hidden_size=24, intermediate_size=40, num_hidden_layers=2,
        num_attention_heads=4, max_position_embeddings=64, initializer_range=0.3,
    )  # fmt: skip
    BertForSequenceClassification(shape).bert.save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LLaMA with grouped heads."""
    folder = tmp_path_factory.mktemp("llama")
    words = tokenizer(DEMO_FILE.read_text("utf-8") + " Question Answer", eos_token="</s>")
    torch.manual_seed(0)
    shape = LlamaConfig(
        vocab_size=len(words), hidden_size=24, intermediate_size=40, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=256,
        initializer_range=0.3, eos_token_id=4, pad_token_id=0,
    )  # fmt: skip
    LlamaForCausalLM(shape).save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


COMMON: dict[str, Any] = {
    "examples": 20,
    "optim": TextOptimConfig(steps=STEPS, batch_size=8, learning_rate=1e-2, warmup=2),
    "model": TextModelConfig(device="cpu"),
    "checkpoint": CheckpointConfig(minutes=1e6),
}
ADAPTER = AdapterConfig(rank=2, alpha=4, num_directions=3, prelaunch_steps=LAUNCH)


def glue_recipe(base: Path, workspace: Path) -> GlueConfig:
    """Six steps on the bundled sentences, launched after three."""
    adapter = replace(ADAPTER, target_modules=BERT_LINEARS)
    return GlueConfig(
        base=str(base), task="demo", max_length=32, workspace=workspace, adapter=adapter, **COMMON
    )


def llm_recipe(base: Path, workspace: Path) -> LLMConfig:
    """Six steps on the bundled items, launched after three."""
    adapter = replace(ADAPTER, target_modules=LLAMA_LINEARS)
    return LLMConfig(
        base=str(base), style="texts", max_length=64, workspace=workspace, adapter=adapter, **COMMON
    )


@pytest.fixture
def glue_config(bert: Path, tmp_path: Path) -> GlueConfig:
    return glue_recipe(bert, tmp_path)


@pytest.fixture
def llm_config(llama: Path, tmp_path: Path) -> LLMConfig:
    return llm_recipe(llama, tmp_path)


@pytest.fixture(params=["glue", "llm"])
def text_config(request: pytest.FixtureRequest) -> GlueConfig | LLMConfig:
    """Either recipe's, in turn."""
    made: GlueConfig | LLMConfig = request.getfixturevalue(f"{request.param}_config")
    return made
