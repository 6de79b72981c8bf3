"""Texts of one's own: sent up, listed with what is in them, deleted."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import gradio as gr

from app.studio import Studio
from app.tabs.choices import Choices, refreshed
from app.tabs.desk import Desk, panel, said, when
from app.tabs.language_form import TextForm, task_label
from app.tabs.markup import Markup, button, el, empty
from app.tabs.words import say
from app.text_sets import INSTRUCTIONS
from app.text_views import TextSetView
from app.views import Upload
from trainer.data.glue import TASKS

TYPES = [".tsv", ".json", ".jsonl", ".txt"]


def build_sets(desk: Desk, tab: gr.Tab, form: TextForm) -> None:
    """A part of the form, whose texts to choose from follow what is kept and deleted here."""
    studio = desk.studio
    with gr.Accordion(say("language.own"), open=False, elem_id="own-texts"):
        gr.HTML(el("p", say("language.own_lead"), class_="aside"), padding=False)
        name = gr.Textbox(label=say("language.name"), placeholder=say("language.name_hint"))
        task = gr.Dropdown(task_choices(), value="sst2", label=say("language.task"),
                           info=say("language.task_info"))  # fmt: skip
        with gr.Row():
            train, test = (
                gr.File(label=say(f"language.{part}_file"), file_types=TYPES, height=130,
                        elem_id=f"{part}-file", min_width=140)
                for part in ("train", "test")
            )  # fmt: skip
        keep = gr.Button(say("language.keep"))
        problem = gr.HTML(padding=False)
        shown = panel(elem_classes="sets")
        listed_problem = gr.HTML(padding=False)

    def create(called: str, kind: str, *files: str | None) -> list[Any]:
        with ExitStack() as stack:
            uploads = [_upload(file, stack) for file in files]
            view = studio.texts.create_set(called, kind, *uploads)
        offered = refreshed(form.data_choices(), view.id)
        return [offered, own_sets(studio), "", None, None]

    def press(chosen: str | None, event: gr.EventData) -> list[Any]:
        studio.texts.delete_set(said(event).get("set", ""))
        return [refreshed(form.data_choices(), chosen), own_sets(studio)]

    lists = [form.data, shown]
    when(keep.click, create, [name, task, train, test], [*lists, name, train, test], problem)
    when(shown.click, press, [form.data], lists, listed_problem)
    desk.on_show(tab, lambda: own_sets(studio), None, shown)


def own_sets(studio: Studio) -> Markup:
    """The uploaded sets, the newest first."""
    own = [view for view in studio.texts.sets() if view.source == "uploaded"]
    if not own:
        return empty(say("language.no_own"), say("language.no_own_next"))
    return el("ul", *map(_line, own), class_="jobs")


def _line(view: TextSetView) -> Markup:
    task = say("language.instructions") if view.task is None else task_label(view.task)
    rows = say("language.rows_of", task=task, train=f"{view.train:,}", test=f"{view.test:,}")
    delete = button(say("language.delete"), "delete", set=view.id, kind="danger quiet",
                    confirm=say("language.delete_confirm", name=view.name))  # fmt: skip
    return el("li", el("strong", view.name), el("p", rows, class_="where"), delete)


def task_choices() -> Choices:
    """Instructions, then the tasks of GLUE."""
    tasks = [(task_label(name), name) for name in TASKS if name != "demo"]
    return [(say("language.instructions"), INSTRUCTIONS), *tasks]


def _upload(file: str | None, stack: ExitStack) -> Upload | None:
    """A file that Gradio took in, open as long as the stack is."""
    if not file:
        return None
    path = Path(file)
    return Upload(path.name, stack.enter_context(path.open("rb")))
