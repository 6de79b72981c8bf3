"""How a subject's photos look: each with its verdict, its caption, and what training will crop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.studio import Studio
from app.tabs.choices import kept, refreshed, subject_choices
from app.tabs.markup import Markup, button, el, empty, file_url, join, note
from app.tabs.words import say
from app.views import PhotoView, Refusal, SubjectView

CLOSELY = "closely"
"""Where a photo is looked at: its name on the page."""


def shown_subject(studio: Studio, slug: str | None, refused: Sequence[Refusal] = ()) -> list[Any]:
    """The list of subjects with one of them chosen, and that one's photos."""
    choices = subject_choices(studio)
    return [refreshed(choices, slug), cards_of(studio, kept(choices, slug), refused)]


def cards_of(studio: Studio, slug: str | None, refused: Sequence[Refusal] = ()) -> Markup:
    """All photos of a subject; what to do where there is none."""
    if not slug:
        return empty(say("subjects.none"), say("subjects.none_next"))
    view = studio.subject(slug)
    shared = _shared_reasons(view)
    shown = [_card(studio, view, photo, shared) for photo in view.photos]
    held_out = [_card(studio, view, photo, shared) for photo in view.held_out]
    stayed_out = [_refusal(refusal) for refusal in refused or view.refused]
    shared_words = [say("photo.all", reason=reason) for reason in shared]
    warnings = [note(warning, "warning") for warning in (*view.warnings, *shared_words)]
    return join([
        _summary(view), *warnings, *stayed_out, el("ul", *shown, class_="photos"), _apart(held_out),
    ])  # fmt: skip


def _apart(held_out: Sequence[Markup]) -> Markup | None:
    """Photos kept from training, under a heading that says what for."""
    if not held_out:
        return None
    return el("section", el("h4", say("photo.held_out")),
              el("p", say("photo.held_out_info"), class_="aside"),
              el("ul", *held_out, class_="photos"))  # fmt: skip


def _shared_reasons(view: SubjectView) -> list[str]:
    """What is to be said of every photo: once is enough."""
    photos = [*view.photos, *view.held_out]
    if len(photos) < 2:
        return []
    first, *others = photos
    return [reason for reason in first.reasons if all(reason in other.reasons for other in others)]


def _summary(view: SubjectView) -> Markup:
    sentence = say(
        "photo.summary", n=len(view.photos), token=view.unique_token, kind=view.class_token
    )
    return el("p", sentence, class_="aside")


def _refusal(refusal: Refusal) -> Markup:
    return note(say("photo.refused", name=refusal.source, reason=refusal.reason), "problem")


def _card(studio: Studio, view: SubjectView, photo: PhotoView, shared: Sequence[str]) -> Markup:
    """The picture is a button that opens the photo with its caption."""
    image = _cropped(studio, view, photo)
    label = say("photo.open", name=photo.source)
    opener = el("button", image, type="button", data_do="pick", data_file=photo.file,
                data_opens=CLOSELY, aria_label=label, class_="opener")  # fmt: skip
    words = [
        el("span", say(f"verdict.{photo.verdict}"), class_=f"badge {photo.verdict}"),
        el("span", photo.source, class_="source"),
        *(note(reason, "warning") for reason in photo.reasons if reason not in shared),
        *(_caption(photo) if photo in view.photos else []),
        _holding(view, photo),
    ]
    return el("li", opener, *words, class_="photo")


def _holding(view: SubjectView, photo: PhotoView) -> Markup | None:
    """To hold a photo out, or train on it again; the last one to train on must stay."""
    if view.photos == [photo]:
        return None
    do = "hold_out" if photo in view.photos else "train_on"
    return button(say(f"photo.{do}"), do, file=photo.file, kind="quiet")


def _caption(photo: PhotoView) -> list[Markup]:
    """What training reads, and what is wrong with it."""
    faults = (note(fault, "warning") for fault in photo.lint)
    return [el("q", photo.shown_caption, class_="caption"), *faults]


def photo_closely(studio: Studio, view: SubjectView, photo: PhotoView) -> Markup:
    """One photo, large: what is cut off is dimmed; its size and bucket below."""
    width, height = photo.size
    size = say(
        "photo.size", width=width, height=height, across=photo.bucket[0], down=photo.bucket[1]
    )
    faults = [note(fault, "warning") for fault in photo.lint]
    return el("figure", _cropped(studio, view, photo), el("figcaption", size), *faults,
              class_="closely")  # fmt: skip


def _cropped(studio: Studio, view: SubjectView, photo: PhotoView) -> Markup:
    """The picture with a frame around what training keeps."""
    left, top, right, bottom = (100 * share for share in photo.crop)
    whole = photo.crop == (0.0, 0.0, 1.0, 1.0)
    frame = f"left:{left:.1f}%;top:{top:.1f}%;width:{right - left:.1f}%;height:{bottom - top:.1f}%"
    image = el("img", src=file_url(studio.photo_path(view.slug, photo.file)), loading="lazy",
               alt=photo.shown_caption or photo.source)  # fmt: skip
    kept_part = None if whole else el("span", style=frame, class_="crop")
    return el("span", image, kept_part, class_="cropped")
