"""A button that opens a form brings the form before the person, ready to type in."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from playwright.sync_api import Locator, Request, expect

from app.jobs.engine import Queue
from app.jobs.records import JobKind
from app.workspace import Workspace

PHONE = {"viewport": {"width": 390, "height": 844}}
REQUEST = {"runs": ["duck-lora-1", "cat-lora-1"], "layers": [], "null_draws": 6}


@pytest.fixture
def ended_jobs(workspace: Workspace) -> None:
    """More than fit on a screen."""
    queue = Queue(workspace.root)
    for number in range(9):
        queue.cancel(queue.submit(JobKind.COMPARE, f"comparison {number}", REQUEST).id)
    queue.close()


@pytest.mark.usefixtures("ended_jobs")
def test_a_request_to_change_is_brought_into_view_and_mistakes_in_it_are_told(person: Any) -> None:
    page = person.page
    person.open_tab("Queue")
    page.locator(".queue li").filter(has_text="comparison 0").get_by_role(
        "button", name="Duplicate with changes"
    ).click()
    editor = page.locator("#changing .cm-content")
    _expect_ready(editor)
    expect(editor).to_contain_text("duck-lora-1")
    for text, words in (('{"run": 5}', "runs: Field required"), ("no", "This is not JSON")):
        editor.fill(text)
        person.press("Start the changed copy")
        expect(page.locator("#changing").get_by_role("alert")).to_contain_text(words)
    editor.fill(json.dumps(REQUEST))
    person.press("Close")
    expect(editor).to_have_count(0)


@pytest.mark.parametrize("person", [PHONE], indirect=True, ids=["phone"])
def test_a_photo_that_is_tapped_is_shown_closely_where_the_person_looks(person: Any) -> None:
    person.keep_subject("cat", "Pocket cat")
    person.page.locator(".photos .opener").nth(3).click()
    _expect_ready(person.page.get_by_role("textbox", name="Caption"))


def test_a_page_at_rest_asks_for_nothing_but_its_timers_do(person: Any) -> None:
    """The fastest ticks once a second; listeners that set each other off would never stop."""
    calls: Counter[int] = Counter()
    person.visit("?tab=train")
    expect(person.page.locator(".estimate, .note").locator("visible=true").first).to_be_visible()
    person.page.wait_for_timeout(5000)
    person.page.on("request", lambda request: calls.update(_handler(request)))
    person.page.wait_for_timeout(6000)
    assert calls and max(calls.values()) <= 6


def _handler(request: Request) -> list[int]:
    """Which of the page's handlers a request calls."""
    called = request.method == "POST" and "fn_index" in (request.post_data or "")
    return [request.post_data_json["fn_index"]] if called else []


def test_the_command_follows_the_form(person: Any) -> None:
    """In both forms that have one."""
    person.keep_subject("cat", "Commanded cat")
    for tab, told in (("Train", "--preset demo"), ("Language", "train_glue.py")):
        person.open_tab(tab)
        person.press("Show the command")
        command = person.page.locator(".cm-content").locator("visible=true")
        expect(command).to_contain_text(told)
        person.set_steps(17)
        expect(command).to_contain_text("--optim.steps 17")
        person.set_steps(18)
        expect(command).to_contain_text("--optim.steps 18")


def _expect_ready(field: Locator) -> None:
    expect(field).to_be_focused()
    expect(field).to_be_in_viewport()
