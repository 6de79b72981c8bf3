"""Both recipes on text: one loop, one launch, exact resume, and a run that opens again."""

from __future__ import annotations

import functools
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import get_linear_schedule_with_warmup

from trainer import glue, llm
from trainer.data.glue import DEMO_FOLDER
from trainer.data.instruct import DEMO_FILE
from trainer.errors import ArtifactError, ConfigError, DataError, Interrupted, ResumeError
from trainer.journal import Watch
from trainer.loop import StepReport
from trainer.peers import ALONE
from trainer.text.batches import collate, tokenise_sentences
from trainer.text.begun import placed
from trainer.text.finished import load_base, open_text_run
from trainer.text.training import _prepare, _validation, linear_with_warmup
from trainer.text_config import GlueConfig, LLMConfig, ValidationConfig
from trainer.text_presets import LLMPreset, llm_preset
from trainer.text_run import TextRun
from trainer.train_llm import SCRIPT

STEPS, LAUNCH = 6, 3  # as in conftest
AnyConfig = GlueConfig | LLMConfig


def train(config: AnyConfig, watch: Watch | None = None) -> TextRun:
    if isinstance(config, GlueConfig):
        return glue.train(config, watch)
    return llm.train(config, watch)


def resume(config: AnyConfig, path: Path) -> TextRun:
    return (glue if isinstance(config, GlueConfig) else llm).resume(path)


def stop_after(step: int) -> Watch:
    seen: list[int] = []

    def on_step(report: StepReport) -> None:
        seen.append(report.step)

    return Watch(on_step=on_step, stop=lambda: bool(seen) and seen[-1] >= step)


def losses(run: TextRun) -> list[float]:
    return [row["loss"] for row in run.metric_rows() if row["kind"] == "step"]


def trained(run: TextRun) -> dict[str, torch.Tensor]:
    head = load_file(run.head) if run.head.exists() else {}
    return {**load_file(run.native), **head}


def test_k_steps_and_the_rest_are_bitwise_one_straight_run(
    text_config: AnyConfig, tmp_path: Path
) -> None:
    straight = train(text_config)
    for k in (LAUNCH - 1, LAUNCH, LAUNCH + 1):
        run = tmp_path / f"stopped-{k}"
        with pytest.raises(Interrupted, match=f"after step {k} of {STEPS}"):
            train(replace(text_config, run=run), stop_after(k))
        again = resume(text_config, run)
        assert losses(again) == losses(straight)
        one, other = trained(again), trained(straight)
        assert one.keys() == other.keys()
        assert [key for key in one if not torch.equal(one[key], other[key])] == []


def test_it_launches_where_asked_without_a_jump(text_config: AnyConfig) -> None:
    run = train(text_config)
    [row] = [row for row in run.metric_rows() if row["kind"] == "launch"]
    assert row["step"] == LAUNCH and row["plain"] == []
    assert row["probe_difference"] == 0
    assert row["layers"] == (12 if isinstance(text_config, GlueConfig) else 10)


def test_with_a_warm_up_a_launch_after_one_step_is_refused_and_after_two_every_layer_launches(
    text_config: AnyConfig,
) -> None:
    def launched_after(steps: int, warmup: float) -> AnyConfig:
        adapter = replace(text_config.adapter, prelaunch_steps=steps)
        return replace(
            text_config, adapter=adapter, optim=replace(text_config.optim, warmup=warmup)
        )

    with pytest.raises(ConfigError, match=r"needs at least 2, .* is 0, by the warm-up"):
        train(launched_after(1, warmup=0.1))
    for settings in (launched_after(2, warmup=0.1), launched_after(1, warmup=0)):
        [row] = [row for row in train(settings).metric_rows() if row["kind"] == "launch"]
        assert row["plain"] == []


def test_a_finished_run_opens_as_it_was_trained_and_so_does_its_peft_adapter(
    glue_config: GlueConfig,
) -> None:
    run, text = open_text_run(train(glue_config).path)
    rows = tokenise_sentences(text.tokenizer, glue.read_rows(glue_config, "dev")[:5], 32)
    told = collate(text.tokenizer, rows, text.device)
    base = load_base(glue_config).model
    with torch.no_grad():
        ours, plain = text.model(**told).logits, base(**told).logits
        theirs = PeftModel.from_pretrained(base, run.adapter).eval()(**told).logits
    assert torch.allclose(ours, theirs, atol=1e-5)
    assert not torch.allclose(ours, plain, atol=1e-3)


def test_the_validation_loss_stands_in_the_metrics_and_changes_nothing(
    text_config: AnyConfig,
) -> None:
    told: list[tuple[int, float]] = []
    looked = replace(text_config, validation=ValidationConfig(every=3, examples=10))
    if isinstance(looked, LLMConfig):  # whose held-out items are missing from its training set
        looked = replace(looked, examples=None)
        text_config = looked
    run = train(looked, Watch(on_validation=lambda step, loss: told.append((step, loss))))
    rows = [row for row in run.metric_rows() if row["kind"] == "validation"]
    assert [(row["step"], row["loss"]) for row in rows] == told
    assert [row["step"] for row in rows] == [0, 3, 6] and {row["examples"] for row in rows} == {10}
    if isinstance(text_config, GlueConfig):
        assert losses(run) == losses(train(text_config))


@pytest.mark.parametrize("instead", [None, "peft-lora", "dora", "pissa"])
def test_a_look_at_step_0_is_without_dropout(glue_config: GlueConfig, instead: Any) -> None:
    adapter = replace(glue_config.adapter, dropout=0.5)
    looked = replace(glue_config, adapter=adapter, instead=instead,
                     validation=ValidationConfig(every=3, examples=10))  # fmt: skip
    prepared = _prepare(glue.gather(looked), looked, ALONE)
    model = prepared.material.text.model
    assert [name for name, module in model.named_modules() if module.training] == []
    for parameter in prepared.method.trainable_parameters():
        parameter.data.fill_(0.1)  # dropout would show
    validation = _validation(prepared)
    assert validation.take(0, Watch()) == validation.take(0, Watch())


def own_texts(config: AnyConfig, folder: Path) -> tuple[AnyConfig, Path]:
    """Plain LoRA on the bundled texts in a folder of one's own, with the file that is learnt."""
    folder.mkdir()
    config = replace(config, adapter=replace(config.adapter, method="lora"))
    if isinstance(config, GlueConfig):
        shutil.copytree(DEMO_FOLDER, folder, dirs_exist_ok=True)
        return replace(config, data=str(folder)), folder / "train.tsv"
    shutil.copy(DEMO_FILE, folder / "items.json")
    return replace(config, data=str(folder / "items.json")), folder / "items.json"


def test_a_run_goes_on_with_no_other_examples_than_it_began_with(
    text_config: AnyConfig, tmp_path: Path
) -> None:
    config, file = own_texts(text_config, tmp_path / "texts")
    run, whole = TextRun(tmp_path / "run"), file.read_bytes()
    with pytest.raises(Interrupted):
        train(replace(config, run=run.path), stop_after(2))
    file.write_bytes(whole.replace(b".", b"!"))
    with pytest.raises(ResumeError, match=r"other examples \(train 20, now 20 others\).*new run"):
        resume(config, run.path)
    file.write_bytes(whole)
    assert len(losses(resume(config, run.path))) == STEPS


def test_a_run_of_old_that_does_not_tell_its_examples_goes_on(
    glue_config: GlueConfig, tmp_path: Path
) -> None:
    config, _ = own_texts(glue_config, tmp_path / "texts")
    run = TextRun(tmp_path / "run")
    with pytest.raises(Interrupted):
        train(replace(config, run=run.path), stop_after(2))
    run.examples.unlink()
    assert len(losses(resume(config, run.path))) == STEPS


def test_a_run_goes_on_from_any_folder(
    text_config: AnyConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, file = own_texts(text_config, tmp_path / "texts")
    (tmp_path / "base").symlink_to(text_config.base)
    monkeypatch.chdir(tmp_path)
    data = "texts" if isinstance(config, GlueConfig) else f"texts/{file.name}"
    with pytest.raises(Interrupted):
        train(replace(config, base="base", data=data, run=tmp_path / "run"), stop_after(2))
    told = TextRun(tmp_path / "run").read_config()
    assert (told.base, told.data) == (str(tmp_path / "base"), str(tmp_path / data))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert len(losses(resume(config, tmp_path / "run"))) == STEPS


def test_names_on_the_hub_and_of_packages_are_no_paths(
    glue_config: GlueConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "minilm").mkdir()
    monkeypatch.chdir(tmp_path)
    for base, data in (("minilm", "nyu-mll/glue"), ("microsoft/deberta-v3-base", None)):
        config = replace(glue_config, base=base, data=data)
        assert placed(config) == config


@pytest.mark.parametrize(("warmup", "total"), [(0, 7), (3, 10), (10, 10), (12, 10)])
def test_the_rate_is_that_of_transformers_linear_schedule(warmup: int, total: int) -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = get_linear_schedule_with_warmup(optimizer, warmup, total)
    ours = functools.partial(linear_with_warmup, warmup=warmup, total=total)
    for step in range(total):
        assert ours(step) == pytest.approx(theirs.get_last_lr()[0])
        optimizer.step()
        theirs.step()


def test_every_group_has_its_own_rate_under_one_schedule(glue_config: GlueConfig) -> None:
    optim = replace(glue_config.optim, head_learning_rate=5e-2)
    run = train(replace(glue_config, optim=optim))
    rates = [row["learning_rate"] for row in run.metric_rows() if row["kind"] == "step"]
    assert rates == pytest.approx([0, 0.005, 0.01, 0.0075, 0.005, 0.0025])


@pytest.mark.parametrize("instead", ["full", "bitfit"])
def test_a_method_of_comparison_resumes_exactly_too(
    glue_config: GlueConfig, tmp_path: Path, instead: Any
) -> None:
    config = replace(glue_config, instead=instead)
    straight, run = train(config), tmp_path / "stopped"
    with pytest.raises(Interrupted):
        train(replace(config, run=run), stop_after(2))
    again = resume(config, run)
    assert losses(again) == losses(straight)
    assert all(torch.equal(a, trained(straight)[key]) for key, a in trained(again).items())


def test_nothing_is_written_where_the_adapter_does_not_fit(
    text_config: AnyConfig, tmp_path: Path
) -> None:
    wrong = replace(text_config.adapter, target_modules=("to_q",))
    run = tmp_path / "run"
    with pytest.raises(ConfigError, match="to_q"):
        train(replace(text_config, adapter=wrong, run=run))
    assert not run.exists()


# A folder that does not exist: whatever is told of the texts is told before a base is looked for.
NOWHERE = "/no/such/base"


@pytest.mark.parametrize("style", ["labels", "texts"])
def test_plain_instructions_are_learnt_in_either_style(
    llm_config: LLMConfig, tmp_path: Path, style: Any
) -> None:
    data = tmp_path / "items.json"
    data.write_text(json.dumps([{"instruction": f"Say {n}", "output": "hi"} for n in range(20)]))
    run = train(replace(llm_config, data=str(data), style=style))
    assert len(losses(run)) == STEPS


def test_items_are_checked_before_a_base_is_loaded(llm_config: LLMConfig, tmp_path: Path) -> None:
    data = tmp_path / "items.json"
    lacking = "Which?\n\nAnswer1: silk\n\nAnswer format: answer1/answer2"
    items = [
        {"instruction": "Say 1", "output": "hi"},
        {"instruction": lacking, "output": "answer1"},
    ]
    data.write_text(json.dumps(items))
    with pytest.raises(DataError, match=r"items\.json, item 2: .* has no options to compare"):
        train(replace(llm_config, base=NOWHERE, data=str(data)))


def test_labels_are_checked_before_a_base_is_loaded(
    glue_config: GlueConfig, tmp_path: Path
) -> None:
    config = replace(glue_config, base=NOWHERE, task="stsb", data=str(tmp_path))
    (tmp_path / "train.tsv").write_text("sentence1\tsentence2\nA\tB\n")
    with pytest.raises(DataError, match=r"train\.tsv: has no column of labels \(score or label\)"):
        train(config)
    rows = "sentence1\tsentence2\tscore\nA\tB\t2\nC\tD\t{}\n"
    (tmp_path / "train.tsv").write_text(rows.format(3))
    (tmp_path / "dev.tsv").write_text(rows.format("nan"))
    with pytest.raises(DataError, match=r"dev\.tsv, line 3: the label 'nan'.* from 0 to 5"):
        train(replace(config, validation=ValidationConfig(every=2)))


@pytest.mark.parametrize("change", [[], ["--style", "texts", "--optim.steps", "9"]])
def test_presets_of_the_paper_want_their_instructions(
    change: list[str], llama: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    presets = [name for name in get_args(LLMPreset) if name != "demo"]
    assert len(presets) == 9
    for preset in presets:
        flags = ["--preset", preset, "--base", str(llama), "--workspace", str(tmp_path), *change]
        assert SCRIPT.main(flags) == 2
        told = capsys.readouterr().err
        assert f"--preset {preset} trains on the paper's 170,000 instructions" in told
        assert SCRIPT.main([*flags, "--data", str(tmp_path)]) == 2
        assert "no train items there" in capsys.readouterr().err


def test_the_demo_has_its_own_items_for_any_base(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paper, flags = llm_preset("llama3-8b-r32").base, ["--workspace", str(tmp_path)]
    assert SCRIPT.main(["--base", NOWHERE, *flags]) == 2
    assert NOWHERE in capsys.readouterr().err
    assert SCRIPT.parse(["--base", paper, *flags]).settings.items == DEMO_FILE


def test_a_run_of_the_other_recipe_is_named(llm_config: LLMConfig, glue_config: GlueConfig) -> None:
    run = train(replace(glue_config, optim=replace(glue_config.optim, steps=4)))
    with pytest.raises(ArtifactError, match="is finished"):
        glue.resume(run.path)
    with pytest.raises(ArtifactError, match="GLUE"):
        llm.resume(run.path)
