"""Photos of a subject, looked at in a browser."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page, expect


def test_a_photo_is_held_out_for_the_scores_and_trained_on_again(person: Any) -> None:
    page: Page = person.page
    person.keep_subject("cat", "Shy cat")
    page.get_by_role("button", name="Hold out").first.click()
    expect(page.get_by_role("heading", name="Held out")).to_be_visible()
    expect(page.get_by_role("button", name="Hold out")).to_have_count(4)
    person.press("Train on it")
    expect(page.get_by_role("heading", name="Held out")).to_have_count(0)
    expect(page.get_by_role("button", name="Hold out")).to_have_count(5)
