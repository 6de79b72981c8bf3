"""How well it worked: the scorecard of a run and of its checkpoints, and the files to take away."""

from __future__ import annotations

from typing import Any

import gradio as gr

from app.jobs.records import JobKind
from app.requests import ScoreRequest
from app.studio import Studio
from app.tabs.choices import (
    FINISHED,
    arrived,
    kept,
    refreshed,
    run_choices,
    unfinished_choices,
)
from app.tabs.desk import QUIET, Desk, asking, panel, showing, two_columns, when
from app.tabs.exports import export_links
from app.tabs.markup import Markup, button, empty
from app.tabs.numbers import whole_number, whole_numbers
from app.tabs.scorecard import scorecard, unfinished
from app.tabs.watch import watch_job
from app.tabs.words import say
from trainer.errors import ConfigError

TO_BLIND_TEST = '() => setTimeout(() => document.getElementById("blind").scrollIntoView(), 300)'
"""Once the tab is in front; a comparison above it may be long."""


def build(desk: Desk, tab: gr.Tab) -> None:
    """Lay out and wire the tab."""
    with two_columns():
        with asking():
            run = gr.Dropdown([], label=say("scores.run"), info=say("scores.run_info"))
            seeds = gr.Textbox("0 1", label=say("draw.seeds"), info=say("scores.seeds_info"))
            prompts = gr.Textbox(label=say("scores.prompts"),
                                info=say("scores.prompts_info"), placeholder="25")  # fmt: skip
            checkpoints = gr.Checkbox(label=say("scores.checkpoints"),
                                      info=say("scores.checkpoints_info"))  # fmt: skip
            start = gr.Button(say("scores.start"), variant="primary", size="lg")
            problem = gr.HTML(padding=False)
            invite = gr.Button(say("blind.invite"), size="sm")
            files = panel()
            file_problem = gr.HTML(padding=False)
        with showing():
            done = watch_job(desk, JobKind.SCORE, lambda job: None, Markup(""))
            card = gr.HTML(empty(say("scores.none"), say("scores.none_next")), padding=False)
    studio = desk.studio

    def score(name: str | None, seed_text: str, most: str, each: bool) -> list[Any]:
        if not name:
            raise ConfigError(say("draw.no_run"))
        numbers = whole_numbers(say("draw.seeds"), seed_text)
        count = whole_number(say("scores.prompts"), most)
        return desk.show(studio.score(ScoreRequest(name, numbers, count, each)))

    def show(name: str | None) -> list[Any]:
        return shown_run(studio, name)

    def follow(job_id: str, current: str | None) -> list[Any]:
        """The run of the job that has just ended."""
        name = studio.job(job_id).run if job_id else current
        return [name, *show(name)]

    def fill(current: str | None, known: list[str] | None) -> list[Any]:
        """A run that was trained since the last look is the one to look at."""
        finished = run_choices(studio)
        choices = [*finished, *unfinished_choices(studio)]
        name = kept(choices, arrived(finished, known) or current)
        return [refreshed(choices, name), *show(name), [each for _, each in finished]]

    def remove(name: str | None) -> list[Any]:
        studio.delete_run(name or "")
        return fill(None, None)

    seen = gr.State(None)
    shown = [run, card, files]
    when(start.click, score, [run, seeds, prompts, checkpoints], desk.place, problem)
    when(files.click, remove, [run], [*shown, seen], file_problem)
    invited = invite.click(lambda: gr.Tabs(selected="compare"), None, desk.tabs, **QUIET)
    invited.then(None, None, None, js=TO_BLIND_TEST)
    run.input(show, run, [card, files], **QUIET)
    done.change(follow, [desk.watched[JobKind.SCORE], run], shown, **QUIET)
    desk.on_show(tab, fill, [run, seen], [*shown, seen])


def shown_run(studio: Studio, name: str | None) -> list[Any]:
    """A run's scores and files; of one that is not finished, only that it can be deleted."""
    if name and studio.run(name).state != FINISHED:
        confirm = say("export.delete_confirm", run=name)
        delete = button(say("export.delete"), "delete", kind="danger", confirm=confirm)
        return [unfinished(name), delete]
    return [scorecard(studio, name), export_links(name)]
