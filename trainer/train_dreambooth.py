"""`python trainer/train_dreambooth.py`: presets, config files, every field as a flag, progress."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro
from tqdm import tqdm

from trainer.command_line import run_command
from trainer.config import BUNDLED_SUBJECT, DreamBoothConfig, preset, read_config
from trainer.dreambooth import resume, train
from trainer.errors import Interrupted
from trainer.journal import Watch
from trainer.loop import StepReport
from trainer.run import Run, Subject
from trainer.stopping import stop_on_signals

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
    scout = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    scout.add_argument("--preset", choices=("default", "demo", "paper", "low-vram"))
    scout.add_argument("--config", type=Path)
    known, _ = scout.parse_known_args(arguments)
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
    with stop_on_signals() as stop, Progress() as progress:
        watch = progress.watch(stop)
        try:
            run = (
                resume(command.resume, watch) if command.resume else train(command.settings, watch)
            )
        except Interrupted as stopped:
            raise Interrupted(
                f"{stopped}; everything is saved.\n"
                f"Go on with: python trainer/train_dreambooth.py --resume {progress.run}"
            ) from stopped
    print(f"Done: {run.path}")
    print(f"Draw with it:  python -m trainer.generate {run.path} --prompt "
          '"a {unique_token} {class_token} on a red background"')  # fmt: skip
    print(f"Score it:      python -m eval.score_subject {run.path}")


class Progress:
    """A bar with steps, loss and time left; what happens beside the steps goes above it."""

    def __init__(self) -> None:
        self.run: Path | None = None
        self._bar: tqdm[None] | None = None

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def watch(self, stop: Callable[[], bool]) -> Watch:
        """What the recipe reports to, and asks whether to stop."""
        return Watch(self.on_start, self.on_step, self.on_preview, stop=stop)

    def on_start(self, run: Run, subject: Subject, start: int, total_steps: int) -> None:
        self.run = run.path
        for warning in subject.warnings:
            tqdm.write(f"  {warning}")
        photos = len(subject.photos)
        tqdm.write(
            f"Training on {photos} photo{'s' * (photos != 1)} of "
            f'"{subject.unique_token} {subject.class_token}" → {run.path}'
        )
        self._bar = tqdm(total=total_steps, initial=start, desc="pre-launch", unit="step",
                         dynamic_ncols=True)  # fmt: skip

    def on_step(self, report: StepReport) -> None:
        assert self._bar is not None
        launch = report.launch
        if launch is not None:
            self._bar.set_description("dash")
            tqdm.write(
                f"Launch after step {launch.step}: directions chosen in {len(launch.layers)} "
                f"layers, {len(launch.plain)} stay plain LoRA; waited "
                f"{launch.seconds_waited:.1f} s for decompositions."
            )
        self._bar.set_postfix(loss=f"{report.loss:.4f}", refresh=False)
        self._bar.update()

    def on_preview(self, step: int, paths: list[Path]) -> None:
        tqdm.write(f"Preview at step {step}: {', '.join(map(str, paths))}")


if __name__ == "__main__":
    sys.exit(main())
