"""Handlers and addresses: a mistake changes only the message beside it; a link finds its job."""

from __future__ import annotations

import asyncio
from typing import Any, NoReturn

import gradio as gr
import pytest

from app.jobs.records import JobKind
from app.studio import Studio
from app.tabs.desk import Desk, attempt, in_words, or_why, said
from app.tabs.jobs import perform
from app.ui import attached
from trainer.errors import ArtifactError, ConfigError


@pytest.fixture
def desk(studio: Studio) -> Desk:
    async def build() -> Desk:
        with gr.Blocks() as page:
            watched = {kind: gr.Textbox() for kind in JobKind}
            return Desk(studio, page, gr.Tabs(), gr.Textbox(), watched)

    return asyncio.run(build())


def pressed(**data: Any) -> gr.EventData:
    return gr.EventData(None, data)


def refuse() -> NoReturn:
    raise ConfigError("rank is 0; give <1> or more.")


def test_a_mistake_leaves_all_else_as_it_was_and_says_why() -> None:
    first, second, problem = attempt(refuse, outputs=2)()
    assert first == second == gr.skip()
    assert "rank is 0; give &lt;1&gt; or more." in problem


def test_success_takes_the_old_message_away() -> None:
    assert attempt(lambda: ["a", "b"], outputs=2)() == ["a", "b", ""]
    assert attempt(lambda: "a", outputs=1)() == ["a", ""]


@pytest.mark.parametrize("sent", [None, [], "cancel", 3])
def test_whatever_a_client_sends_as_a_click_is_taken_as_no_button(sent: Any) -> None:
    assert said(gr.EventData(None, sent)) == {}


def test_a_button_that_leads_on_changes_the_tab_and_nothing_else(desk: Desk) -> None:
    tabs, *others = perform(desk, pressed(do="judge"))
    assert isinstance(tabs, gr.Tabs) and tabs.selected == "scores"
    assert others == desk.stay()[1:]


def test_a_deed_nobody_offers_does_nothing(desk: Desk) -> None:
    job = desk.studio.queue.submit(JobKind.TRAIN, "duck", {"subject": "duck"})
    assert perform(desk, pressed(do="__class__", job=job.id)) == desk.stay()
    assert desk.studio.job(job.id) == job


@pytest.mark.parametrize("name", ["../../etc/passwd", "", "nosuchjob"])
def test_a_deed_on_a_job_that_is_none_is_refused(desk: Desk, name: str) -> None:
    with pytest.raises((ArtifactError, ConfigError)):
        perform(desk, pressed(do="delete", job=name))


def test_a_link_opens_its_job_in_the_tab_of_its_kind(desk: Desk) -> None:
    queue = desk.studio.queue
    asked = queue.submit(JobKind.SCORE, "scores", {"run": "duck-lora-1"})
    newer = queue.submit(JobKind.SCORE, "scores", {"run": "duck-lora-1"})
    tabs, address, *shown = attached(desk, asked.id, "")
    assert (tabs.selected, address) == ("scores", asked.id)
    assert asked.id in shown and newer.id not in shown


def test_without_a_link_each_tab_shows_what_is_latest_and_the_first_screen_is_open(
    desk: Desk,
) -> None:
    job = desk.studio.queue.submit(JobKind.TRAIN, "duck", {"subject": "duck"})
    tabs, address, *shown = attached(desk, "<script>", "nowhere")
    assert (tabs.selected, address) == ("subjects", "")
    assert [name for name in shown if name] == [job.id]


def test_a_reader_without_a_place_for_words_says_them_over_the_page() -> None:
    with pytest.raises(gr.Error, match="rank is 0; give &lt;1&gt; or more."):
        in_words(refuse)()


def test_a_fault_nobody_foresaw_is_told_in_words_as_well() -> None:
    with pytest.raises(gr.Error, match="nobody foresaw"):
        in_words(lambda: 1 / 0)()


def test_a_page_that_is_polled_says_why_it_cannot_be_made() -> None:
    assert "rank is 0" in or_why(refuse)
