"""The page of texts: what its form asks for, and how scores and tables read."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from app.studio import Studio
from app.tabs.fields import shown
from app.tabs.language_form import TextForm, preset_for, set_label
from app.tabs.language_scores import file_links, score_page
from app.tabs.language_table import comparison_page
from app.text_requests import TextMethodsRequest, TextTrainRequest
from app.text_training import preset_of
from app.text_views import TextSetView
from app.views import Upload
from trainer.errors import ConfigError
from trainer.files import write_json
from trainer.text_config import GlueConfig, LLMConfig
from trainer.text_run import TextRun

LARGE = "microsoft/deberta-v3-large"
ROWS = "sentence\tlabel\nGood.\t1\nBad.\t0\n"


@pytest.fixture
def form(studio: Studio) -> TextForm:
    async def build() -> TextForm:
        with gr.Blocks():
            return TextForm(studio)

    return asyncio.run(build())


def filled(form: TextForm, data: str, method: str = "lora-tsd", **fields: Any) -> list[Any]:
    """The form as it stands for a set's demo recipe, with some fields changed."""
    start = preset_of(form.studio.texts.set(data), "demo")
    values = [
        fields.get(setting.name, shown(setting, setting.of(start)) if _has(start, setting) else "")
        for setting in form.settings
    ]
    return [data, None, "demo", method, True, *values]


def _has(config: Any, setting: Any) -> bool:
    return hasattr(config, setting.section or setting.name)


@pytest.mark.parametrize("data", ["glue-demo", "commonsense-demo"])
def test_an_untouched_form_asks_for_nothing_but_the_preset(form: TextForm, data: str) -> None:
    assert form.request(filled(form, data)) == TextTrainRequest(data)


def test_a_page_that_nobody_has_touched_asks_for_the_preset_of_its_texts(form: TextForm) -> None:
    values = [component.value for component in form.components]
    assert form.request(values) == TextTrainRequest("glue-demo")


def test_a_method_is_the_adapter_s_or_stands_in_its_place(form: TextForm) -> None:
    ours, theirs = (form.request(filled(form, "glue-demo", name)) for name in ("lora", "dora"))
    assert ours.settings == {"adapter": {"method": "lora"}} and ours.instead is None
    assert theirs.settings == {} and theirs.instead == "dora"


def test_what_is_typed_under_advanced_goes_where_config_json_has_it(form: TextForm) -> None:
    values = filled(form, "commonsense-demo", max_length=64, style="labels", steps="7")
    asked = form.request(values).settings
    assert asked == {"max_length": 64, "style": "labels", "optim": {"steps": 7}}
    view, _, settings = form.settings_of_demo(values)
    assert (view.id, settings) == ("commonsense-demo", asked)


def test_every_setting_of_a_sentence_task_is_in_the_form(form: TextForm) -> None:
    own = {field.name for field in dataclasses.fields(GlueConfig())}
    shown_there = {setting.section or setting.name for setting in form.settings}
    elsewhere = {"base", "data", "run", "workspace", "instead", "task"}
    assert own - elsewhere <= shown_there and not shown_there & elsewhere


def test_no_texts_chosen_is_said(form: TextForm) -> None:
    with pytest.raises(ConfigError, match="Choose texts first"):
        form.request([None, *filled(form, "glue-demo")[1:]])


@pytest.mark.parametrize(
    ("recipe", "base", "preset"),
    [
        ("glue", "minilm", "demo"),
        ("glue", "microsoft/deberta-v3-large", "deberta-v3-large-r2"),
        ("llm", "meta-llama/Meta-Llama-3-8B", "llama3-8b-r16"),
        ("llm", "bases/mine", "demo"),
    ],
)
def test_a_base_has_its_own_recipe_of_the_paper(recipe: Any, base: str, preset: str) -> None:
    assert preset_for(recipe, base) == preset


@pytest.mark.parametrize(
    ("data", "base", "preset", "kept"),
    [
        ("glue-demo", "minilm", "deberta-v3-base-r8", ["minilm", "deberta-v3-base-r8"]),
        ("hub-rte", LARGE, "deberta-v3-large-r8", [LARGE, "deberta-v3-large-r8"]),
        ("hub-rte", LARGE, "demo", [LARGE, "demo"]),
        ("glue-demo", "bases/deleted", "deberta-v3-large-r8", ["minilm", "demo"]),
        ("commonsense-demo", LARGE, "deberta-v3-large-r8", ["smollm2", "demo"]),
    ],
)
def test_a_recipe_that_was_chosen_stays_while_its_base_does(
    page: Any, data: str, base: str, preset: str, kept: list[str]
) -> None:
    [follow] = [event.fn for event in page.blocks.fns.values() if event.name == "follow_data"]
    assert [choice.value for choice in follow(data, base, preset)] == kept


def test_a_choice_fills_the_fields_once_however_often_it_is_told(page: Any) -> None:
    [follow] = [event.fn for event in page.blocks.fns.values() if event.name == "follow_preset"]
    *values, filled = follow("hub-rte", "deberta-v3-base-r2", [])
    assert 320 in values  # max_length of RTE
    *again, filled = follow("hub-rte", "deberta-v3-base-r2", filled)
    assert again == [gr.skip()] * len(values)
    *others, _ = follow("hub-rte", "demo", filled)
    assert others != again


def test_a_model_says_what_it_takes_and_whether_it_is_here(form: TextForm, bert: Path) -> None:
    shutil.copytree(bert, form.studio.workspace.bases / "bert")
    labels = {base: label for label, base in form.base_choices("glue")}
    assert labels["minilm"] == "MiniLM, 22.7 M, any machine · comes along"
    assert labels["bases/bert"].startswith("bert · your own, ")
    large = "deberta-v3-large · needs a download of 870 MB"
    assert labels["microsoft/deberta-v3-large"] == large


def test_a_set_tells_what_is_in_it(studio: Studio) -> None:
    mine = studio.texts.create_set("Mine", "sst2", Upload("x", ROWS.encode()))
    assert set_label(mine) == "Mine · SST-2, 2 rows"
    assert set_label(studio.texts.set("glue-demo")) == "Praise and blame · 200 rows"
    to_score = TextSetView("a", "A", "llm", None, "uploaded", 0, 9)
    assert set_label(to_score) == "A · instructions, 9 rows to score"


def test_a_set_that_was_deleted_is_offered_no_more_and_the_chosen_one_stays(
    studio: Studio, page: Any
) -> None:
    for name in ("A", "B", "C"):
        studio.texts.create_set(name, "sst2", Upload("x", ROWS.encode()))
    [press] = [event.fn for event in page.blocks.fns.values() if event.name == "press"
               and "texts" in [part.elem_id for part in event.outputs]]  # fmt: skip
    for gone in ("a", "b"):
        offered, *_ = press("c", gr.EventData(None, {"do": "delete", "set": gone}))
        assert offered.value == "c"
        assert gone not in [value for _, value in offered.choices]


def test_scores_stand_with_n_and_interval_and_answers_as_text(studio: Studio) -> None:
    run = TextRun(studio.workspace.run("mine-1"))
    run.write_config(GlueConfig(task="demo"))
    score = {"value": 0.5, "low": 0.25, "high": 0.75, "n": 4}
    write_json(run.scores, {"scores": {"accuracy": score}})
    rows = [{"texts": ["<b>Good.</b>"], "label": "1", "prediction": "1", "outputs": [0, 1]}]
    run.predictions.write_text("".join(json.dumps(row) + "\n" for row in rows))
    page = score_page(studio, "mine-1")
    for words in ("Accuracy", ">4<", "50.0", "25.0 … 75.0", "&lt;b&gt;Good", "✓ 1"):
        assert words in page
    assert "api/text-runs/mine-1/scores/own/predictions.jsonl" in page


@pytest.fixture
def rte(studio: Studio) -> TextRun:
    """A finished run on GLUE's RTE of the hub."""
    run = TextRun(studio.workspace.run("rte-1"))
    run.write_config(GlueConfig(task="rte"))
    write_json(run.status_file, {"state": "succeeded", "step": 3})
    return run


def test_a_run_on_a_task_with_a_test_set_offers_to_predict_it_and_then_the_file(
    studio: Studio, rte: TextRun
) -> None:
    assert "Predict the test set" in file_links(studio, "rte-1")
    write_json(rte.path / "scores-test.json", {"scores": {}, "submission": "submission/RTE.tsv"})
    row = {"texts": ["A", "B"], "label": None, "prediction": "entailment"}
    rte.predictions.with_stem("predictions-test").write_text(json.dumps(row))
    rte.submissions.mkdir()
    (rte.submissions / "RTE.tsv").touch()
    page = file_links(studio, "rte-1")
    assert "Predict the test set" not in page
    assert 'href="api/text-runs/rte-1/submissions/RTE.tsv"' in page
    answers = score_page(studio, "rte-1")
    for words in ("Not scored yet", "What it answered, by its test set", "secret", "entailment"):
        assert words in answers


def test_a_run_without_a_test_set_says_so_and_one_on_instructions_says_nothing(
    studio: Studio, rte: TextRun
) -> None:
    rte.write_config(GlueConfig(task="demo"))
    page = file_links(studio, "rte-1")
    assert "Praise and blame have no test set" in page and 'data-do="submit"' not in page
    rte.write_config(LLMConfig())
    assert "server" not in file_links(studio, "rte-1")


def test_a_table_names_what_is_to_come_and_what_failed(studio: Studio) -> None:
    asked = TextMethodsRequest("glue-demo", ("lora", "lora-dash:bottom"), (0, 1), steps=10)
    first, *_ = studio.texts.compare_methods(asked)
    page = comparison_page(studio, first.group)
    assert "Still to come: LoRA 0, LoRA 1, LoRA-Dash, bottom 0, LoRA-Dash, bottom 1" in page
    studio.cancel(first.id)
    page = comparison_page(studio, first.group)
    assert "lora, seed 0: cancelled" in page and "Still to come: LoRA 1, LoRA-Dash" in page


def of_comparisons(page: Any, name: str) -> Any:
    """A handler of the part that compares methods, by its name in the code."""
    found, *_ = [event.fn for event in page.blocks.fns.values() if event.name == name
                 and "text-comparison" in [part.elem_id for part in event.inputs]]  # fmt: skip
    return found


def test_a_cell_that_no_job_will_make_is_told_apart_and_queued_by_a_button(
    studio: Studio, page: Any
) -> None:
    asked = TextMethodsRequest("glue-demo", ("lora", "lora-tsd"), (0, 1), steps=10)
    first, *_ = studio.texts.compare_methods(asked)
    assert 'data-do="queue"' not in comparison_page(studio, first.group)
    studio.cancel(first.id)
    studio.delete_job(first.id)
    shown = comparison_page(studio, first.group)
    assert "No job will make these: LoRA 0<" in shown and "Still to come: LoRA 1," in shown
    assert 'data-do="queue"' in shown
    for _ in range(2):  # the second finds nothing to do
        of_comparisons(page, "press")(first.group, gr.EventData(None, {"do": "queue"}))
        assert "Still to come: LoRA 0, LoRA 1" in comparison_page(studio, first.group)
        assert len([job for job in studio.jobs() if job.request == first.request]) == 1


def test_a_table_that_was_deleted_elsewhere_gives_way_to_one_that_is_left(
    studio: Studio, page: Any, filled_comparison: str
) -> None:
    asked = TextMethodsRequest("glue-demo", ("lora",), (0,), steps=10)
    left, gone = studio.texts.compare_methods(asked)[0].group, filled_comparison
    look = of_comparisons(page, "look")
    _, shown, _ = look(gone, "")
    studio.texts.delete_comparison(gone)
    chosen, shown, seen = look(gone, shown)
    assert chosen.value == left and shown == seen == comparison_page(studio, left)
    studio.cancel(studio.jobs()[0].id)
    studio.texts.delete_comparison(left)
    chosen, shown, _ = look(left, shown)
    assert chosen.value is None and "No comparison yet" in shown


def test_a_table_says_once_that_the_database_is_away(
    studio: Studio, page: Any, filled_comparison: str
) -> None:
    look = of_comparisons(page, "look")
    with closing(sqlite3.connect(str(studio.queue.url.database))) as database:
        database.execute("ALTER TABLE jobs RENAME TO away")
    _, shown, seen = look(filled_comparison, "")
    assert "database does not answer" in shown
    assert look(filled_comparison, seen) == gr.skip()


def test_a_seed_that_diverged_is_told_whatever_became_of_its_job(
    studio: Studio, filled_comparison: str
) -> None:
    cells = studio.workspace.comparison(filled_comparison) / "cells"
    why = "the loss is nan at step 2"
    write_json(cells / "lora-dash-bottom-1" / "cell.json", {"diverged": why})
    page = comparison_page(studio, filled_comparison)
    assert f"LoRA-Dash, bottom, seed 1 diverged, and is not in the mean: {why}" in page
    assert "Still to come" not in page and "No job" not in page


def test_a_table_can_be_taken_away_with_what_every_cell_answered(
    studio: Studio, filled_comparison: str
) -> None:
    page = comparison_page(studio, filled_comparison)
    place = f"api/text-comparisons/{filled_comparison}"
    assert f'href="{place}/table.csv"' in page
    assert f'href="{place}" download="methods-{filled_comparison}.json"' in page
    for run in ("lora-0", "lora-1", "lora-dash-bottom-0"):
        assert f'href="{place}/cells/{run}/scores/own/predictions.jsonl"' in page
    assert "No job will make these: LoRA-Dash, bottom 1<" in page
    assert "lora-dash-bottom-1" not in page


def test_a_table_without_cells_has_nothing_to_take_away(studio: Studio) -> None:
    asked = TextMethodsRequest("glue-demo", ("lora",), (0,), steps=10)
    [job] = studio.texts.compare_methods(asked)
    assert "table.csv" not in comparison_page(studio, job.group)
