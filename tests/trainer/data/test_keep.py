"""What a run keeps of its subject is enough to score it alone."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

from trainer.config import SubjectConfig
from trainer.data.keep import keep_subject
from trainer.data.subject import read_subject
from trainer.run import Run


def test_held_out_photos_have_the_same_colour_behind_them_as_the_others(tmp_path: Path) -> None:
    """Half transparent red on blue is their mean, to a rounding."""
    folder = tmp_path / "dot"
    for name in ("photos", "held_out"):
        (folder / name).mkdir(parents=True)
        Image.new("RGBA", (64, 64), (255, 0, 0, 128)).save(folder / name / "a.png")
    facts = {"class_token": "dot", "photos": [{"file": "a.png"}], "held_out": [{"file": "a.png"}]}
    (folder / "subject.json").write_text(json.dumps(facts))
    subject = read_subject(folder, SubjectConfig(alpha_color="#0000ff"), 64)

    run = Run(tmp_path / "run")
    kept = keep_subject(run, subject, 64)
    for path in (run.photos / kept.photos[0].file, run.held_out / kept.held_out[0]):
        pixel = np.asarray(Image.open(path))[32, 32].astype(int)
        assert np.abs(pixel - (128, 0, 127)).max() <= 1
