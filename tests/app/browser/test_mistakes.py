"""Mistakes and mischief: the reason stands beside its cause, and what was typed stays text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playwright.sync_api import expect

from app.workspace import Workspace

SCRIPT = "<img src=x onerror='document.title = 1'>"


def test_no_photos_says_so_beside_the_button_and_keeps_what_was_typed(person: Any) -> None:
    page = person.page
    page.get_by_label("Its name").first.fill("Rex")
    person.press("Train on these photos")
    expect(page.get_by_role("alert").locator("visible=true")).to_contain_text("No photos yet")
    expect(page.get_by_label("Its name").first).to_have_value("Rex")


def test_photos_of_which_none_can_be_used_are_named_beside_the_button(
    person: Any, tmp_path: Path
) -> None:
    person.drop_photos("duck", "Rex")
    unusable = tmp_path / "notes.png"
    unusable.write_text("no picture")
    person.page.get_by_role("button", name="Clear").locator("visible=true").first.click()
    person.page.locator("#drop input[type=file]").set_input_files([unusable])
    expect(person.page.get_by_role("cell", name="notes.png", exact=True)).to_be_visible()
    person.press("Train on these photos")
    expect(person.page.locator(".hero").get_by_role("alert")).to_contain_text("notes.png")
    expect(person.page.get_by_label("Its name").first).to_have_value("Rex")


def test_a_missing_class_is_told_in_words(person: Any) -> None:
    person.drop_photos("duck", "Rex")
    person.page.get_by_label("It is a …").first.fill("")
    person.press("Only keep them for now")
    expect(person.page.get_by_role("alert").locator("visible=true")).to_contain_text("class")


def test_numbers_that_are_none_are_named(person: Any) -> None:
    person.open_tab("Scores")
    person.page.get_by_label("Seeds").locator("visible=true").fill("one")
    person.press("Score this run")
    expect(person.page.get_by_role("alert").locator("visible=true")).to_be_visible()


def test_a_job_that_is_not_there_opens_the_first_screen(person: Any) -> None:
    person.visit("?job=nosuchjob")
    expect(person.page.get_by_role("button", name="Train on these photos")).to_be_visible()


def test_markup_in_a_caption_is_shown_as_text(person: Any) -> None:
    page = person.page
    person.keep_subject("cat", "Mischief")
    page.locator(".photos button").first.click()
    page.get_by_role("textbox", name="Caption").fill(f"{SCRIPT} a zwx cat")
    person.press("Save caption")
    expect(page.locator(".photos q").first).to_contain_text(SCRIPT)
    assert page.title() == "Dashbooth"


def test_all_data_goes_only_when_it_is_typed(person: Any) -> None:
    page = person.page
    person.keep_subject("cat", "Keepsake")
    page.get_by_role("button", name="Delete all my data").first.click()
    page.get_by_role("button", name="Delete all my data", exact=True).last.click()
    expect(page.get_by_role("alert").locator("visible=true")).to_contain_text("Nothing was deleted")
    expect(page.locator(".photos > li")).not_to_have_count(0)


def test_a_subject_that_was_deleted_elsewhere_is_told_of_in_words(
    person: Any, workspace: Workspace
) -> None:
    person.keep_subject("cat", "Short stay")
    (workspace.subject("short-stay") / "subject.json").unlink()  # its photos load meanwhile
    person.press("Edit this subject")
    expect(person.page.get_by_role("alert").locator("visible=true")).to_contain_text(
        "There is no subject 'short-stay'"
    )
