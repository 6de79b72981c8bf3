"""From what subject.json says to what people see: captions filled in, faults, buckets. No torch."""

from __future__ import annotations

from typing import Any

from app import captions, photos
from app.views import PhotoView, Refusal, SubjectView
from trainer.data.subject import fill

SENTENCE = "a {unique_token} {class_token}"
"""The caption of a photo that has none of its own."""


def subject_view(slug: str, facts: dict[str, Any]) -> SubjectView:
    """A subject as the page and REST show it."""
    unique_token, class_token = facts["unique_token"], facts["class_token"]
    return SubjectView(
        slug=slug,
        name=facts["name"],
        class_token=class_token,
        unique_token=unique_token,
        alpha_color=facts["alpha_color"],
        photos=[_photo_view(row, unique_token, class_token) for row in facts["photos"]],
        held_out=[_photo_view(row, unique_token, class_token) for row in facts["held_out"]],
        refused=[Refusal(**row) for row in facts["refused"]],
        warnings=captions.token_warnings(unique_token, class_token),
        ready=bool(facts["photos"]),
    )


def _photo_view(row: dict[str, Any], unique_token: str, class_token: str) -> PhotoView:
    caption = row.get("caption", "")
    shown = fill(caption or SENTENCE, unique_token, class_token)
    reasons = [*row["notes"], *row["reasons"]]
    size = (row["size"][0], row["size"][1])
    bucket, crop = photos.bucket_and_crop(size)
    return PhotoView(
        file=row["file"],
        source=row["source"],
        verdict="warned" if reasons else "accepted",
        reasons=reasons,
        caption=caption,
        shown_caption=shown,
        lint=captions.lint(shown, unique_token, class_token),
        size=size,
        bucket=bucket,
        crop=crop,
    )
