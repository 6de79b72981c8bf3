"""What a run keeps of its subject is enough to score it alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from trainer.config import SubjectConfig
from trainer.data.keep import keep_subject
from trainer.data.subject import read_subject
from trainer.run import Run


def _subject_of_dots(folder: Path) -> Path:
    """One photo to train on and one that is held out, both `a.png`."""
    for name in ("photos", "held_out"):
        (folder / name).mkdir(parents=True)
        Image.new("RGBA", (64, 64), (255, 0, 0, 128)).save(folder / name / "a.png")
    facts = {"class_token": "dot", "photos": [{"file": "a.png"}], "held_out": [{"file": "a.png"}]}
    (folder / "subject.json").write_text(json.dumps(facts))
    return folder


def test_held_out_photos_have_the_same_colour_behind_them_as_the_others(tmp_path: Path) -> None:
    """Half transparent red on blue is their mean, to a rounding."""
    folder = _subject_of_dots(tmp_path / "dot")
    subject = read_subject(folder, SubjectConfig(alpha_color="#0000ff"), 64)

    run = Run(tmp_path / "run")
    kept = keep_subject(run, subject, 64)
    for path in (run.photos / kept.photos[0].file, run.held_out / kept.held_out[0]):
        pixel = np.asarray(Image.open(path))[32, 32].astype(int)
        assert np.abs(pixel - (128, 0, 127)).max() <= 1


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda file: Image.new("RGB", (15, 15)).save(file), "it has 15 x 15 pixels: too small"),
        (lambda file: file.write_bytes(file.read_bytes()[:40]), "it "),
    ],
    ids=["too small", "broken"],
)
def test_a_held_out_photo_that_cannot_be_used_is_told_and_the_rest_goes_on(
    tmp_path: Path, damage: Callable[[Path], object], words: str
) -> None:
    folder = _subject_of_dots(tmp_path / "dot")
    damage(folder / "held_out" / "a.png")
    kept = keep_subject(Run(tmp_path / "run"), read_subject(folder, SubjectConfig(), 64), 64)
    assert kept.held_out == () and len(kept.photos) == 1
    [warning] = [text for text in kept.warnings if "held out" in text]
    assert warning.startswith("a.png: held out, but scores have to do without it: " + words)
