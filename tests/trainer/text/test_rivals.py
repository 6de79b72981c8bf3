"""A run of a method of comparison, loaded by PEFT or transformers, answers as the run itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

from trainer import glue, llm
from trainer.adapters.peft_export import WEIGHTS
from trainer.errors import Interrupted
from trainer.journal import Watch
from trainer.methods.config import WHOLE, Instead
from trainer.text.finished import load_base, open_text_run
from trainer.text_config import GlueConfig, LLMConfig
from trainer.text_run import TextRun

NATIVE: set[Instead] = {"ssl", "ssb", "spectral"}
NOT_MADE = {("bitfit", "llm"), ("prefix", "glue")}  # a LLaMA without biases; encoders
CASES = [(i, k) for i in get_args(Instead) for k in ("glue", "llm") if (i, k) not in NOT_MADE]
AnyConfig = GlueConfig | LLMConfig


def cases(wanted: Any) -> Any:
    return pytest.mark.parametrize(("instead", "kind"), [case for case in CASES if wanted(case[0])])


def train(request: pytest.FixtureRequest, instead: Instead, kind: str) -> tuple[AnyConfig, TextRun]:
    """A short run of it; dropout, so that an export that kept it awake would show."""
    config: AnyConfig = request.getfixturevalue(f"{kind}_config")
    adapter = replace(config.adapter, dropout=0.1)
    config = replace(config, instead=instead, adapter=adapter)
    return config, (glue if isinstance(config, GlueConfig) else llm).train(config)  # type: ignore[arg-type]


@torch.no_grad()
def logits(model: Any, tokenizer: Any, **options: Any) -> Tensor:
    """On two rows of unlike length, at the places that are not padding."""
    rows = ["Which one is a good and warm day ?", "A film"]
    told = tokenizer(rows, padding=True, return_tensors="pt")
    found: Tensor = model.eval()(**told, **options).logits
    return found if found.dim() == 2 else found[told["attention_mask"].bool()]


@cases(lambda instead: instead not in NATIVE | set(WHOLE))
def test_peft_on_the_untouched_base_answers_as_the_run(
    request: pytest.FixtureRequest, instead: Instead, kind: str
) -> None:
    config, run = train(request, instead, kind)
    _, text = open_text_run(run.path)
    base = load_base(config).model
    before = logits(base, text.tokenizer)
    loaded = as_told(run, base=base)
    ours = logits(text.model, text.tokenizer)
    assert (ours - before).abs().max() > 1e-2
    torch.testing.assert_close(logits(loaded, text.tokenizer), ours, rtol=1e-4, atol=1e-4)
    with loaded.disable_adapter():
        assert torch.equal(logits(loaded, text.tokenizer), before)
    assert files(run.adapter) == {"adapter_config.json", "adapter_model.safetensors"}
    assert not run.model.exists()


def as_told(run: TextRun, **known: Any) -> Any:
    """What the line that training ends with gives."""
    names = (PeftModel, AutoModelForCausalLM, AutoModelForSequenceClassification)
    return eval(run.how_to_load(), {**{name.__name__: name for name in names}, **known})


def files(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()}


@cases(lambda instead: instead in WHOLE)
def test_transformers_loads_the_whole_model_with_its_tokenizer(
    request: pytest.FixtureRequest, instead: Instead, kind: str
) -> None:
    config, run = train(request, instead, kind)
    model, tokenizer = as_told(run), AutoTokenizer.from_pretrained(run.model)
    _, text = open_text_run(run.path)
    ours = logits(text.model, text.tokenizer)
    assert torch.equal(logits(model, tokenizer), ours)
    assert (logits(load_base(config).model, tokenizer) - ours).abs().max() > 1e-2
    weights = {name for name in files(run.model) if not name.endswith(".json")}
    assert weights == {"model.safetensors"} and not run.adapter.exists()


@cases(lambda instead: instead in NATIVE)
def test_what_neither_can_say_stays_native(
    request: pytest.FixtureRequest, instead: Instead, kind: str
) -> None:
    _, run = train(request, instead, kind)
    assert run.native.exists() and not run.adapter.exists() and not run.model.exists()
    assert f"neither PEFT nor transformers has {instead}" in run.how_to_load()


def test_an_adapted_output_layer_goes_along_without_its_base_weight(llm_config: LLMConfig) -> None:
    targets = (*llm_config.adapter.target_modules, "lm_head")
    adapter = replace(llm_config.adapter, target_modules=targets)
    run = llm.train(replace(llm_config, instead="pissa", adapter=adapter))
    _, text = open_text_run(run.path)
    loaded = as_told(run, base=load_base(llm_config).model)
    ours = logits(text.model, text.tokenizer)
    torch.testing.assert_close(logits(loaded, text.tokenizer), ours, rtol=1e-4, atol=1e-4)
    names = {name for name in load_file(run.adapter / WEIGHTS) if "lm_head" in name}
    assert names == {f"base_model.model.lm_head.lora_{side}.weight" for side in "AB"}


def test_pissa_that_was_stopped_exports_the_same(glue_config: GlueConfig, tmp_path: Path) -> None:
    config = replace(glue_config, instead="pissa")
    straight = glue.train(config)
    seen: list[int] = []
    watch = Watch(on_step=lambda report: seen.append(report.step), stop=lambda: len(seen) == 3)
    with pytest.raises(Interrupted):
        glue.train(replace(config, run=tmp_path / "stopped"), watch)
    again = glue.resume(tmp_path / "stopped")
    one, other = (load_file(run.adapter / WEIGHTS) for run in (straight, again))
    assert one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)
