"""The run folder: where everything that one training leaves behind lies. No torch.

Every recipe's run has config.json, status.json, metrics.jsonl, checkpoints/, native.safetensors and
scores.json; this is the list of a DreamBooth run (`trainer.text_run` has the others').

config.json               what was asked (trainer.config)
subject.json              what was trained on: tokens, captions, the photos' names and warnings
status.json               succeeded or not, and at which step
metrics.jsonl             one row a step and an event, with an attempt column
checkpoints/              the newest, each complete; manifest with sha256 last
native.safetensors        the adapter with all its state, fp32
adapter.safetensors       for diffusers' load_lora_weights
adapter-kohya.safetensors for ComfyUI, A1111/Forge, sd-scripts
photos/                   the cleaned photos, for scores and the contact sheet
held_out/                 photos kept from training, if the subject has some
samples/                  previews made while training
images/                   pictures made by trainer.generate
scores.json, card.md      eval.score_subject's answer, and the page for people
scores-step-<n>.json      the same of a kept checkpoint, and
curve.json                eval.score_checkpoints' answer over all of them
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from trainer.config import DreamBoothConfig
from trainer.config_file import from_json, to_json
from trainer.errors import ArtifactError, ConfigError
from trainer.files import deletion_mark, write_json

WORKSPACE = Path("workspace")


@dataclass(frozen=True)
class KeptPhoto:
    """A cleaned photo in the run's photos/."""

    file: str
    """Name in photos/."""
    source: str
    """Name it came with."""
    caption: str
    size: tuple[int, int]
    """(width, height) of the original, before the clean copy was reduced."""


@dataclass(frozen=True)
class Subject:
    """What a run was trained on, as its later readers need it."""

    name: str
    """Folder name of the photos."""
    unique_token: str
    class_token: str
    photos: tuple[KeptPhoto, ...]
    held_out: tuple[str, ...] = ()
    """File names in the run's held_out/."""
    warnings: tuple[str, ...] = ()
    """What intake said of the photos, refusals included."""


@dataclass(frozen=True)
class RunFolder:
    """What the runs of all recipes have, by path; knows names, not contents."""

    path: Path

    @property
    def config_file(self) -> Path:
        return self.path / "config.json"

    @property
    def status_file(self) -> Path:
        return self.path / "status.json"

    @property
    def metrics(self) -> Path:
        return self.path / "metrics.jsonl"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def native(self) -> Path:
        return self.path / "native.safetensors"

    @property
    def scores(self) -> Path:
        return self.path / "scores.json"

    def write_config(self, config: Any) -> None:
        write_json(self.config_file, to_json(config))

    def metric_rows(self) -> Iterator[dict[str, Any]]:
        """The rows of metrics.jsonl; a last line cut short by a crash is left out."""
        if self.metrics.exists():
            for line in self.metrics.read_text("utf-8").splitlines():
                try:
                    yield json.loads(line)
                except ValueError:
                    return

    def _read(self, path: Path) -> dict[str, Any]:
        try:
            values: dict[str, Any] = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise ArtifactError(
                f"{self.path} is not a run folder: {path.name} cannot be read ({error}). "
                "Give the folder that the training printed."
            ) from error
        return values


@dataclass(frozen=True)
class Run(RunFolder):
    """A DreamBooth run."""

    @property
    def subject_file(self) -> Path:
        return self.path / "subject.json"

    @property
    def adapter(self) -> Path:
        return self.path / "adapter.safetensors"

    @property
    def adapter_kohya(self) -> Path:
        return self.path / "adapter-kohya.safetensors"

    @property
    def photos(self) -> Path:
        return self.path / "photos"

    @property
    def held_out(self) -> Path:
        return self.path / "held_out"

    @property
    def samples(self) -> Path:
        return self.path / "samples"

    @property
    def images(self) -> Path:
        return self.path / "images"

    def scores_of(self, checkpoint: int | None) -> Path:
        """Scores of a kept checkpoint; of the finished adapter for None."""
        return self.scores if checkpoint is None else self.path / f"scores-step-{checkpoint}.json"

    @property
    def curve(self) -> Path:
        return self.path / "curve.json"

    @property
    def card(self) -> Path:
        return self.path / "card.md"

    def read_config(self) -> DreamBoothConfig:
        return from_json(self._read(self.config_file), DreamBoothConfig())

    def write_subject(self, subject: Subject) -> None:
        write_json(self.subject_file, asdict(subject))

    def read_subject(self) -> Subject:
        values = self._read(self.subject_file)
        photos = [KeptPhoto(**{**row, "size": tuple(row["size"])}) for row in values.pop("photos")]
        held_out, warnings = (tuple(values.pop(name)) for name in ("held_out", "warnings"))
        return Subject(photos=tuple(photos), held_out=held_out, warnings=warnings, **values)


def open_run(path: Path) -> Run:
    """The trained run at `path`; ArtifactError where it is none or has not finished."""
    run = Run(path)
    run.read_config()
    if not run.native.exists():
        raise ArtifactError(
            f"{path} holds no trained adapter yet: native.safetensors is missing. Finish it with "
            f"`python trainer/train_dreambooth.py --resume {path}`."
        )
    return run


def require_new(folder: Path | None) -> None:
    """ConfigError where the folder asked for holds something already."""
    if folder is not None and folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(
            f"--run {folder} is there already. To go on with it: --resume {folder}. For a new "
            "run give another folder."
        )


def new_run_folder(stem: str, workspace: Path = WORKSPACE) -> Path:
    """workspace/runs/<stem>-<number>, created, with the first number that no run has or had."""
    runs = workspace / "runs"
    runs.mkdir(parents=True, exist_ok=True)
    number = 0
    while True:
        number += 1
        path = runs / f"{stem}-{number}"
        with suppress(FileExistsError):
            if not deletion_mark(path).exists():
                path.mkdir()
                return path


def delete_run_folder(folder: Path) -> None:
    """Delete a run and keep its name taken: its job, tried again, makes it there anew."""
    deletion_mark(folder).touch()
    shutil.rmtree(folder)
