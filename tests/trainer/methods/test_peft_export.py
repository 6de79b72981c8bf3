"""Promises of the export for PEFT: stock PEFT on a fresh base gives the trained model.

Here and not beside the core's tests, for the tiny language models of this folder.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from torch.nn import functional as F

from trainer.adapters.attach import Adapter, attach
from trainer.adapters.config import AdapterConfig
from trainer.adapters.decomposition import DecompositionService
from trainer.adapters.export import exact_rank
from trainer.adapters.peft_export import write_peft
from trainer.adapters.schedule import LaunchSchedule

METHODS = ["lora", "lora-dash", "lora-tsd", "adalora-dash", "flora-dash"]
CASES = [(kind, method) for kind in ("llama", "bert") for method in METHODS]


def head_of(model: Any) -> dict[str, torch.nn.Parameter]:
    """A classifier's; a language model has none."""
    return {n: p for n, p in model.named_parameters() if n.startswith("classifier.")}


def trained(zoo: Any, kind: str, folder: Path, **changes: Any) -> tuple[Any, Adapter]:
    """A few steps through the launch; a classifier's head learns with it."""
    model = getattr(zoo, kind)()
    targets = getattr(zoo, f"{kind}_targets")
    config = AdapterConfig(rank=4, alpha=6, num_directions=3, prelaunch_steps=2,
                           target_modules=targets, **changes)  # fmt: skip
    adapter = attach(model, config)
    head = head_of(model).values()
    optimizer = torch.optim.AdamW([*adapter.trainable_parameters(), *head], lr=1e-2)
    with DecompositionService(folder / "decompositions", workers=0) as service:
        schedule = LaunchSchedule(adapter, 5, service)
        schedule.prepare()
        for step in range(1, 6):
            scores = model(input_ids=zoo.tokens(seed=step)).logits
            scores = scores if scores.dim() == 2 else scores[:, -1]
            F.cross_entropy(scores, torch.arange(3) % scores.shape[1]).backward()
            optimizer.step()
            adapter.after_update(step)
            optimizer.zero_grad()
            schedule.after_step(step, optimizer)
    return model, adapter


@pytest.mark.parametrize(("kind", "method"), [*CASES, ("roberta", "lora-tsd")])
def test_peft_on_a_fresh_base_answers_as_the_trained_model(
    zoo: Any, kind: str, method: str, tmp_path: Path
) -> None:
    model, adapter = trained(zoo, kind, tmp_path, method=method)
    head = head_of(model)
    task = "CAUSAL_LM" if kind == "llama" else "SEQ_CLS"
    rank = write_peft(adapter, tmp_path / "adapter", base="tiny", task_type=task, head=head)  # type: ignore[arg-type]
    assert rank == exact_rank(adapter)

    base = getattr(zoo, kind)()
    before = zoo.logits(base)
    loaded = PeftModel.from_pretrained(base, tmp_path / "adapter")
    found, expected = zoo.logits(loaded), zoo.logits(model)
    assert (expected - before).abs().max() > 1e-2
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    with loaded.disable_adapter():
        assert torch.equal(zoo.logits(loaded), before)


@pytest.mark.parametrize("kind", ["bert", "roberta"])
def test_every_tensor_of_the_file_is_used(zoo: Any, kind: str, tmp_path: Path) -> None:
    model, adapter = trained(zoo, kind, tmp_path, method="lora-tsd")
    head = head_of(model)
    write_peft(adapter, tmp_path / "adapter", base="tiny", task_type="SEQ_CLS", head=head)
    loaded = PeftModel.from_pretrained(getattr(zoo, kind)(), tmp_path / "adapter")
    result = loaded.load_adapter(tmp_path / "adapter", "again")
    assert not result.unexpected_keys
    assert not [key for key in result.missing_keys if "lora" in key or "modules_to_save" in key]


def test_all_directions_export_at_full_rank(zoo: Any, tmp_path: Path) -> None:
    model, adapter = trained(zoo, "llama", tmp_path, method="lora-dash", direction="all")
    rank = write_peft(adapter, tmp_path / "adapter", base="tiny", task_type="CAUSAL_LM")
    assert rank == 24  # the largest of the linears' smaller sides
    loaded = PeftModel.from_pretrained(zoo.llama(), tmp_path / "adapter")
    torch.testing.assert_close(zoo.logits(loaded), zoo.logits(model), rtol=1e-5, atol=1e-5)
