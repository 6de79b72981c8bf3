"""The cleaned photos move into the run folder, so that a run can be resumed and scored alone."""

from __future__ import annotations

from trainer.data.photos import take_in, write_clean
from trainer.data.subject import TrainingSubject, caption_warnings
from trainer.run import KeptPhoto, Run, Subject


def keep_subject(run: Run, subject: TrainingSubject, resolution: int) -> Subject:
    """Write photos/, held_out/ and subject.json; PNG without metadata, names of our own."""
    photos = []
    for number, (photo, caption) in enumerate(zip(subject.photos, subject.captions, strict=True)):
        file = f"{number:03d}.png"
        write_clean(photo, run.photos / file)
        photos.append(KeptPhoto(file, photo.path.name, caption, photo.size))
    refused = tuple(str(refusal) for refusal in subject.intake.refused)
    held_out, left_out = _keep_held_out(run, subject, resolution)
    kept = Subject(
        name=subject.name,
        unique_token=subject.unique_token,
        class_token=subject.class_token,
        photos=tuple(photos),
        held_out=held_out,
        warnings=(*refused, *left_out, *subject.intake.warnings, *caption_warnings(subject)),
    )
    run.write_subject(kept)
    return kept


def _keep_held_out(
    run: Run, subject: TrainingSubject, resolution: int
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of what is kept, and what is to be said of what is not."""
    names = []
    behind = subject.photos[0].alpha_color
    intake = take_in(subject.held_out, resolution=resolution, alpha_color=behind)
    for number, photo in enumerate(intake.accepted):
        names.append(f"{number:03d}.png")
        write_clean(photo, run.held_out / names[-1])
    left_out = tuple(
        f"{refusal.path.name}: held out, but scores have to do without it: it {refusal.reason}"
        for refusal in intake.refused
    )
    return tuple(names), left_out
