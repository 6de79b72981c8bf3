"""`python trainer/train_dreambooth.py`: presets, config files, every field as a flag, progress."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from trainer.command_line import run_command, scout
from trainer.config import BUNDLED_SUBJECT, DreamBoothConfig, preset
from trainer.config_file import read_config
from trainer.dreambooth import resume, train
from trainer.progress import progress
from trainer.run import Run, RunFolder

Preset = Literal["default", "demo", "paper", "low-vram"]


@dataclass(frozen=True)
class DreamBoothCommand:
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
    config: Path | None = None
    """JSON file with values, like a run's config.json; what it leaves out is the preset's."""
    resume: Path | None = None
    """Go on with this unfinished run folder; every other flag is then ignored."""
    settings: Annotated[DreamBoothConfig, tyro.conf.arg(name="")] = DreamBoothConfig()


def parse(arguments: Sequence[str]) -> DreamBoothCommand:
    """The command that `arguments` ask for. Exits like any command line on --help or a typo."""
    known = scout(arguments, preset=Preset, config=Path)
    chosen: Preset = known.preset or ("default" if arguments else "demo")
    settings = preset(chosen)
    if known.config is not None:
        settings = read_config(known.config, settings)
    default = DreamBoothCommand(preset=chosen, config=known.config, settings=settings)
    return tyro.cli(
        DreamBoothCommand, default=default, args=list(arguments), prog="train_dreambooth.py"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 0, or 2 for a user's error, or 130 after Ctrl-C with everything saved."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    return run_command(lambda: _run(given))


def _run(arguments: list[str]) -> None:
    command = parse(arguments)
    if not arguments:
        print(
            "No flags given, so this is --preset demo: the embedded base learns the bundled "
            f"subject {BUNDLED_SUBJECT.name}. With your own photos on SDXL: --photos FOLDER "
            "--subject.class-token WORD. All flags: --help."
        )
    with progress("train_dreambooth.py", describe) as watch:
        run = resume(command.resume, watch) if command.resume else train(command.settings, watch)
    print(f"Done: {run.path}")
    print(f"Draw with it:  python -m trainer.generate {run.path} --prompt "
          '"a {unique_token} {class_token} on a red background"')  # fmt: skip
    print(f"Score it:      python -m eval.score_subject {run.path}")


def describe(folder: RunFolder) -> list[str]:
    """What stands above the bar: what intake said of the photos, and what is learnt."""
    subject = Run(folder.path).read_subject()
    photos = len(subject.photos)
    return [
        *(f"  {warning}" for warning in subject.warnings),
        f"Training on {photos} photo{'s' * (photos != 1)} of "
        f'"{subject.unique_token} {subject.class_token}" → {folder.path}',
    ]


if __name__ == "__main__":
    sys.exit(main())
