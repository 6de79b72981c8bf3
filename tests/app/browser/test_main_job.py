"""The main job in a real browser, on the embedded base: photos, training, pictures, scores."""

from __future__ import annotations

import csv
import re
from typing import Any

import pytest
from playwright.sync_api import Browser, Download, Page, expect
from safetensors import safe_open

STEPS = 24
PHONE = {"viewport": {"width": 390, "height": 844}}


@pytest.mark.timeout(1500)
def test_from_photos_to_pictures_scores_heatmap_and_files(person: Any, browser: Browser) -> None:
    person.keep_subject("duck", "Duck")
    person.keep_subject("teapot", "Teapot")
    _train_and_come_back(person, browser)
    person.train("Teapot", STEPS)
    person.wait_until_done()
    _draw(person)
    _score(person)
    _compare(person)


def _train_and_come_back(person: Any, browser: Browser) -> None:
    """A reload in the middle, and another device by the address, show the same job."""
    page: Page = person.page
    person.train("Duck", STEPS)
    expect(page).to_have_url(re.compile("job="))
    person.wait_for_progress(f"of {STEPS} steps")
    person.visit(page.url.removeprefix(person.site.url))
    expect(person.watched.get_by_role("heading", name="Duck · lora-tsd")).to_be_visible()
    expect(page).to_have_url(re.compile("tab=train"))  # while tabs are mounted it names another
    phone = browser.new_context(**PHONE).new_page()
    phone.goto(page.url)
    expect(phone.locator(".watch:visible .badge")).to_be_visible()
    person.wait_until_done()
    expect(phone.locator(".watch:visible .badge")).to_have_text("done")
    phone.context.close()
    expect(person.watched.get_by_role("img", name="Loss")).to_be_visible()
    expect(person.watched.locator(".launch")).to_contain_text("directions of your subject")
    _expect_pictures(person.watched.locator(".pictures img"), at_least=2)


def _draw(person: Any) -> None:
    """The adapter beside the base alone, in a grid with scores; its settings can be used again."""
    page: Page = person.page
    person.open_tab("Generate")
    person.press("Clear")
    person.choose("Adapters", "duck-lora-tsd-1")
    page.get_by_label("Prompts, one a line").fill("a {unique_token} {class_token} in the snow")
    page.get_by_label("Seeds").locator("visible=true").fill("3")
    person.press("More settings")
    page.get_by_role("spinbutton", name="Sampling steps").fill("4")
    person.press("Grid: strength")
    page.get_by_label("Draw a grid of the first adapter").check()
    person.press("Draw")
    person.wait_until_done()
    _expect_pictures(page.locator(".sheet:visible"), at_least=1)
    rows = list(csv.DictReader(_saved(page, "Download grid.csv").path().read_text().splitlines()))
    assert {row["scale"] for row in rows} >= {"0.5", "1.0"}

    page.get_by_label("Prompts, one a line").fill("something else")
    person.press("Earlier pictures")
    person.press("Use these settings again")
    expect(page.get_by_label("Prompts, one a line")).to_have_value(
        "a {unique_token} {class_token} in the snow"
    )


def _score(person: Any) -> None:
    """A scorecard of one prompt; the adapter as a file that diffusers' reader takes."""
    page: Page = person.page
    person.open_tab("Scores")
    person.choose("Run", "duck-lora-tsd-1")
    page.get_by_label("Seeds").locator("visible=true").fill("0")
    page.get_by_role("textbox", name="Prompts How many").fill("1")
    person.press("Score this run")
    person.wait_until_done()
    card = page.locator("table:visible").first
    expect(card).to_contain_text("CLIP-T")
    expect(card).to_contain_text("What good looks like")
    with safe_open(_saved(page, "For diffusers").path(), "numpy") as adapter:
        assert any("lora_A" in key for key in adapter.keys())


def _compare(person: Any) -> None:
    """The heatmap of two subjects, on the page and as a file."""
    page: Page = person.page
    person.open_tab("Compare")
    person.choose("Runs", "duck-lora-tsd-1", "teapot-lora-tsd-1")
    person.choose("Layers to draw", "every text attention, key (attn2.to_k), 11")
    page.get_by_role("spinbutton", name="Random changes").fill("0")
    person.press("Compare")
    person.wait_until_done()
    expect(page.get_by_alt_text("Directions shared in")).to_have_count(11)
    _expect_pictures(page.locator(".sheet:visible"), at_least=1)
    expect(page.locator("table:visible")).to_contain_text("100 %")
    heatmap = _saved(page, "Download heatmap.png").path()
    assert heatmap.read_bytes().startswith(b"\x89PNG")


def _saved(page: Page, link: str) -> Download:
    with page.expect_download() as waiting:
        page.get_by_role("link", name=link).locator("visible=true").click()
    return waiting.value


def _expect_pictures(pictures: Any, at_least: int) -> None:
    """They are there, and the browser could decode them."""
    expect(pictures.first).to_be_visible()
    assert pictures.count() >= at_least
    pictures.first.scroll_into_view_if_needed()
    expect(pictures.first).to_have_js_property("complete", True)
    assert pictures.first.evaluate("image => image.naturalWidth") > 0
