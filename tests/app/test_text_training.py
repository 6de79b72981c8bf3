"""One request, one config on texts: what a client may say, and the same thing as a command."""

from __future__ import annotations

import dataclasses
import json
import shlex
import shutil
from pathlib import Path
from typing import Any, get_args

import pytest

from app.studio import Studio
from app.text_bases import PACKAGED
from app.text_requests import TextMethodsRequest, TextTrainRequest
from app.text_sets import GLUE_DEMO
from app.views import Upload
from trainer import train_glue, train_llm
from trainer.data.instruct import DEMO_FILE
from trainer.errors import BaseModelError, ConfigError, DataError
from trainer.text.packaged import PACKAGED as KNOWN_TO_THE_TRAINER
from trainer.text_presets import GluePreset, LLMPreset

SETTINGS = {
    "max_length": 32, "examples": 50,
    "adapter": {"method": "lora-dash", "target_modules": ["query", "value"]},
    "optim": {"steps": 20, "betas": [0.8, 0.99], "micro_batch_size": 4},
}  # fmt: skip
ROWS = "sentence\tlabel\nGood.\t1\nBad.\t0\n"


def test_settings_lie_on_the_preset_and_paths_are_the_servers(studio: Studio) -> None:
    mine = studio.texts.create_set("Mine", "sst2", Upload("x", ROWS.encode()))
    config = studio.texts.config_of(TextTrainRequest(mine.id, settings=SETTINGS, instead="dora"))
    assert (config.base, config.adapter.rank, config.max_length) == ("minilm", 8, 32)
    assert config.data == str(studio.workspace.text_set(mine.id))
    assert (config.optim.steps, config.method) == (20, "dora")
    assert config.validation.every == 0, "there is no dev set to look at"


@pytest.mark.parametrize("preset", get_args(GluePreset))
def test_the_command_for_a_task_is_read_as_the_same_config(studio: Studio, preset: Any) -> None:
    settings = SETTINGS if preset == "demo" else {}
    data = "glue-demo" if preset == "demo" else "hub-rte"
    request = TextTrainRequest(data, preset, settings=settings, instead="pissa")
    words = shlex.split(studio.texts.command_line(request))
    assert words[:2] == ["python", "trainer/train_glue.py"]
    parsed = train_glue.SCRIPT.parse(words[2:])
    assert parsed.settings == studio.texts.config_of(request)


@pytest.mark.parametrize("preset", get_args(LLMPreset))
def test_the_command_for_instructions_is_read_as_the_same_config(
    studio: Studio, preset: Any
) -> None:
    of_the_demo = {**SETTINGS, "style": "labels"}
    settings = of_the_demo if preset == "demo" else {"optim": {"epochs": 20}}
    request = TextTrainRequest("commonsense-demo", preset, settings=settings)
    words = shlex.split(studio.texts.command_line(request))
    assert words[:2] == ["python", "trainer/train_llm.py"]
    assert train_llm.SCRIPT.parse(words[2:]).settings == studio.texts.config_of(request)


@pytest.mark.parametrize("preset", ["demo", "llama-7b-r4"])
@pytest.mark.parametrize("length", [{"epochs": 20}, {"steps": 130}])
def test_epochs_that_are_asked_for_are_trained_and_the_command_trains_them_too(
    studio: Studio, preset: Any, length: dict[str, int | None]
) -> None:
    request = TextTrainRequest("commonsense-demo", preset, settings={"optim": length})
    config = studio.texts.config_of(request)
    epochs, steps = length.get("epochs"), length.get("steps")
    assert (config.optim.epochs, config.optim.steps) == (epochs, steps)
    words = shlex.split(studio.texts.command_line(request))
    assert train_llm.SCRIPT.parse(words[2:]).settings == config


@pytest.mark.parametrize("name", ["base", "data", "task", "run", "workspace", "instead"])
def test_what_the_request_or_the_server_says_is_no_setting(studio: Studio, name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} is set by the studio"):
        studio.texts.config_of(TextTrainRequest("glue-demo", settings={name: "/etc"}))


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (TextTrainRequest("glue-demo", "llama-7b-r4"), "possible: demo, deberta-v3-base-r2"),
        (TextTrainRequest("glue-demo", "deberta-v3-base-r8"), "Table 10"),
        (TextTrainRequest("glue-demo", settings={"optim": {"stepz": 3}}), "stepz"),
        (TextTrainRequest("glue-demo", settings={"optim": {"steps": 10**12}}), "optim.steps"),
        (TextTrainRequest("glue-demo", settings={"adapter": {"prelaunch_steps": 500}}),
         "prelaunch-steps"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_named_before_it_is_queued(
    studio: Studio, request_: TextTrainRequest, words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        studio.texts.train(request_)
    assert studio.jobs() == [] and not list(studio.workspace.runs.iterdir())


def test_rows_to_score_alone_cannot_be_trained_on(studio: Studio) -> None:
    mine = studio.texts.create_set("Mine", "sst2", None, Upload("x", ROWS.encode()))
    with pytest.raises(DataError, match="no rows to train on"):
        studio.texts.train(TextTrainRequest(mine.id))


UNTOLD = {
    "instruction": "Choose: what do bees make?\n\nAnswer1: silk\n\nAnswer format: answer1/answer2",
    "output": "the correct answer is answer2",
}
PLAIN = {"instruction": "Say 3", "output": "hi"}


def test_items_that_do_not_fit_the_style_are_named_before_it_is_queued(studio: Studio) -> None:
    text = "".join(f"{json.dumps(item)}\n" for item in [*[PLAIN] * 200, UNTOLD])
    mine = studio.texts.create_set("Mine", "instructions", Upload("x.jsonl", text.encode()))
    with pytest.raises(DataError, match=r"^Mine, item 201: .*or take the style labels") as error:
        studio.texts.train(TextTrainRequest(mine.id))
    assert str(studio.workspace.root) not in str(error.value) and studio.jobs() == []
    labels = TextTrainRequest(mine.id, settings={"style": "labels"})
    assert studio.texts.config_of(labels).data == str(studio.workspace.text_set(mine.id))


@pytest.mark.parametrize("part", ["train", "test"])
def test_a_comparison_whose_cells_could_not_use_an_item_is_not_begun(
    studio: Studio, part: str
) -> None:
    fitting = {**UNTOLD, "instruction": UNTOLD["instruction"].replace("silk", "silk Answer2: wax")}
    rows = {"train": fitting, "test": fitting, part: UNTOLD}
    uploads = [Upload("x.jsonl", json.dumps(rows[name]).encode()) for name in ("train", "test")]
    mine = studio.texts.create_set("Mine", "instructions", *uploads)
    asked = TextMethodsRequest(mine.id, ("lora",), seeds=(0,), settings={"style": "texts"})
    with pytest.raises(DataError, match=r"^Mine, item 1: .*or take the style labels"):
        studio.texts.compare_methods(asked)
    assert studio.jobs() == [] and not list(studio.workspace.comparisons.iterdir())
    labels = dataclasses.replace(asked, settings={"style": "labels"})
    assert len(studio.texts.compare_methods(labels)) == 1


def test_plain_instructions_can_be_trained_in_either_style(studio: Studio) -> None:
    text = f"{json.dumps(PLAIN)}\n" * 200
    mine = studio.texts.create_set("Mine", "instructions", Upload("x.jsonl", text.encode()))
    for style in ("texts", "labels"):
        request = TextTrainRequest(mine.id, settings={"style": style})
        assert studio.texts.config_of(request).data == str(studio.workspace.text_set(mine.id))


def test_a_preset_of_the_paper_takes_the_bundled_items_where_they_were_chosen(
    studio: Studio,
) -> None:
    settings = {"optim": {"epochs": 20}}
    asked = TextTrainRequest("commonsense-demo", "llama-7b-r4", settings=settings)
    assert studio.texts.config_of(asked).data == str(DEMO_FILE)
    elsewhere = dataclasses.replace(asked, base="smollm2")
    words = shlex.split(studio.texts.command_line(elsewhere))
    assert words[words.index("--data") + 1] == str(DEMO_FILE)
    assert studio.texts.config_of(TextTrainRequest("commonsense-demo")).data is None


def test_the_name_of_a_deleted_run_stays_with_the_job_that_may_be_tried_again(
    studio: Studio,
) -> None:
    job = studio.texts.train(TextTrainRequest(GLUE_DEMO))
    studio.cancel(job.id)
    studio.delete_run(str(job.run))
    assert studio.texts.train(TextTrainRequest(GLUE_DEMO)).run == "glue-demo-lora-tsd-2"
    assert studio.retry(job.id).run == "glue-demo-lora-tsd-1"


# --- bases ----------------------------------------------------------------------------------------


def test_a_folder_of_a_model_is_a_base_of_its_recipe(
    studio: Studio, bert: Path, llama: Path
) -> None:
    shutil.copytree(bert, studio.workspace.bases / "bert")
    shutil.copytree(llama, studio.workspace.bases / "llama")
    (studio.workspace.bases / "pickled").mkdir()
    shutil.copy(bert / "config.json", studio.workspace.bases / "pickled")
    own = {base.id: base.recipe for base in studio.texts.bases() if base.note == "your own"}
    assert own == {"bases/bert": "glue", "bases/llama": "llm"}
    config = studio.texts.config_of(TextTrainRequest("glue-demo", base="bases/bert"))
    assert config.base == str(studio.workspace.bases / "bert")
    with pytest.raises(BaseModelError, match="not in the list for this"):
        studio.texts.config_of(TextTrainRequest("glue-demo", base="bases/llama"))


@pytest.mark.parametrize("base", ["/etc", "../../etc", "https://x.org/y", "bases/../queue", "a/b"])
def test_a_base_outside_the_list_is_refused(studio: Studio, base: str) -> None:
    with pytest.raises(BaseModelError, match="not in the list"):
        studio.texts.config_of(TextTrainRequest("glue-demo", base=base))


def test_the_packaged_models_are_those_that_the_trainer_knows() -> None:
    assert set(PACKAGED) == set(KNOWN_TO_THE_TRAINER)


@pytest.mark.parametrize(
    "model", [{"precision": "fp16"}, {"quantization": "4bit"}, {"device": "cuda"}], ids=str
)
def test_what_needs_a_gpu_is_refused_where_no_worker_has_one(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, model: dict[str, str]
) -> None:
    request = TextTrainRequest(GLUE_DEMO, settings={"model": model})
    monkeypatch.setattr("app.device_check.has_gpu", lambda: False)
    asked = TextMethodsRequest(GLUE_DEMO, ("lora",), (0,), settings=request.settings)
    for submit, what in ((studio.texts.train, request), (studio.texts.compare_methods, asked)):
        with pytest.raises(ConfigError, match=f"No worker has a GPU.\n--.*{next(iter(model))}"):
            submit(what)
    monkeypatch.setattr("app.device_check.has_gpu", lambda: True)
    assert studio.texts.train(request).state == "queued"
    assert [job.state for job in studio.texts.compare_methods(asked)] == ["queued"]


@pytest.mark.parametrize("instead", ["full", "bitfit"])
def test_the_bases_own_weights_are_not_trained_in_what_auto_is_on_a_gpu(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, instead: Any
) -> None:
    request = TextTrainRequest(GLUE_DEMO, instead=instead)
    asked = TextMethodsRequest(GLUE_DEMO, ("lora", instead), (0,))
    monkeypatch.setattr("app.device_check.has_gpu", lambda: True)
    words = f"On a GPU --model.precision auto is bf16.\n--instead {instead} .*precision fp32"
    for submit, what in ((studio.texts.train, request), (studio.texts.compare_methods, asked)):
        with pytest.raises(ConfigError, match=words):
            submit(what)
    for model in ({"precision": "fp32"}, {"device": "cpu"}):
        fitting = dataclasses.replace(request, settings={"model": model})
        assert studio.texts.train(fitting).state == "queued"
    monkeypatch.setattr("app.device_check.has_gpu", lambda: False)
    assert studio.texts.train(request).state == "queued"


def test_a_comparisons_own_budget_counts_whatever_its_other_settings_say(studio: Studio) -> None:
    settings = {"examples": 40, "adapter": {"rank": 2}, "optim": {"epochs": 3, "warmup": 7}}
    asked = TextMethodsRequest(GLUE_DEMO, ("lora",), (0,), settings=settings)
    [job] = studio.texts.compare_methods(asked)
    recipe = studio.texts._comparisons.get(job.group or "").config.recipe()
    assert (recipe.examples, recipe.adapter.rank, recipe.adapter.alpha) == (None, 8, 16)
    assert (recipe.optim.steps, recipe.optim.epochs, recipe.optim.warmup) == (300, None, 7)
