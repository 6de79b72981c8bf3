"""Promises that every method of comparison keeps, on a LLaMA and on a BERT."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from transformers import Trainer

from trainer.adapters.checkpoint import restore_native, save_native
from trainer.adapters.config import AdapterConfig
from trainer.adapters.trainable import Trainable
from trainer.errors import ArtifactError, ConfigError
from trainer.methods.build import build_method
from trainer.methods.config import WITHOUT_TARGETS, Instead
from trainer.optimizer import build_optimizer
from trainer.text_config import TextOptimConfig

ALL: tuple[Instead, ...] = get_args(Instead)
CASES = [
    (instead, kind)
    for instead in ALL
    for kind in ("llama", "bert")
    if (instead, kind) not in {("bitfit", "llama"), ("prefix", "bert")}
]
PARTS = {"lora_A", "lora_B", "lora_magnitude_vector", "ia3_l", "input_scale", "output_scale",
         "turn_u", "turn_v"}  # fmt: skip
"""What the methods call what they train in a linear."""
cases = pytest.mark.parametrize(("instead", "kind"), CASES)


def config(zoo: Any, kind: str, **changes: Any) -> AdapterConfig:
    targets = getattr(zoo, f"{kind}_targets")
    values = {"rank": 4, "alpha": 6.0, "target_modules": targets, **changes}
    return AdapterConfig(method="lora", **values)


def placed(zoo: Any, instead: Instead, kind: str, **changes: Any) -> tuple[nn.Module, Trainable]:
    model = getattr(zoo, kind)()
    head = zoo.bert_head if kind == "bert" else frozenset()
    method = build_method(model, config(zoo, kind, **changes), instead, head=head)
    return model, method


def train(zoo: Any, model: nn.Module, method: Trainable, steps: int = 3) -> None:
    optimizer = torch.optim.SGD(method.param_groups(0.0), lr=0.1)
    ids = zoo.tokens(seed=1)
    for _ in range(steps):
        scores = model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits
        scores = scores if scores.dim() == 2 else scores[:, -1]
        F.cross_entropy(scores, torch.arange(3) % scores.shape[1]).backward()
        optimizer.step()
        optimizer.zero_grad()


def base_logits(zoo: Any, kind: str) -> torch.Tensor:
    found: torch.Tensor = zoo.logits(getattr(zoo, kind)())
    return found


@pytest.mark.parametrize(("instead", "kind"), [case for case in CASES if case[0] != "prefix"])
def test_a_fresh_method_answers_as_the_base_does(zoo: Any, instead: Instead, kind: str) -> None:
    model, _ = placed(zoo, instead, kind)  # a prefix starts at random and is read at once
    torch.testing.assert_close(zoo.logits(model), base_logits(zoo, kind), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("instead", ["peft-lora", "dora", "pissa", "spectral"])
def test_dropout_leaves_the_base_of_an_untrained_method_whole(zoo: Any, instead: Instead) -> None:
    model, _ = placed(zoo, instead, "llama", dropout=0.5)
    model.train()
    ids = zoo.tokens()
    told = model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits
    base = zoo.llama()(input_ids=ids, attention_mask=torch.ones_like(ids)).logits
    torch.testing.assert_close(told, base, rtol=1e-4, atol=1e-4)


@cases
def test_training_moves_it(zoo: Any, instead: Instead, kind: str) -> None:
    model, method = placed(zoo, instead, kind)
    train(zoo, model, method)
    assert (zoo.logits(model) - base_logits(zoo, kind)).abs().max() > 1e-3


@cases
def test_only_what_it_names_is_trained_and_the_head_is_left_to_the_recipe(
    zoo: Any, instead: Instead, kind: str
) -> None:
    model, method = placed(zoo, instead, kind)
    mine = {id(p) for p in method.trainable_parameters()}
    assert len(mine) == len(method.trainable_parameters())
    others = {name for name, p in model.named_parameters() if p.requires_grad and id(p) not in mine}
    assert others == (set(zoo.bert_head) if kind == "bert" else set())
    assert all(p.requires_grad and p.dtype == torch.float32 for p in method.trainable_parameters())


@cases
def test_a_restored_method_is_bitwise_the_saved_one(
    zoo: Any, instead: Instead, kind: str, tmp_path: Path
) -> None:
    model, method = placed(zoo, instead, kind)
    fingerprint = method.base_fingerprint()
    train(zoo, model, method)
    save_native(method, tmp_path / "native.safetensors", step=3, base_fingerprint=fingerprint)
    again, fresh = placed(zoo, instead, kind)
    assert fresh.base_fingerprint() == fingerprint
    restore_native(fresh, tmp_path / "native.safetensors", base_fingerprint=fingerprint)
    assert torch.equal(zoo.logits(again), zoo.logits(model))
    train(zoo, model, method, 2)
    train(zoo, again, fresh, 2)
    assert torch.equal(zoo.logits(again), zoo.logits(model))


@cases
def test_the_seed_fixes_the_start(zoo: Any, instead: Instead, kind: str) -> None:
    def start(seed: int) -> list[torch.Tensor]:
        torch.rand(seed + 1)  # the global generator has no say
        return [p.detach() for p in placed(zoo, instead, kind, seed=seed)[1].trainable_parameters()]

    one, same, other = start(0), start(0), start(1)
    assert all(map(torch.equal, one, same))
    drawn = instead in ("peft-lora", "dora", "prefix")
    assert all(map(torch.equal, one, other)) != drawn


def decays_of(method: Trainable) -> dict[int, float]:
    """The weight decay of every trained parameter, as a real optimizer has it."""
    optimizer = build_optimizer(method, TextOptimConfig(weight_decay=0.1))
    groups = optimizer.param_groups
    found = {id(p): group["weight_decay"] for group in groups for p in group["params"]}
    assert found.keys() == {id(p) for p in method.trainable_parameters()}
    assert sum(len(group["params"]) for group in groups) == len(found)
    return found


@pytest.mark.parametrize("kind", ["llama", "bert"])
def test_weights_decay_under_full_as_in_transformers_trainer(zoo: Any, kind: str) -> None:
    model, method = placed(zoo, "full", kind)
    found = decays_of(method)
    decayed = {name for name, p in model.named_parameters() if found.get(id(p))}
    assert decayed == {*Trainer.get_decay_parameter_names(None, model)} - zoo.bert_head


@pytest.mark.parametrize(
    ("instead", "kept"),
    [("dora", {"lora_A", "lora_B"}), ("peft-lora", {"lora_A", "lora_B"}), ("pissa", set()),
     ("ia3", set()), ("ssb", set()), ("spectral", {"turn_u", "turn_v"})],
)  # fmt: skip
def test_only_what_starts_as_no_change_of_the_base_decays(
    zoo: Any, instead: Instead, kept: set[str]
) -> None:
    model, method = placed(zoo, instead, "llama")
    found = decays_of(method)
    decayed = [name for name, p in model.named_parameters() if found.get(id(p))]
    assert {part for name in decayed for part in name.split(".")} & PARTS == kept


def test_the_biases_of_bitfit_do_not_decay(zoo: Any) -> None:
    assert {*decays_of(placed(zoo, "bitfit", "bert")[1]).values()} == {0.0}


def parameter_count(zoo: Any, instead: Instead, kind: str) -> int:
    """By formula, from the shapes of the model without any method."""
    model = getattr(zoo, kind)()
    ends = tuple(f".{name}" for name in getattr(zoo, f"{kind}_targets"))
    shapes = [m.weight.shape for name, m in model.named_modules() if name.endswith(ends)]
    sides = sum(out + in_ for out, in_ in shapes)
    named = {n: p.numel() for n, p in model.named_parameters() if n not in zoo.bert_head}
    return {
        "full": sum(named.values()),
        "bitfit": sum(count for name, count in named.items() if name.endswith("bias")),
        "ssl": sum(in_ for _, in_ in shapes),
        "ssb": sides,
        "spectral": 4 * sides,
        "peft-lora": 4 * sides,
        "dora": 4 * sides + sum(out for out, _ in shapes),
        "pissa": 4 * sides,
        # LLaMA: k, v outputs and down's input; BERT: key, value outputs, both output.dense inputs
        "ia3": 2 * ((12 + 12 + 40) if kind == "llama" else (24 + 24 + 24 + 40)),
        "prefix": 30 * 2 * 2 * 12,  # tokens, layers, keys and values, width of the grouped heads
    }[instead]


@cases
def test_the_count_of_trained_numbers_is_the_formulas(
    zoo: Any, instead: Instead, kind: str
) -> None:
    _, method = placed(zoo, instead, kind)
    found = sum(parameter.numel() for parameter in method.trainable_parameters())
    assert found == parameter_count(zoo, instead, kind)


def test_pefts_lora_is_our_lora_from_the_same_start(zoo: Any) -> None:
    theirs, method = placed(zoo, "peft-lora", "llama")
    ours = zoo.llama()
    adapter = build_method(ours, config(zoo, "llama"), None)
    starts = method.tensors()
    for key, tensor in adapter.tensors().items():
        path, _, name = key.rpartition(".")
        tensor.data.copy_(starts[f"{path}.{name}.default.weight"])
    train(zoo, theirs, method)
    train(zoo, ours, adapter)
    torch.testing.assert_close(zoo.logits(ours), zoo.logits(theirs), rtol=1e-4, atol=1e-5)


def test_a_state_of_another_method_or_base_is_refused(zoo: Any, tmp_path: Path) -> None:
    path = tmp_path / "native.safetensors"
    _, method = placed(zoo, "ssl", "llama")
    save_native(method, path, step=0, base_fingerprint=method.base_fingerprint())
    for instead, words in (("ssb", "of ssl, not of ssb"), ("full", "of ssl, not of full")):
        _, other = placed(zoo, instead, "llama")  # type: ignore[arg-type]
        with pytest.raises(ArtifactError, match=words):
            restore_native(other, path, base_fingerprint=method.base_fingerprint())
    with pytest.raises(ArtifactError, match="another base"):
        restore_native(method, path, base_fingerprint="something else")
    _, narrow = placed(zoo, "ssl", "llama", target_modules=("q_proj",))
    with pytest.raises(ArtifactError, match="other tensors"):
        restore_native(narrow, path, base_fingerprint=method.base_fingerprint())


@pytest.mark.parametrize(
    ("instead", "kind", "words"),
    [
        ("bitfit", "llama", "this model has no such weights"),
        ("prefix", "bert", "causal language models"),
    ],
)
def test_a_method_that_a_model_cannot_have_is_refused(
    zoo: Any, instead: Instead, kind: str, words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        placed(zoo, instead, kind)


def test_a_prefix_is_refused_where_the_cache_is_not_used(zoo: Any) -> None:
    model = zoo.llama()
    model.activation_checkpointing_enable()
    with pytest.raises(ConfigError, match="--model.gradient-checkpointing"):
        build_method(model, config(zoo, "llama"), "prefix")


ROBERTA_HEAD = frozenset(
    f"classifier.{part}.{kind}" for part in ("dense", "out_proj") for kind in ("weight", "bias")
)


@pytest.mark.parametrize("instead", [None, *(one for one in ALL if one not in WITHOUT_TARGETS)])
@pytest.mark.parametrize(
    ("targets", "words"),
    [
        (
            ("query", "dense"),
            r"target-modules dense: classifier\.dense of the head, .* would be adapted too; "
            r"give longer names: intermediate\.dense, output\.dense\.",
        ),
        (("query", "out_proj"), r"target-modules out_proj: .*; leave that out\."),
    ],
)
def test_a_target_in_the_head_is_refused_with_the_names_that_spare_it(
    zoo: Any, instead: Instead | None, targets: tuple[str, ...], words: str
) -> None:
    model = zoo.roberta()
    before = list(model.state_dict())
    wanted = config(zoo, "roberta", target_modules=targets)
    with pytest.raises(ConfigError, match=words):
        build_method(model, wanted, instead, head=ROBERTA_HEAD)
    assert list(model.state_dict()) == before


def test_the_names_that_spare_the_head_reach_all_the_rest(zoo: Any) -> None:
    names = ("query", "intermediate.dense", "output.dense")
    model = zoo.roberta()
    adapter = build_method(
        model, config(zoo, "roberta", target_modules=names), None, head=ROBERTA_HEAD
    )
    paths = {key.rpartition(".")[0] for key in adapter.tensors()}
    assert len(paths) == 2 * 4 and not any(path.startswith("classifier") for path in paths)
    build_method(zoo.roberta(), config(zoo, "roberta", target_modules=("no",)), "ia3",
                 head=ROBERTA_HEAD)  # which has targets of its own  # fmt: skip


@pytest.mark.parametrize("instead", ["full", "bitfit"])
def test_the_bases_own_weights_are_not_trained_in_half_precision(
    zoo: Any, instead: Instead
) -> None:
    with pytest.raises(ConfigError, match="use --model.precision fp32"):
        build_method(zoo.bert().bfloat16(), config(zoo, "bert"), instead)


@pytest.mark.parametrize("instead", ["pissa", "spectral"])
def test_no_more_singular_vectors_are_asked_for_than_there_are(zoo: Any, instead: Instead) -> None:
    model = zoo.bert()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with pytest.raises(ConfigError, match="rank 25 is more than the 24 singular vectors"):
        build_method(model, config(zoo, "bert", rank=25), instead)
    after = model.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())


@pytest.mark.parametrize(
    "instead", ["ssl", "ssb", "spectral", "peft-lora", "dora", "pissa", "ia3", "prefix"]
)
def test_on_a_half_precision_base_what_is_trained_stays_fp32(zoo: Any, instead: Instead) -> None:
    model = zoo.llama().bfloat16()
    method = build_method(model, config(zoo, "llama"), instead)
    assert {p.dtype for p in method.trainable_parameters()} == {torch.float32}
    train(zoo, model, method, 1)
    assert zoo.logits(model).dtype == torch.bfloat16


def test_a_factor_too_small_for_half_precision_still_counts(zoo: Any) -> None:
    model = zoo.llama().bfloat16()
    before = zoo.logits(model).float()
    method = build_method(model, config(zoo, "llama"), "ssl")
    for parameter in method.trainable_parameters():
        parameter.data[::2] = 1e-3  # 1.001 is 1 in bf16, and so is 0.999
        parameter.data[1::2] = -1e-3
    assert not torch.equal(zoo.logits(model).float(), before)
