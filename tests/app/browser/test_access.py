"""The page for everybody: by keyboard alone, on a phone, light and dark, with a screen reader."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

TABS = ("Subjects", "Train", "Generate", "Scores", "Compare", "Queue", "System")
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
LOOKS = [{"color_scheme": "light"}, {"color_scheme": "dark"}, PHONE]
FAINTEST = 4.5
"""WCAG 2.2, 1.4.3 (AA): contrast of text with what is behind it."""

# Text nodes in sight whose colour is too near to the first opaque colour behind them.
FAINT_TEXTS = """
(least) => {
  const channels = (color) => {
    const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = (rgb) => {
    const [r, g, b] = rgb.slice(0, 3).map((v) => v / 255)
      .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (node) => {
    for (; node; node = node.parentElement) {
      const color = channels(getComputedStyle(node).backgroundColor);
      if (color[3] > 250) return color;
    }
    return [255, 255, 255, 255];
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const faint = [];
  while (walker.nextNode()) {
    const text = walker.currentNode.textContent.trim(), node = walker.currentNode.parentElement;
    if (!text || !node.checkVisibility({opacityProperty: true, visibilityProperty: true})) continue;
    if (node.closest("svg, .cm-editor, [disabled]")) continue;
    const [a, b] = [channels(getComputedStyle(node).color), behind(node)].map(light);
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < least) faint.push(`${text.slice(0, 40)}: ${contrast.toFixed(2)}`);
  }
  return faint;
}
"""
NAMELESS = """
() => [...document.querySelectorAll("input, textarea, select, button, a[href], img, summary")]
  .filter((node) => node.checkVisibility({opacityProperty: true, visibilityProperty: true}))
  .filter((node) => !(node.labels?.length || node.getAttribute("aria-label")
    || node.getAttribute("alt") || node.getAttribute("title") || node.innerText?.trim()
    || node.querySelector("img[alt]")))
  .map((node) => node.outerHTML.slice(0, 160))
"""


def each_tab(person: Any) -> Any:
    for name in TABS:
        person.open_tab(name)
        expect(person.page.get_by_role("tabpanel").locator("visible=true").first).to_be_visible()
        yield name


@pytest.mark.parametrize("person", LOOKS, indirect=True, ids=("light", "dark", "phone"))
def test_all_text_stands_out_from_its_ground(person: Any) -> None:
    faint = {name: person.page.evaluate(FAINT_TEXTS, FAINTEST) for name in each_tab(person)}
    assert {name: texts for name, texts in faint.items() if texts} == {}


def test_everything_that_can_be_used_or_seen_has_a_name(person: Any) -> None:
    nameless = {name: person.page.evaluate(NAMELESS) for name in each_tab(person)}
    assert {name: nodes for name, nodes in nameless.items() if nodes} == {}


@pytest.mark.parametrize("person", [PHONE], indirect=True)
def test_nothing_is_wider_than_a_phone(person: Any) -> None:
    person.keep_subject("duck", "Pocket duck")
    too_wide = "() => document.documentElement.scrollWidth - window.innerWidth"
    wider = {name: person.page.evaluate(too_wide) for name in each_tab(person)}
    assert {name: pixels for name, pixels in wider.items() if pixels > 0} == {}


def test_the_first_screen_works_by_keyboard_alone(person: Any, photo_files: list[Any]) -> None:
    page: Page = person.page
    page.on("filechooser", lambda chooser: chooser.set_files(photo_files))
    _tab_to(page, "Click to upload or drop files")
    page.keyboard.press("Enter")
    expect(page.get_by_role("cell", name=photo_files[0].name, exact=True)).to_be_visible()
    _tab_to(page, "Its name")
    page.keyboard.type("Keyboard duck")
    _tab_to(page, "It is a …")
    page.keyboard.type("duck")
    _tab_to(page, "Only keep them for now")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Your subjects")).to_have_value("Keyboard duck")
    _tab_to(page, re.compile("look closely"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("textbox", name="Caption")).to_be_visible()


def test_the_place_of_the_keyboard_is_seen(person: Any) -> None:
    _tab_to(person.page, "Train on these photos")
    outline = "() => getComputedStyle(document.activeElement).outlineStyle"
    assert person.page.evaluate(outline) == "solid"


def _tab_to(page: Page, name: str | re.Pattern[str]) -> None:
    """Press Tab until the control of that name has the focus."""
    wanted = page.get_by_role("button", name=name).or_(page.get_by_role("textbox", name=name))
    for _ in range(60):
        page.keyboard.press("Tab")
        if wanted.locator("visible=true").first.evaluate("node => node === document.activeElement"):
            return
    pytest.fail(f"{name} is not reached by Tab")
