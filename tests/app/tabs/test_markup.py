"""HTML of ours: what a person typed never becomes a tag, an attribute or a script."""

from __future__ import annotations

import os
from html.parser import HTMLParser
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from app.tabs.markup import Markup, button, el, file_url, join, note, table


class Reader(HTMLParser):
    """What a browser would see: tags with attributes, and text."""

    def __init__(self, markup: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


# The parser itself turns CR and NUL into other characters, as browsers do.
typed = st.text(st.characters(exclude_characters="\r\0", exclude_categories=("Cs",)))


@given(typed)
def test_any_text_comes_out_as_that_text_and_nothing_else(text: str) -> None:
    seen = Reader(el("p", text))
    assert (seen.tags, seen.text) == ([("p", {})], text)


@given(typed)
def test_any_value_stays_inside_its_attribute(text: str) -> None:
    seen = Reader(el("img", alt=text, src="x"))
    assert seen.tags == [("img", {"alt": text, "src": "x"})]


def test_markup_nests_and_none_is_nothing() -> None:
    assert el("div", None, el("b", "<1>"), "&", class_="a") == (
        '<div class="a"><b>&lt;1&gt;</b>&amp;</div>'
    )
    assert join(["<", Markup("<br>"), None], ", ") == "&lt;, <br>"


def test_true_is_an_attribute_without_value_and_false_is_none() -> None:
    assert el("a", "x", download=True, hidden=False, title=None) == "<a download>x</a>"


def test_a_drawing_is_closed_as_svg_needs_it() -> None:
    assert el("line", x1=0) == '<line x1="0"></line>'


def test_a_button_carries_its_deed_and_its_question() -> None:
    (tag,) = Reader(button("Cancel", "cancel", job="ab", confirm='Really "now"?')).tags
    assert tag[0] == "button"
    expected = {"type": "button", "data-do": "cancel", "data-job": "ab",
                "data-confirm": 'Really "now"?'}  # fmt: skip
    assert expected.items() <= tag[1].items()


def test_a_problem_is_announced_and_an_aside_is_not() -> None:
    assert 'role="alert"' in note("no", "problem")
    assert "role" not in note("yes")


def test_a_table_names_its_rows_and_columns() -> None:
    tags = Reader(table(["run", "n"], [["a", 1]], caption="Runs")).tags
    scopes = [attributes["scope"] for tag, attributes in tags if tag == "th"]
    assert scopes == ["col", "col", "row"]


def test_a_files_address_changes_with_the_file_and_hides_no_second_one(tmp_path: Path) -> None:
    path = tmp_path / 'a "b" ?v=1&c.png'
    path.write_bytes(b"1")
    before = file_url(path)
    assert before.count("?") == 1 and '"' not in before
    os.utime(path, ns=(1, 1))
    assert file_url(path) != before
