"""Tiny real language models with random weights: a LLaMA with grouped heads, BERT and RoBERTa."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    LlamaConfig,
    LlamaForCausalLM,
    RobertaConfig,
    RobertaForSequenceClassification,
)

LLAMA_TARGETS = ("q_proj", "k_proj", "v_proj", "up_proj", "down_proj")
BERT_TARGETS = ("query", "key", "value", "intermediate.dense", "output.dense")
BERT_HEAD = frozenset({"classifier.weight", "classifier.bias"})


def llama(seed: int = 0) -> nn.Module:
    """Frozen; up_proj has out > in, k_proj out < in."""
    config = LlamaConfig(
        vocab_size=50, hidden_size=24, intermediate_size=40, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=64,
        initializer_range=0.3, pad_token_id=0,
    )  # fmt: skip
    return _frozen(LlamaForCausalLM, config, seed)


def bert(seed: int = 0) -> nn.Module:
    """Frozen but for its classifier; no dropout, so that two forwards agree."""
    return _classifier(BertForSequenceClassification, BertConfig, seed)


def roberta(seed: int = 0) -> nn.Module:
    """As BERT, with a classifier of two linears."""
    return _classifier(RobertaForSequenceClassification, RobertaConfig, seed)


def _classifier(kind: Callable[[Any], nn.Module], of: Callable[..., Any], seed: int) -> nn.Module:
    config = of(
        vocab_size=50, hidden_size=24, intermediate_size=40, num_hidden_layers=2,
        num_attention_heads=4, max_position_embeddings=64, num_labels=3, initializer_range=0.3,
        hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, pad_token_id=0,
    )  # fmt: skip
    model = _frozen(kind, config, seed)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name.startswith("classifier."))
    return model


def _frozen(kind: Callable[[Any], nn.Module], config: Any, seed: int) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = kind(config)
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                nn.init.normal_(parameter, std=0.1)  # zero biases would hide faults
    return model.requires_grad_(False).eval()


def tokens(rows: int = 3, length: int = 7, seed: int = 0) -> Tensor:
    return torch.randint(1, 50, (rows, length), generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def logits(model: nn.Module) -> Tensor:
    """On one fixed batch with padding."""
    ids = tokens()
    mask = torch.ones_like(ids)
    mask[1, :3] = 0
    found: Tensor = model(input_ids=ids, attention_mask=mask).logits
    return found


class Zoo:
    """What the tests of this folder work with."""

    llama_targets, bert_targets, bert_head = LLAMA_TARGETS, BERT_TARGETS, BERT_HEAD
    roberta_targets = BERT_TARGETS
    llama, bert, roberta = staticmethod(llama), staticmethod(bert), staticmethod(roberta)
    tokens, logits = staticmethod(tokens), staticmethod(logits)


@pytest.fixture
def zoo() -> Zoo:
    return Zoo()
