"""Texts in a real browser, on a small base: sent up, trained on, scored, methods asked for."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from app.tabs.amounts import size as amount
from app.workspace import Workspace
from trainer.data.glue import DEMO_FOLDER


@pytest.mark.timeout(900)
def test_own_texts_are_checked_trained_on_and_scored(
    person: Any, workspace: Workspace, bert: Path, tmp_path: Path
) -> None:
    page: Page = person.page
    shutil.copytree(bert, workspace.bases / "bert")
    person.visit()
    person.open_tab("Language")
    _send(person, _rows(tmp_path / "broken.tsv", "train", 3, "No label here.\t7\n"))
    expect(page.get_by_role("alert")).to_contain_text("broken.tsv, line 5: the label '7'")
    _send(person, _rows(tmp_path / "train.tsv", "train", 24), _rows(tmp_path / "dev.tsv", "dev", 8))
    expect(page.get_by_label("Texts", exact=True)).to_have_value("My reviews · SST-2, 24 rows")

    size = amount(sum(file.stat().st_size for file in bert.iterdir()))
    person.choose("Model", f"bert · your own, {size}")
    person.choose("Method", "LoRA")
    _set_steps(person, 6)
    person.press("Show the command")
    expect(page.locator(".cm-content:visible")).to_contain_text("--task sst2")
    person.press("Train")
    expect(person.watched.first).to_contain_text("My reviews · lora")
    expect(person.watched.first.locator(".badge")).to_have_text("done", timeout=person.patience)
    table = person.watched.first.locator("table")
    expect(table).to_contain_text("Accuracy")
    expect(person.watched.first.get_by_role("img", name="Loss")).to_be_visible()

    expect(page.locator("#text-run input")).to_have_value("my-reviews-lora-1 · 6 steps")
    page.get_by_text("What it answered").click()
    answers = _saved(page, "Download all answers")
    assert len(answers) == 8 and {"label", "prediction"} <= set(json.loads(answers[0]))

    person.choose("Recipe", "deberta-v3-base-r2")
    expect(_steps(page)).to_have_value("")  # the paper counts epochs
    _steps(page).fill("7")
    shutil.copytree(bert, workspace.bases / "other")
    person.open_tab("Train")
    person.open_tab("Language")
    page.get_by_label("Model", exact=True).locator("visible=true").click()
    filled_again = page.get_by_role("option", name=f"other · your own, {size}", exact=True)
    expect(filled_again).to_be_visible()
    page.keyboard.press("Escape")
    recipe = page.get_by_label("Recipe", exact=True).locator("visible=true")
    expect(recipe).to_have_value("deberta-v3-base-r2")
    expect(_steps(page)).to_have_value("7")


def test_a_table_of_methods_and_the_answers_of_a_cell_are_taken_away(
    person: Any, filled_comparison: str
) -> None:
    page: Page = person.page
    person.visit()
    person.open_tab("Language")
    table = _saved(page, "Download the table (CSV)")
    assert [row["method"] for row in csv.DictReader(table)] == ["lora", "lora-dash:bottom"]
    everything = json.loads("".join(_saved(page, "Download all of it (JSON)")))
    assert [len(row["cells"]) for row in everything["methods"]] == [2, 1]
    page.get_by_text("Download what each run answered").click()
    line = page.get_by_role("row").filter(has_text="LoRA-Dash, bottom").last
    [answer, _] = _saved(line, "seed 0")
    assert json.loads(answer)["texts"] == ["lora-dash-bottom-0"]


def _saved(place: Page | Locator, link: str) -> list[str]:
    """The lines of what a link saves."""
    page = place if isinstance(place, Page) else place.page
    with page.expect_download() as waiting:
        place.get_by_role("link", name=link).click()
    return waiting.value.path().read_text("utf-8").splitlines()


def _rows(path: Path, split: str, count: int, more: str = "") -> Path:
    """The first of the bundled sentences, as a person's own file."""
    lines = (DEMO_FOLDER / f"{split}.tsv").read_text("utf-8").splitlines(keepends=True)
    path.write_text("".join(lines[: count + 1]) + more, "utf-8")
    return path


def _send(person: Any, train: Path, test: Path | None = None) -> None:
    page: Page = person.page
    if not page.locator("#train-file").is_visible():
        person.press("Add your own texts")
    page.get_by_label("Name", exact=True).locator("visible=true").fill("My reviews")
    for part, file in (("train", train), ("test", test)):
        if file is not None:
            clear = page.locator(f"#{part}-file").get_by_label("Clear")
            if clear.is_visible():
                clear.click()
            page.locator(f"#{part}-file input[type=file]").set_input_files(file)
            expect(page.locator(f"#{part}-file")).to_contain_text(file.stem)
    person.press("Check and keep them")


def _set_steps(person: Any, steps: int) -> None:
    person.press("Advanced")
    person.press("Steps and learning")
    box = _steps(person.page)
    box.fill(str(steps))
    box.press("Tab")


def _steps(page: Page) -> Locator:
    return page.get_by_role("textbox", name="optim.steps").locator("visible=true")
