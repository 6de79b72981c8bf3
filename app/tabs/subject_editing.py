"""Changing what is there: a photo's caption, a subject's words, and deletion."""

from __future__ import annotations

from typing import Any

import gradio as gr

from app.tabs.desk import Desk, panel, said, when
from app.tabs.markup import button, note
from app.tabs.photo_cards import CLOSELY, cards_of, photo_closely, shown_subject
from app.tabs.words import say
from app.views import PhotoView, SubjectView
from trainer.errors import ConfigError, PhotoError


def build_photo(desk: Desk, subject: gr.Dropdown, cards: gr.HTML) -> None:
    """A photo looked at closely, beside its caption."""
    studio = desk.studio
    with gr.Row(visible=False, elem_id=CLOSELY) as row:
        large = gr.HTML(padding=False)
        with gr.Column(min_width=280):
            file = gr.Textbox(visible=False)
            caption = gr.Textbox(
                label=say("photo.caption"), info=say("photo.caption_info"), lines=3
            )
            with gr.Row():
                save = gr.Button(say("photo.save"), variant="primary")
                remove = gr.Button(say("photo.remove"), variant="stop")
                close = gr.Button(say("photo.close"))
    problem = gr.HTML(padding=False)

    def press(slug: str | None, event: gr.EventData) -> list[Any]:
        """A card's buttons: look closely, hold the photo out, train on it again."""
        asked = said(event)
        view, name = studio.subject(slug or ""), asked.get("file", "")
        if asked.get("do") in ("hold_out", "train_on"):
            studio.hold_out(view.slug, name, asked["do"] == "hold_out")
            return [gr.skip(), gr.skip(), gr.skip(), gr.skip(), cards_of(studio, view.slug)]
        photo = _photo(view, name)
        return [gr.Row(visible=True), photo_closely(studio, view, photo), photo.file,
                photo.caption, gr.skip()]  # fmt: skip

    def describe(slug: str, name: str, text: str) -> list[Any]:
        view = studio.set_caption(slug, name, text)
        return [photo_closely(studio, view, _photo(view, name)), cards_of(studio, slug)]

    def take_away(slug: str, name: str) -> list[Any]:
        studio.remove_photo(slug, name)
        return [gr.Row(visible=False), cards_of(studio, slug)]

    when(cards.click, press, [subject], [row, large, file, caption, cards], problem)
    when(save.click, describe, [subject, file, caption], [large, cards], problem)
    when(remove.click, take_away, [subject, file], [row, cards], problem)
    gr.on([close.click, subject.change], lambda: gr.Row(visible=False), None, row,
          api_visibility="private")  # fmt: skip


def _photo(view: SubjectView, file: str) -> PhotoView:
    for photo in (*view.photos, *view.held_out):
        if photo.file == file:
            return photo
    raise PhotoError(say("photo.gone", name=file[:100]))


def build_editing(desk: Desk, subject: gr.Dropdown, cards: gr.HTML) -> None:
    """The subject's own words, and deletion of it or of everything."""
    studio = desk.studio
    with gr.Accordion(say("edit.title"), open=False) as edit:
        with gr.Row():
            name = gr.Textbox(label=say("subjects.name"), min_width=160)
            kind = gr.Textbox(label=say("subjects.class"), min_width=160)
            token = gr.Textbox(label=say("edit.token"), info=say("edit.token_info"), min_width=160)
            alpha = gr.ColorPicker(
                label=say("edit.alpha"), info=say("edit.alpha_info"), min_width=160
            )
        with gr.Row():
            save = gr.Button(say("edit.save"), variant="primary")
            delete = panel(button(say("edit.delete"), "delete", kind="danger",
                                  confirm=say("edit.delete_confirm")))  # fmt: skip
        problem = gr.HTML(padding=False)
    form = [name, kind, token, alpha]

    def fill(slug: str | None) -> list[Any]:
        if not slug:
            return ["", "", "", "#ffffff"]
        view = studio.subject(slug)
        return [view.name, view.class_token, view.unique_token, view.alpha_color]

    def change(slug: str | None, *words: str) -> list[Any]:
        named, what, word, color = words
        view = studio.edit_subject(slug or "", name=named, class_token=what, unique_token=word,
                                   alpha_color=color)  # fmt: skip
        return shown_subject(studio, view.slug)

    def remove(slug: str | None) -> list[Any]:
        studio.delete_subject(slug or "")
        return shown_subject(studio, None)

    when(edit.expand, fill, [subject], form, problem)
    when(subject.change, fill, [subject], form, problem)
    when(save.click, change, [subject, *form], [subject, cards], problem)
    when(delete.click, remove, [subject], [subject, cards], problem)
    _build_delete_all(desk, subject, cards)


def _build_delete_all(desk: Desk, subject: gr.Dropdown, cards: gr.HTML) -> None:
    """Everything goes, but only for a person who has typed that they mean it."""
    with gr.Accordion(say("edit.all_title"), open=False):
        gr.HTML(note(say("edit.all_lead"), "warning"), padding=False)
        typed = gr.Textbox(label=say("edit.all_type", words=say("edit.all_words")))
        delete = gr.Button(say("edit.all_delete"), variant="stop")
        problem = gr.HTML(padding=False)

    def delete_all(words: str) -> list[Any]:
        if words.strip().lower() != say("edit.all_words"):
            raise ConfigError(say("edit.all_refused", words=say("edit.all_words")))
        desk.studio.delete_everything()
        return [*shown_subject(desk.studio, None), ""]

    when(delete.click, delete_all, [typed], [subject, cards, typed], problem)
