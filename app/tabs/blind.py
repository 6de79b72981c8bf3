"""The blind test: two pictures of one prompt and seed, which is better? Names come later."""

from __future__ import annotations

from typing import Any, cast, get_args

import gradio as gr

from app.blind_pairs import Choice, Standing
from app.blind_test import Shown, Tally
from app.studio import Studio
from app.tabs.choices import refreshed, run_choices
from app.tabs.desk import QUIET, Desk, panel, said, to_address, when
from app.tabs.drawn import download
from app.tabs.markup import Markup, button, el, empty, join, picture, table
from app.tabs.numbers import whole_number
from app.tabs.words import say


def build_blind(desk: Desk, tab: gr.Tab) -> None:
    """A part of the Compare tab. The test's id is in the address, so a reload goes on."""
    studio = desk.studio
    with gr.Accordion(say("blind.title"), elem_id="blind"):
        gr.Markdown(say("blind.lead"))
        with gr.Row(equal_height=False):
            runs = gr.Dropdown([], label=say("blind.runs"), multiselect=True, scale=4)
            pairs = gr.Slider(5, 100, 25, step=5, label=say("blind.pairs"), scale=2, min_width=180)
        start = gr.Button(say("blind.start"), variant="primary")
        problem = gr.HTML(padding=False)
        test = gr.Dropdown([], label=say("blind.earlier"), info=say("blind.earlier_info"),
                           visible=False)  # fmt: skip
        shown = panel(empty(say("blind.empty"), say("blind.empty_next")))

    def begin(names: list[str] | None, count: float) -> list[Any]:
        made = studio.start_blind_test(tuple(names or ()), int(count))
        return [_tests(studio, made.id), blind_page(studio, made.id)]

    def press(test_id: str | None, event: gr.EventData) -> Markup:
        asked = said(event)
        if asked.get("do") == "tally":
            return tally_page(studio, test_id or "")
        if asked.get("do") == "vote":
            number = whole_number(say("blind.pairs"), asked.get("file", ""))
            studio.vote(test_id or "", number or 0, cast(Choice, asked.get("choice", "")))
        return blind_page(studio, test_id)

    def fill(current: str | None, names: list[str] | None, request: gr.Request) -> list[Any]:
        """What the address names, unless a person has chosen since."""
        chosen = current or dict(request.query_params).get("blind", "")
        found = chosen if chosen in [test.id for test in studio.blind_tests()] else None
        runs = refreshed(run_choices(studio), names or [])
        return [_tests(studio, found), blind_page(studio, found), runs]

    when(start.click, begin, [runs, pairs], [test, shown], problem)
    when(shown.click, press, [test], [shown], problem)
    test.input(lambda test_id: blind_page(studio, test_id), test, shown, **QUIET)
    test.change(None, test, None, js=to_address("blind"))
    desk.on_show(tab, fill, [test, runs], [test, shown, runs])


def _tests(studio: Studio, chosen: str | None) -> gr.Dropdown:
    """Tests that were started, the newest first; hidden while there are none."""
    choices = [
        (say("blind.label", runs=", ".join(test.runs), n=len(test.pairs)), test.id)
        for test in studio.blind_tests()
    ]
    return gr.Dropdown(choices=choices, value=chosen, visible=bool(choices))


def blind_page(studio: Studio, test_id: str | None) -> Markup:
    """The next pair; after the last one, the tally."""
    if not test_id:
        return empty(say("blind.empty"), say("blind.empty_next"))
    pair = studio.blind_pair(test_id)
    return tally_page(studio, test_id) if pair is None else _pair(pair)


def _pair(pair: Shown) -> Markup:
    words = say("blind.prompt", number=pair.number + 1, total=pair.of, prompt=pair.prompt)
    sides = [picture(path, say(f"blind.{side}_alt"))
             for side, path in (("left", pair.left), ("right", pair.right))]  # fmt: skip
    subject = el("div", picture(pair.photo, say("blind.photo")), el("span", say("blind.photo")),
                 class_="photo-beside")  # fmt: skip
    choices = [button(say(f"blind.{choice}"), "vote", file=pair.number, choice=choice)
               for choice in get_args(Choice)]  # fmt: skip
    tools = [*choices, button(say("blind.tally"), "tally", kind="quiet")]
    return el("section", el("h4", words), subject, el("div", *sides, class_="pair"),
              el("div", *tools, class_="acts"))  # fmt: skip


def tally_page(studio: Studio, test_id: str) -> Markup:
    """How it stands, with names, and the votes as a file."""
    tally: Tally = studio.tally(test_id)
    head = [say(f"blind.{name}") for name in ("against", "wins", "losses", "ties", "share")]
    rows = [_standing(standing) for standing in tally.standings]
    link = download(studio.export_votes(test_id), say("blind.export"))
    voted = el("p", say("blind.voted", n=tally.voted, total=tally.of), class_="aside")
    more = button(say("blind.go_on"), "go_on") if tally.voted < tally.of else None
    tools = el("div", more, link, class_="acts")
    return join([voted, table(head, rows, caption=say("blind.tally")), tools])


def _standing(standing: Standing) -> list[object]:
    share: object = "–"
    if standing.share is not None and standing.low is not None and standing.high is not None:
        span = el("small", f"{100 * standing.low:.0f} … {100 * standing.high:.0f}")
        share = el("span", f"{100 * standing.share:.0f} %", span, class_="number")
    names = say("blind.pairing", first=standing.first, second=standing.second)
    return [names, standing.first_wins, standing.second_wins, standing.ties, share]
