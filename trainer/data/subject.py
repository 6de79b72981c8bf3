"""A subject's folder: its photos, what each shows, and what the adapter is to call it. No torch.

<folder>/*.jpg, *.png …          photos; beside one, a .txt of the same name is its caption
<folder>/subject.json            optional: {"class_token", "unique_token",
                                 "photos": [{"file", "caption"}], "held_out": [{"file"}]}
<folder>/photos/, held_out/      instead of loose photos, where subject.json lists them
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import ImageColor

from trainer.config import SubjectConfig
from trainer.data.photos import Intake, Photo, find_photos, require_photos, take_in
from trainer.errors import ConfigError, PhotoError

DEFAULT_TOKEN = "zwx"


@dataclass(frozen=True)
class TrainingSubject:
    """A subject, ready to be encoded."""

    name: str
    unique_token: str
    class_token: str
    photos: tuple[Photo, ...]
    captions: tuple[str, ...]
    """One a photo, tokens filled in."""
    held_out: tuple[Path, ...]
    """Photos kept from training, for scores only."""
    intake: Intake


def fill(template: str, unique_token: str, class_token: str) -> str:
    """`template` with its two placeholders filled in. Other braces stay as they are."""
    filled = template.replace("{unique_token}", unique_token)
    return filled.replace("{class_token}", class_token)


def read_subject(folder: Path, config: SubjectConfig, resolution: int) -> TrainingSubject:
    """Take the folder's photos in and settle tokens and captions.

    Raises PhotoError where no photo can be used, ConfigError where the class is not told.
    """
    facts = _facts(folder)
    loose = facts.get("photos") is None or not (folder / "photos").is_dir()
    found = find_photos(folder if loose else folder / "photos")
    intake = take_in(found, resolution=resolution, alpha_color=_color(config.alpha_color))
    photos = require_photos(intake)
    unique_token = config.unique_token or facts.get("unique_token") or DEFAULT_TOKEN
    class_token = config.class_token or facts.get("class_token")
    if not class_token:
        raise ConfigError(
            "--subject.class-token is missing: say in one plain word what the photos show, such "
            "as dog, teapot or backpack."
        )
    listed = {row["file"]: row["caption"] for row in facts.get("photos", ()) if "caption" in row}
    templates = (_caption(photo, listed, config.instance_prompt) for photo in photos)
    return TrainingSubject(
        name=folder.resolve().name if folder.is_dir() else folder.stem,
        unique_token=unique_token,
        class_token=class_token,
        photos=photos,
        captions=tuple(fill(t, unique_token, class_token) for t in templates),
        held_out=_held_out(folder, facts),
        intake=intake,
    )


def caption_warnings(subject: TrainingSubject) -> list[str]:
    """Captions that cannot teach the token, by photo."""
    word = re.compile(rf"(?<!\w){re.escape(subject.unique_token)}(?!\w)")
    return [
        f"{photo.path.name}: its caption does not contain {subject.unique_token!r}, so this photo "
        f"does not teach that word: {caption!r}"
        for photo, caption in zip(subject.photos, subject.captions, strict=True)
        if not word.search(caption)
    ]


def _facts(folder: Path) -> dict[str, Any]:
    """What subject.json says; nothing where there is none."""
    file = folder / "subject.json"
    if not file.is_file():
        return {}
    try:
        facts = json.loads(file.read_text("utf-8"))
        rows = [*facts.get("photos", ()), *facts.get("held_out", ())]
        if not all(isinstance(row["file"], str) for row in rows):
            raise TypeError("a file's name is not a text")
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise PhotoError(
            f"{file}: not understood ({error!r}). It needs an object with class_token, and lists "
            'photos and held_out of {"file": name, "caption": text}; or delete it.'
        ) from error
    return dict(facts)


def _caption(photo: Photo, listed: dict[str, str], instance_prompt: str) -> str:
    sidecar = photo.path.with_suffix(".txt")
    if sidecar.is_file():
        text = sidecar.read_text("utf-8-sig").strip()
        if text:
            return text
    return listed.get(photo.path.name, instance_prompt)


def _held_out(folder: Path, facts: dict[str, Any]) -> tuple[Path, ...]:
    """The held-out files by plain name: a name with a folder in it is not followed."""
    paths = [folder / "held_out" / Path(row["file"]).name for row in facts.get("held_out", ())]
    missing = [path.name for path in paths if not path.is_file()]
    if missing:
        raise PhotoError(
            f"{folder}: subject.json lists held-out photos that are not there: {missing}"
        )
    return tuple(paths)


def _color(text: str) -> tuple[int, int, int]:
    try:
        red, green, blue, *_ = ImageColor.getrgb(text)
    except ValueError as error:
        raise ConfigError(
            f"--subject.alpha-color {text!r} is no colour: use a name or #rrggbb."
        ) from error
    return red, green, blue
