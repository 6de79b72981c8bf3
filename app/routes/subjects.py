"""/subjects: photos in, verdicts out."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, File, Form, UploadFile
from fastapi.responses import FileResponse
from pydantic import BaseModel

from app.routes.common import StudioNeeded, sent
from app.subjects import MAX_PHOTOS
from app.views import SubjectView, Upload

MAX_UPLOAD_BYTES = 2 * 2**30
"""Of all photos in one request; each has its own limit as well."""

router = APIRouter(prefix="/subjects", tags=["subjects"])

Photos = Annotated[list[UploadFile], File(description=f"At most {MAX_PHOTOS}")]


class SubjectChanges(BaseModel, extra="forbid"):
    """What is to change; the rest stays."""

    name: str | None = None
    class_token: str | None = None
    unique_token: str | None = None
    alpha_color: str | None = None


class HeldOut(BaseModel, extra="forbid"):
    held_out: bool
    """True: kept from training, for scores."""


class Caption(BaseModel, extra="forbid"):
    text: str
    """Empty: the subject's own sentence."""


@router.get("")
def list_subjects(studio: StudioNeeded) -> list[SubjectView]:
    return studio.subjects()


@router.post("", status_code=201, max_body_size=MAX_UPLOAD_BYTES)
def create_subject(
    studio: StudioNeeded,
    name: Annotated[str, Form()],
    class_token: Annotated[str, Form(description="What it is, in one plain word")],
    unique_token: Annotated[str | None, Form()] = None,
    alpha_color: Annotated[str, Form()] = "#ffffff",
    photos: Photos = [],  # noqa: B006 FastAPI copies it
) -> SubjectView:
    """A new subject, with photos if there are some. Each photo has its verdict in the answer; where
    none can be used, there is no subject."""
    return studio.create_subject(name, class_token, unique_token, _uploads(photos), alpha_color)


@router.get("/{slug}")
def get_subject(studio: StudioNeeded, slug: str) -> SubjectView:
    return studio.subject(slug)


@router.patch("/{slug}")
def edit_subject(studio: StudioNeeded, slug: str, changes: SubjectChanges) -> SubjectView:
    return studio.edit_subject(slug, **changes.model_dump())


@router.delete("/{slug}", status_code=204)
def delete_subject(studio: StudioNeeded, slug: str) -> None:
    studio.delete_subject(slug)


@router.post("/{slug}/photos", max_body_size=MAX_UPLOAD_BYTES)
def add_photos(studio: StudioNeeded, slug: str, photos: Photos) -> SubjectView:
    return studio.add_photos(slug, _uploads(photos))


@router.get("/{slug}/photos/{file}", response_class=FileResponse)
def get_photo(studio: StudioNeeded, slug: str, file: str) -> FileResponse:
    return sent(studio.photo_path(slug, file))


@router.delete("/{slug}/photos/{file}")
def remove_photo(studio: StudioNeeded, slug: str, file: str) -> SubjectView:
    return studio.remove_photo(slug, file)


@router.put("/{slug}/photos/{file}/held_out")
def hold_out(studio: StudioNeeded, slug: str, file: str, wanted: HeldOut) -> SubjectView:
    """Keep a photo from training, for scores; or train on it again. Runs that are there stay."""
    return studio.hold_out(slug, file, wanted.held_out)


@router.put("/{slug}/photos/{file}/caption")
def set_caption(studio: StudioNeeded, slug: str, file: str, caption: Caption) -> SubjectView:
    return studio.set_caption(slug, file, caption.text)


def _uploads(photos: list[UploadFile]) -> list[Upload]:
    return [Upload(photo.filename or "photo", photo.file) for photo in photos]
