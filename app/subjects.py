"""Subjects as users see them: made, shown, edited and deleted. No torch.

subjects/<slug>/subject.json   tokens, and a row a photo: what `trainer.data.subject` trains on,
                               with what people want to know beside it
subjects/<slug>/photos/*.png   the photos, re-encoded
"""

from __future__ import annotations

import re
import shutil
import threading
import time
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import ImageColor

from app import captions, photos
from app.runs import read_json
from app.views import PhotoView, Refusal, SubjectView, Upload
from app.workspace import Workspace
from trainer.data.subject import fill
from trainer.errors import ArtifactError, ConfigError, PhotoError, UserError
from trainer.files import write_json

MAX_PHOTOS = 200
MAX_NAME, MAX_WORD, MAX_CAPTION = 80, 40, 1000
SENTENCE = "a {unique_token} {class_token}"
"""The caption of a photo that has none of its own."""


class Subjects:
    """The subjects of a workspace. Changes are made one at a time, from any thread."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._changing = threading.RLock()

    def all(self) -> list[SubjectView]:
        """Every subject, the newest first; folders that are none are passed over."""
        found = []
        for folder in self._workspace.subjects.iterdir():
            try:
                found.append((self._read(folder.name), folder.name))
            except UserError:
                continue
        found.sort(key=lambda subject: -subject[0]["created_at"])
        return [_view(slug, facts) for facts, slug in found]

    def get(self, slug: str) -> SubjectView:
        """One subject; ArtifactError where there is none."""
        return _view(slug, self._read(slug))

    def create(
        self, name: str, class_token: str, unique_token: str | None, alpha_color: str
    ) -> SubjectView:
        """A subject without photos yet. Its slug is made of the name."""
        taken = {subject.unique_token for subject in self.all()}
        shown = _line("The name", name, MAX_NAME)
        facts = {
            "created_at": time.time(),
            "name": shown,
            "class_token": _line("The class", class_token, MAX_WORD),
            "unique_token": _word(unique_token or captions.suggest_token(taken)),
            "alpha_color": _color(alpha_color),
            "photos": [],
            "refused": [],
        }
        slug = self._new_folder(shown)
        self._write(slug, facts)
        return self.get(slug)

    def edit(self, slug: str, changes: dict[str, str | None]) -> SubjectView:
        """Change what is not None of name, class_token, unique_token and alpha_color."""
        check = {
            "name": lambda text: _line("The name", text, MAX_NAME),
            "class_token": lambda text: _line("The class", text, MAX_WORD),
            "unique_token": _word,
            "alpha_color": _color,
        }
        checked = {key: check[key](text) for key, text in changes.items() if text is not None}
        with self._changing:
            self._write(slug, {**self._read(slug), **checked})
        return self.get(slug)

    def add_photos(self, slug: str, uploads: Sequence[Upload]) -> SubjectView:
        """Take uploads in; those that cannot be used are listed as refused, with the reason."""
        with self._changing:
            facts = self._read(slug)
            _check_count(len(facts["photos"]) + len(uploads))
            folder = self._photos(slug)
            facts["refused"] = []
            for upload in uploads:
                try:
                    file, size, notes = photos.store(
                        upload, folder, self._workspace.cache / "uploads"
                    )
                except PhotoError as error:
                    facts["refused"].append({"source": _shown(upload.name), "reason": str(error)})
                else:
                    facts["photos"].append(
                        {"file": file, "source": _shown(upload.name), "size": size, "notes": notes}
                    )
            self._write(slug, self._judged(slug, facts))
        return self.get(slug)

    def remove_photo(self, slug: str, file: str) -> SubjectView:
        with self._changing:
            facts = self._read(slug)
            row = _row(slug, facts, file)
            facts["photos"].remove(row)
            self._write(slug, self._judged(slug, facts))
            (self._photos(slug) / row["file"]).unlink(missing_ok=True)
        return self.get(slug)

    def set_caption(self, slug: str, file: str, text: str) -> SubjectView:
        """The caption of one photo; an empty one gives it the subject's own sentence again."""
        with self._changing:
            facts = self._read(slug)
            row = _row(slug, facts, file)
            row.pop("caption", None)
            if text.strip():
                row["caption"] = _line("The caption", text, MAX_CAPTION)
            self._write(slug, facts)
        return self.get(slug)

    def photo_path(self, slug: str, file: str) -> Path:
        """Where a stored photo lies; only names that subject.json lists are known."""
        return self._photos(slug) / str(_row(slug, self._read(slug), file)["file"])

    def delete(self, slug: str) -> None:
        with self._changing:
            self._read(slug)
            shutil.rmtree(self._workspace.subject(slug))

    def _judged(self, slug: str, facts: dict[str, Any]) -> dict[str, Any]:
        folder = self._photos(slug)
        reasons = photos.judge([folder / row["file"] for row in facts["photos"]])
        names = {row["file"]: row["source"] for row in facts["photos"]}
        for row in facts["photos"]:
            row["reasons"] = [_with_sources(text, names) for text in reasons[row["file"]]]
        return facts

    def _new_folder(self, name: str) -> str:
        stem, number = _slug(name), 1
        while True:
            slug = stem if number == 1 else f"{stem}-{number}"
            try:
                self._photos(slug).parent.mkdir(parents=True)
                self._photos(slug).mkdir()
                return slug
            except FileExistsError:
                number += 1

    def _photos(self, slug: str) -> Path:
        return self._workspace.subject(slug) / "photos"

    def _read(self, slug: str) -> dict[str, Any]:
        facts = read_json(self._workspace.subject(slug) / "subject.json")
        if facts is None or "created_at" not in facts:
            raise ArtifactError(f"There is no subject {slug!r}. Choose one of the list.")
        return facts

    def _write(self, slug: str, facts: dict[str, Any]) -> None:
        write_json(self._workspace.subject(slug) / "subject.json", facts)


# --- what is shown --------------------------------------------------------------------------------


def _view(slug: str, facts: dict[str, Any]) -> SubjectView:
    unique_token, class_token = facts["unique_token"], facts["class_token"]
    return SubjectView(
        slug=slug,
        name=facts["name"],
        class_token=class_token,
        unique_token=unique_token,
        alpha_color=facts["alpha_color"],
        photos=[_photo_view(row, unique_token, class_token) for row in facts["photos"]],
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


def _with_sources(text: str, names: dict[str, str]) -> str:
    for file, source in names.items():
        text = text.replace(file, source)
    return text


# --- what is taken from outside -------------------------------------------------------------------


def _row(slug: str, facts: dict[str, Any], file: str) -> dict[str, Any]:
    for row in facts["photos"]:
        if row["file"] == file:
            found: dict[str, Any] = row
            return found
    raise ArtifactError(f"The subject {slug} has no photo {file[:100]!r}.")


def _check_count(count: int) -> None:
    if count > MAX_PHOTOS:
        raise PhotoError(
            f"That would be {count} photos; a subject has at most {MAX_PHOTOS}, and three to ten "
            "are good. Choose the best."
        )


def _line(what: str, text: str, longest: int) -> str:
    """`text` as one line of printable characters."""
    line = " ".join(text.split())
    if not line or len(line) > longest or not line.isprintable():
        raise ConfigError(
            f"{what} is {line[:40]!r}; it needs 1 to {longest} characters that can be printed."
        )
    return line


def _word(text: str) -> str:
    if not re.fullmatch(rf"\w{{1,{MAX_WORD}}}", text):
        raise ConfigError(
            f"The unique token is {text[:40]!r}; it needs to be one word of at most {MAX_WORD} "
            f"letters and digits, such as {captions.CANDIDATES[0]}."
        )
    return text


def _color(text: str) -> str:
    """Any way to write a colour, as #rrggbb."""
    try:
        red, green, blue, *_ = ImageColor.getrgb(text[:40])
    except ValueError as error:
        raise ConfigError(
            f"The colour is {text[:40]!r}; write it as #rrggbb or a name such as white."
        ) from error
    return f"#{red:02x}{green:02x}{blue:02x}"


def _shown(name: str) -> str:
    """A client's file name, fit to be shown: its last part, printable, short."""
    last = re.split(r"[/\\]", name)[-1]
    return "".join(c for c in last if c.isprintable())[-MAX_NAME:] or "photo"


def _slug(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:40].strip("-") or "subject"
