"""How well a run on texts answers: scores with n and interval, its answers, its files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import gradio as gr

from app.jobs.records import JobKind
from app.studio import Studio
from app.tabs.choices import Choices, kept, refreshed
from app.tabs.desk import QUIET, Desk, asking, panel, said, showing, two_columns, when
from app.tabs.exports import export_links
from app.tabs.language_form import set_label
from app.tabs.markup import Markup, button, el, empty, join, table
from app.tabs.numbers import whole_number
from app.tabs.scorecard import number
from app.tabs.watch import watch_job
from app.tabs.words import say
from app.text_requests import TextScoreRequest
from app.text_scores import OWN, TEST, TextScores
from trainer.data.glue import TASKS
from trainer.errors import ConfigError, UserError

SHOWN = 12
"""Answers on the page."""
LONGEST = 240
"""Characters of a text in a table."""


def build_scores(desk: Desk, tab: gr.Tab, trained: gr.Textbox) -> None:
    """A part of the tab; `trained` changes when a training has ended."""
    studio = desk.studio
    gr.HTML(el("h2", say("language.scores")), padding=False, elem_classes="part")
    with two_columns():
        with asking():
            run = gr.Dropdown([], label=say("scores.run"), info=say("language.run_info"),
                              elem_id="text-run")  # fmt: skip
            data = gr.Dropdown([], label=say("language.by_data"), info=say("language.by_data_info"))
            by = gr.Radio(
                [(say(f"language.by_{way}"), way) for way in ("likelihood", "generation")],
                value="likelihood", label=say("language.by"), info=say("language.by_info"),
            )  # fmt: skip
            items = gr.Textbox(label=say("language.items"), info=say("language.items_info"))
            start = gr.Button(say("language.score"), variant="primary", size="lg")
            problem = gr.HTML(padding=False)
            files = panel()
            file_problem = gr.HTML(padding=False)
        with showing():
            done = watch_job(desk, JobKind.TEXT_SCORE, lambda job: None, Markup(""))
            card = gr.HTML(padding=False)

    def score(name: str | None, chosen: str | None, way: Any, most: str) -> list[Any]:
        if not name:
            raise ConfigError(say("language.no_run"))
        count = whole_number(say("language.items"), most)
        request = TextScoreRequest(name, chosen or None, way, count)
        return desk.show(studio.texts.score(request))

    def show(name: str | None) -> list[Any]:
        return [_data_of(studio, name), score_page(studio, name), file_links(studio, name)]

    def fill(current: str | None) -> list[Any]:
        choices = run_choices(studio)
        return [refreshed(choices, current), *show(kept(choices, current))]

    def follow(job_id: str, current: str | None) -> list[Any]:
        """The run of the job that has just ended."""
        return fill(studio.job(job_id).run if job_id else current)

    def press(name: str | None, event: gr.EventData) -> list[Any]:
        if said(event).get("do") == "submit":
            asked = TextScoreRequest(name or "", test=True)
            return [*desk.show(studio.texts.score(asked)), *(gr.skip() for _ in shown)]
        studio.delete_run(name or "")
        return [*desk.stay(), *fill(None)]

    shown = [run, data, card, files]
    when(start.click, score, [run, data, by, items], desk.place, problem)
    when(files.click, press, [run], [*desk.place, *shown], file_problem)
    run.input(show, run, shown[1:], **QUIET)
    for ended, kind in ((done, JobKind.TEXT_SCORE), (trained, JobKind.TEXT_TRAIN)):
        ended.change(follow, [desk.watched[kind], run], shown, **QUIET)
    desk.on_show(tab, fill, run, shown)


def run_choices(studio: Studio) -> Choices:
    """Finished runs on texts, the newest first."""
    finished = [run for run in studio.texts.runs() if run.state == "succeeded"]
    newest = sorted(finished, key=lambda run: -(run.finished_at or 0))
    return [(say("language.run", name=run.name, steps=run.steps), run.name) for run in newest]


def _data_of(studio: Studio, run: str | None) -> Any:
    """What a run may be scored by, its own texts first."""
    if not run:
        return gr.Dropdown([], value=None)
    try:
        sets = studio.texts.scorable(run)
    except UserError:
        sets = []
    own = (say("language.own_data"), "")
    return gr.Dropdown([own, *((set_label(view), view.id) for view in sets)], value="")


def score_page(studio: Studio, run: str | None) -> Markup:
    """Every scoring of a run, with the first of its answers."""
    if not run:
        return empty(say("scores.none"), say("language.none_next"))
    scored = score_table(studio, run) or empty(say("scores.empty"), say("language.score_next"))
    answers = (_answers(studio, run, scores.id) for scores in studio.texts.scores(run))
    return join([scored, *answers])


def score_table(studio: Studio, run: str) -> Markup | None:
    """A row a set and measure; None while there is none."""
    rows = [row for scores in studio.texts.scores(run) for row in _rows(scores)]
    if not rows:
        return None
    names = ("by_data", "measure", "n", "adapter", "base_alone")
    words = el("p", say("language.legend"), class_="aside")
    head = [say(f"language.{name}") for name in names]
    return join([table(head, rows, caption=say("language.table", run=run)), words])


def _rows(scores: TextScores) -> Iterator[list[object]]:
    """Of GLUE a row a metric; of instructions a row a set and way to read the answer, and one for
    what needs no reading."""
    values = scores.values
    for name, score in values.get("scores", {}).items():
        yield [_title(scores.id), say(f"metric.{name}"), score["n"], number(score), number(None)]
    for name, found in values.get("sets", {}).items():
        for measure, base in (("accuracy", "base"), ("accuracy_per_byte", "base_per_byte")):
            if measure in found:
                told = say(f"metric.{measure}_by", by=say(f"language.by_{values['by']}"))
                yield [name, told, found["n"], number(found[measure]), number(found[base])]
        if "one_answer" in found:
            alike = {"value": found["one_answer"], "low": None, "high": None}
            yield [name, say("metric.one_answer"), found["n"], number(alike), number(None)]


def _title(scoring: str) -> str:
    known = {OWN: say("language.own_data"), TEST: say("language.test_data")}
    return known.get(scoring, scoring)


def _answers(studio: Studio, run: str, scoring: str) -> Markup:
    rows = studio.texts.predictions(run, scoring, SHOWN)
    head = [say(f"language.{name}") for name in ("text", "right", "answered")]
    link = el("a", say("language.all_answers"), class_="act", download=True,
              href=f"api/text-runs/{run}/scores/{quote(scoring)}/predictions.jsonl")  # fmt: skip
    return el(
        "details", el("summary", say("language.answers", data=_title(scoring))),
        table(head, map(_answer, rows)), el("div", link, class_="acts"),
    )  # fmt: skip


def _answer(row: dict[str, Any]) -> list[object]:
    text = " · ".join(row["texts"]) if "texts" in row else row["instruction"]
    right, told = row.get("label", row.get("answer")), row["prediction"]
    mark = "✓ " if right == told else ""
    shown = say("language.secret") if right is None else right
    written = row.get("response")
    answered = el("span", f"{mark}{told}", el("small", _short(written)) if written else None)
    return [el("span", _short(text)), shown, answered]


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def file_links(studio: Studio, run: str | None) -> Markup:
    """What PEFT or transformers loads where there is such, the run as a zip, a task of GLUE's file
    for its server, and the run's deletion."""
    if not run:
        return Markup("")
    view = studio.texts.run(run)
    of_server = _submission(studio, run) if view.task in TASKS else ()
    if view.library:
        return export_links(run, (view.library, "bundle"), *of_server)
    native = el("p", say("export.native"), class_="aside")
    return join([export_links(run, ("bundle",), *of_server), native])


def _submission(studio: Studio, run: str) -> Iterator[Markup]:
    """The files that are there; and the button that makes one, or why there is none to make."""
    made = studio.texts.submissions(run)
    for name in made:
        yield el("a", say("language.submission"), el("small", name), class_="act", download=True,
                 href=f"api/text-runs/{run}/submissions/{quote(name)}")  # fmt: skip
    if TEST in [scores.id for scores in studio.texts.scores(run)]:
        return
    try:
        words = studio.texts.no_test_set(run)
    except UserError as error:  # such as for texts that were deleted
        words = str(error)
    if not words:
        label = join([say("language.submit"), el("small", say("language.submit_info"))])
        yield button(label, "submit")
    elif not made:
        yield el("p", words, class_="aside")
