"""`python trainer/train_dreambooth.py`: presets, config files, every field as a flag, progress."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Annotated, Literal

import tyro

from trainer import dreambooth
from trainer.config import BUNDLED_SUBJECT, DreamBoothConfig, preset
from trainer.run import Run, RunFolder
from trainer.training_script import TrainingCommand, TrainingScript

Preset = Literal["default", "demo", "paper", "low-vram"]


@dataclass(frozen=True)
class DreamBoothCommand(TrainingCommand):
    """Teach an SDXL base one subject from a few photos.

    The frozen base gets a small low-rank change in every attention projection (LoRA). After some
    optimizer steps the run looks at which directions of each weight have changed most for their
    size, the task-specific directions, and launches: training restarts on these directions and
    moves along them directly (LoRA-TSD, Si et al. 2024). The result is a run folder with the
    adapter for diffusers and for ComfyUI / A1111.

    Without any flag: --preset demo, the embedded base and a bundled subject, in minutes on a CPU.
    With --photos and no --base: SDXL base 1.0 from the Hugging Face hub.
    """

    preset: Preset = "default"
    """Where the values below start from. default: SDXL, rank 16. demo: embedded base, bundled
    subject. paper: rank 4, 500 steps of 4, as published. low-vram: one picture at a time,
    gradient checkpointing, rank 8. Flags and --config change single values."""
    settings: Annotated[DreamBoothConfig, tyro.conf.arg(name="")] = DreamBoothConfig()


def describe(folder: RunFolder) -> list[str]:
    """What stands above the bar: what intake said of the photos, and what is learnt."""
    subject = Run(folder.path).read_subject()
    photos = len(subject.photos)
    return [
        *(f"  {warning}" for warning in subject.warnings),
        f"Training on {photos} photo{'s' * (photos != 1)} of "
        f'"{subject.unique_token} {subject.class_token}" → {folder.path}',
    ]


SCRIPT = TrainingScript(
    "train_dreambooth.py",
    DreamBoothCommand,
    dreambooth,
    start=lambda name, told: preset(name),
    welcome="No flags given, so this is --preset demo: the embedded base learns the bundled "
    f"subject {BUNDLED_SUBJECT.name}. With your own photos on SDXL: --photos FOLDER "
    "--subject.class-token WORD. All flags: --help.",
    describe=describe,
    next_steps=lambda run: {
        "Draw with it": f"python -m trainer.generate {run} --prompt "
        '"a {unique_token} {class_token} on a red background"',
        "Score it": f"python -m eval.score_subject {run}",
    },
)

if __name__ == "__main__":
    sys.exit(SCRIPT.main())
