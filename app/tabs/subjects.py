"""Photos of a subject: the first screen. Drop photos, a name, one button; then look closely."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import gradio as gr

from app.dropped import taken_in
from app.requests import TrainRequest
from app.tabs.choices import base_choices, best_base, preset_for
from app.tabs.desk import QUIET, Desk, panel, when
from app.tabs.markup import el, join
from app.tabs.photo_cards import shown_subject
from app.tabs.subject_editing import build_editing, build_photo
from app.tabs.words import say
from app.views import SubjectView, Upload
from trainer.errors import PhotoError

TYPES = ["image", ".heic", ".heif", ".avif", ".tif", ".tiff", ".webp"]


def build(desk: Desk, tab: gr.Tab) -> None:
    """Lay out and wire the tab: what is new above, what is there below."""
    with gr.Row(elem_classes="hero"):
        photos = gr.File(label=say("subjects.photos"), file_count="multiple", file_types=TYPES,
                         height=320, scale=6, elem_id="drop")  # fmt: skip
        with gr.Column(scale=5, min_width=300):
            gr.HTML(join([el("h2", say("subjects.title")), el("p", say("subjects.lead"))]))
            form = [photos, *_name_and_class()]
            base = gr.Dropdown([], label=say("train.base"), info=say("train.base_info"))
            train = gr.Button(say("subjects.train"), variant="primary", size="lg")
            keep = gr.Button(say("subjects.keep"), size="sm")
            problem = gr.HTML(padding=False)
    with gr.Row(equal_height=False, elem_classes="chooser"):
        subject = gr.Dropdown([], label=say("subjects.yours"), scale=4)
        more = gr.UploadButton(
            say("subjects.add"), file_count="multiple", file_types=TYPES, scale=1
        )
    more_problem = gr.HTML(padding=False)
    above = gr.Column()
    cards = panel(elem_classes="cards")
    with above:
        build_photo(desk, subject, cards)
    build_editing(desk, subject, cards)

    _wire_new(desk, form, base, (train, keep), [subject, cards], problem)
    _wire_more(desk, more, [subject, cards], more_problem)
    desk.on_show(tab, lambda slug: shown_subject(desk.studio, slug), subject, [subject, cards])
    subject.input(lambda slug: shown_subject(desk.studio, slug), subject, [subject, cards], **QUIET)
    desk.page.load(
        lambda: gr.Dropdown(base_choices(desk.studio), value=best_base(desk.studio)),
        None, base, **QUIET,
    )  # fmt: skip


def _name_and_class() -> list[gr.Textbox]:
    with gr.Row():
        return [
            gr.Textbox(
                label=say(f"subjects.{part}"),
                placeholder=say(f"subjects.{part}_hint"),
                info=say(f"subjects.{part}_info"),
                min_width=140,
            )
            for part in ("name", "class")
        ]


def _wire_new(
    desk: Desk,
    form: list[Any],
    base: gr.Dropdown,
    buttons: tuple[gr.Button, gr.Button],
    shown: list[Any],
    problem: gr.HTML,
) -> None:
    """A new subject: trained at once, or only kept."""
    cleared = [None, "", ""]

    def create(files: list[str] | None, name: str, kind: str) -> SubjectView:
        if not files:
            raise PhotoError(say("subjects.no_photos"))
        with ExitStack() as stack:
            return desk.studio.create_subject(name, kind, uploads=_uploads(files, stack))

    def keep(files: list[str] | None, name: str, kind: str) -> list[Any]:
        made = create(files, name, kind)
        return [*shown_subject(desk.studio, made.slug, made.refused), *cleared]

    def train(files: list[str] | None, name: str, kind: str, on: str) -> list[Any]:
        made = create(files, name, kind)
        job = desk.studio.train(TrainRequest(made.slug, preset_for(on), on))
        if made.refused:  # its tab, which tells of each, is left for the job's
            gr.Warning(say("subjects.stayed_out", n=len(made.refused)))
        return [*shown_subject(desk.studio, made.slug, made.refused), *cleared, *desk.show(job)]

    when(buttons[0].click, train, [*form, base], [*shown, *form, *desk.place], problem)
    when(buttons[1].click, keep, form, [*shown, *form], problem)


def _wire_more(desk: Desk, more: gr.UploadButton, shown: list[Any], problem: gr.HTML) -> None:
    """More photos for a subject that is there."""

    def add(slug: str | None, files: list[str]) -> list[Any]:
        if not slug:
            raise PhotoError(say("subjects.choose_first"))
        with ExitStack() as stack:
            view = desk.studio.add_photos(slug, _uploads(files, stack))
        return shown_subject(desk.studio, slug, view.refused)

    when(more.upload, add, [shown[0], more], shown, problem)


def _uploads(files: Sequence[str], stack: ExitStack) -> list[Upload]:
    """The files that Gradio took in, open as long as the stack is; then they are gone."""
    return stack.enter_context(taken_in(files))
