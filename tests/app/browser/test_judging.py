"""People judge: pictures side by side without names, then how it stands."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, expect

from trainer.files import write_json
from trainer.run import Run

ScoredRun = Callable[[str, int], Run]
MEASURED = {
    "base": "embedded", "prompts": {"n": 3}, "seeds": [0, 1], "photos": {"n": 1, "held_out": 0},
    "sampling": {"num_inference_steps": 4, "guidance_scale": 3.0}, "scorers": [], "scores": [],
}  # fmt: skip


def test_a_blind_test_is_found_voted_on_gone_on_with_and_counted(
    person: Any, scored_run: ScoredRun
) -> None:
    page: Page = person.page
    for name, shade in (("red", 200), ("dark", 50)):
        run = scored_run(name, shade)
        write_json(run.scores, {**MEASURED, **json.loads(run.scores.read_text())})
        write_json(run.status_file, {"state": "succeeded", "step": 1})
    person.visit()
    person.open_tab("Scores")
    person.press("Let people judge")
    person.choose("Scored runs to hold against each other", "red", "dark")
    person.press("Start")
    _expect_pair(page, 1)
    person.press("Left is better")
    _expect_pair(page, 2)

    person.visit(page.url.removeprefix(person.site.url))
    _expect_pair(page, 2)
    person.press("Tally")
    expect(page.locator("#blind table")).to_contain_text("red against dark")
    with page.expect_download() as waiting:
        page.get_by_role("link", name="Download the votes").click()
    [vote] = csv.DictReader(waiting.value.path().read_text().splitlines())
    assert vote["choice"] == "left" and vote["winner"] == vote["left"]
    person.press("Go on judging")
    _expect_pair(page, 2)


def _expect_pair(page: Page, number: int) -> None:
    """Two pictures and a prompt, and not a word of whose they are."""
    heading = page.locator("#blind h4")
    expect(heading).to_have_text(re.compile(rf"^{number} of 6: a zwx duck"))
    expect(page.locator("#blind .pair img")).to_have_count(2)
    assert not re.search("red|dark", page.locator("#blind .pair").inner_html())
