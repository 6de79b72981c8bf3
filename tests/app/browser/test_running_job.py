"""One button starts a training; while it runs it is steered, from one device or another."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

PHONE = {"viewport": {"width": 390, "height": 844}}
UNPLANNED = re.compile(r"step (?!0,|\d+00,)\d+, seed")
"""A preview of a step at which none is due."""


@pytest.mark.timeout(1500)
def test_a_training_is_started_sampled_saved_cancelled_gone_on_with_and_kept(
    person: Any, browser: Browser
) -> None:
    watched, patient = person.watched, {"timeout": person.patience}
    person.drop_photos("duck", "Steered duck")
    person.press("Train on these photos")
    expect(watched.get_by_role("heading", name="Steered duck · lora-tsd")).to_be_visible()

    previews = watched.locator(".pictures li")
    expect(previews).to_have_count(2, **patient)  # those of step 0: another wish than theirs
    person.press("Sample now")
    expect(previews.filter(has_text=UNPLANNED).first).to_be_visible(**patient)
    person.press("Save now")
    run = person.site.workspace / "runs" / "steered-duck-lora-tsd-1"
    saved = _saved_step(run, person.patience / 1000)
    person.confirm("Cancel")
    expect(watched.locator(".badge")).to_have_text("cancelled", **patient)

    _go_on_elsewhere(browser, person.site.url, "Steered duck")
    expect(watched.locator(".badge")).not_to_have_text("cancelled")  # the open page follows
    person.wait_for_progress("of 400 steps")
    person.press("Stop and keep")
    person.wait_until_done()
    told = watched.get_by_text(re.compile(r"stopped early at step \d+ of 400; not scored"))
    assert saved <= int(re.findall(r"\d+", told.inner_text())[0]) < 400
    assert (run / "adapter.safetensors").is_file()


def _saved_step(run: Path, seconds: float) -> int:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for file in run.glob("checkpoints/step-*/manifest.json"):
            return int(file.parent.name.removeprefix("step-"))
        time.sleep(0.2)
    pytest.fail("no checkpoint was saved")


def _go_on_elsewhere(browser: Browser, url: str, title: str) -> None:
    context = browser.new_context(**PHONE)
    phone: Page = context.new_page()
    phone.goto(f"{url}?tab=queue")
    job = phone.locator(".queue li").filter(has_text=title)
    job.get_by_role("button", name="Go on").click()
    expect(job.locator(".badge")).to_have_text(re.compile("waiting|running"))
    context.close()
