"""Subjects as users see them: made, shown, edited and deleted. No torch.

subjects/<slug>/subject.json     tokens, and a row a photo: what `trainer.data.subject` trains on,
                                 with what people want to know beside it
subjects/<slug>/photos/*.png     the photos, re-encoded
subjects/<slug>/held_out/*.png   those kept from training, for scores
"""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from app import captions, photos, typed
from app.runs import read_json
from app.subject_view import subject_view
from app.views import SubjectView, Upload
from app.workspace import Workspace
from trainer.errors import ArtifactError, PhotoError, UserError
from trainer.files import write_json

MAX_PHOTOS = 200


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
        return [subject_view(slug, facts) for facts, slug in found]

    def get(self, slug: str) -> SubjectView:
        """One subject; ArtifactError where there is none."""
        return subject_view(slug, self._read(slug))

    def create(
        self, name: str, class_token: str, unique_token: str | None, alpha_color: str
    ) -> SubjectView:
        """A subject without photos yet. Its slug is made of the name."""
        taken = {subject.unique_token for subject in self.all()}
        shown = typed.name(name)
        facts = {
            "created_at": time.time(),
            "name": shown,
            "class_token": typed.class_token(class_token),
            "unique_token": typed.unique_token(unique_token or captions.suggest_token(taken)),
            "alpha_color": typed.color(alpha_color),
            "photos": [],
            "held_out": [],
            "refused": [],
        }
        slug = self._new_folder(shown)
        self._write(slug, facts)
        return self.get(slug)

    def edit(self, slug: str, changes: dict[str, str | None]) -> SubjectView:
        """Change what is not None of name, class_token, unique_token and alpha_color."""
        check = {
            "name": typed.name,
            "class_token": typed.class_token,
            "unique_token": typed.unique_token,
            "alpha_color": typed.color,
        }
        checked = {key: check[key](text) for key, text in changes.items() if text is not None}
        with self._changing:
            self._write(slug, {**self._read(slug), **checked})
        return self.get(slug)

    def add_photos(self, slug: str, uploads: Sequence[Upload]) -> SubjectView:
        """Take uploads in; those that cannot be used are listed as refused, with the reason."""
        with self._changing:
            facts = self._read(slug)
            _check_count(len(_rows(facts)) + len(uploads))
            facts["refused"] = []
            for upload in uploads:
                source = typed.file_name(upload.name)
                try:
                    file, size, notes = photos.store(
                        upload, self._photos(slug), self._workspace.cache / "uploads"
                    )
                except PhotoError as error:
                    facts["refused"].append({"source": source, "reason": str(error)})
                else:
                    facts["photos"].append(
                        {"file": file, "source": source, "size": size, "notes": notes}
                    )
            self._write(slug, self._judged(slug, facts))
        return self.get(slug)

    def remove_photo(self, slug: str, file: str) -> SubjectView:
        with self._changing:
            facts = self._read(slug)
            row = _row(slug, facts, file)
            picture = self._picture(slug, row)
            (facts["photos"] if row in facts["photos"] else facts["held_out"]).remove(row)
            self._write(slug, self._judged(slug, facts))
            picture.unlink(missing_ok=True)
        return self.get(slug)

    def hold_out(self, slug: str, file: str, held_out: bool) -> SubjectView:
        """Keep a photo from training, for scores; or train on it again. One at least stays.

        Where this is cut short, the picture lies in held_out/ and is not trained on.
        """
        with self._changing:
            facts = self._read(slug)
            row = _row(slug, facts, file)
            if held_out and facts["photos"] == [row]:
                raise PhotoError(
                    f"{row['source']} is the only photo to train on: add another one, then hold "
                    "this one out."
                )
            now, then = ("held_out", "photos") if held_out else ("photos", "held_out")
            if row not in facts[now]:
                facts[then].remove(row)
                facts[now].append(row)
            if held_out:
                self._move(slug, row["file"], "photos", "held_out")
            self._write(slug, facts)
            if not held_out:
                self._move(slug, row["file"], "held_out", "photos")
        return self.get(slug)

    def set_caption(self, slug: str, file: str, text: str) -> SubjectView:
        """The caption of one photo; an empty one gives it the subject's own sentence again."""
        with self._changing:
            facts = self._read(slug)
            row = _row(slug, facts, file)
            row.pop("caption", None)
            if text.strip():
                row["caption"] = typed.caption(text)
            self._write(slug, facts)
        return self.get(slug)

    def photo_path(self, slug: str, file: str) -> Path:
        """Where a stored photo lies; only names that subject.json lists are known."""
        return self._picture(slug, _row(slug, self._read(slug), file))

    def as_they_came(self, slug: str, text: str) -> str:
        """A text about stored photos with the names they came with; as it is without a subject."""
        facts = read_json(self._workspace.subject(slug) / "subject.json") or {}
        rows = [*facts.get("photos", ()), *facts.get("held_out", ())]
        return _with_sources(text, {row["file"]: row["source"] for row in rows})

    def delete(self, slug: str) -> None:
        with self._changing:
            self._read(slug)
            shutil.rmtree(self._workspace.subject(slug))

    def _judged(self, slug: str, facts: dict[str, Any]) -> dict[str, Any]:
        """Those held out are judged with the others: a photo that is in both spoils the scores."""
        rows = _rows(facts)
        reasons = photos.judge([self._picture(slug, row) for row in rows])
        names = {row["file"]: row["source"] for row in rows}
        for row in rows:
            row["reasons"] = [_with_sources(text, names) for text in reasons[row["file"]]]
        return facts

    def _new_folder(self, name: str) -> str:
        stem, number = typed.slug(name), 1
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

    def _picture(self, slug: str, row: dict[str, Any]) -> Path:
        file = str(row["file"])
        held_out = self._workspace.subject(slug) / "held_out" / file
        return held_out if held_out.exists() else self._photos(slug) / file

    def _move(self, slug: str, file: str, start: str, end: str) -> None:
        folder = self._workspace.subject(slug)
        (folder / end).mkdir(exist_ok=True)
        if (folder / start / file).exists():
            (folder / start / file).replace(folder / end / file)

    def _read(self, slug: str) -> dict[str, Any]:
        facts = read_json(self._workspace.subject(slug) / "subject.json")
        if facts is None or "created_at" not in facts:
            raise ArtifactError(f"There is no subject {slug!r}. Choose one of the list.")
        return {"held_out": [], **facts}

    def _write(self, slug: str, facts: dict[str, Any]) -> None:
        write_json(self._workspace.subject(slug) / "subject.json", facts)


# --- rows of subject.json -------------------------------------------------------------------------


def _rows(facts: dict[str, Any]) -> list[dict[str, Any]]:
    """Of all photos, those held out last."""
    return [*facts["photos"], *facts["held_out"]]


def _row(slug: str, facts: dict[str, Any], file: str) -> dict[str, Any]:
    for row in _rows(facts):
        if row["file"] == file:
            return row
    raise ArtifactError(f"The subject {slug} has no photo {file[:100]!r}.")


def _check_count(count: int) -> None:
    if count > MAX_PHOTOS:
        raise PhotoError(
            f"That would be {count} photos; a subject has at most {MAX_PHOTOS}, and three to ten "
            "are good. Choose the best."
        )


def _with_sources(text: str, names: dict[str, str]) -> str:
    for file, source in names.items():
        text = text.replace(file, source)
    return text
