"""`python trainer/train_glue.py`: presets, config files, every field as a flag, progress."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from trainer.command_line import run_command, scout
from trainer.config_file import read_config, to_json
from trainer.glue import resume, train
from trainer.progress import progress
from trainer.run import RunFolder
from trainer.text_config import GlueConfig
from trainer.text_presets import GluePreset, glue_preset
from trainer.text_run import TextRun


@dataclass(frozen=True)
class GlueCommand:
    """Teach an encoder a task of GLUE: sentences, or pairs of them, and their labels.

    The frozen encoder gets a small low-rank change in every linear of its layers, which launches as
    in training on photos (LoRA-TSD, Si et al. 2024), and a head that is trained whole.

    Without any flag: --preset demo, a small sentence encoder from a Python package and sentences
    that come along, in minutes on a CPU.
    """

    preset: GluePreset = "demo"
    """Where the values below start from. demo: minilm, in minutes. The others: Table 10 of the
    paper, for --task and the rank in their name; they need the hub, and a GPU to be of use."""
    config: Path | None = None
    """JSON file with values, like a run's config.json; what it leaves out is the preset's."""
    resume: Path | None = None
    """Go on with this unfinished run folder; every other flag is then ignored."""
    print_recipe: bool = False
    """Print all values as JSON, and load and train nothing."""
    settings: Annotated[GlueConfig, tyro.conf.arg(name="")] = GlueConfig()


def parse(arguments: Sequence[str]) -> GlueCommand:
    """The command that `arguments` ask for. Exits like any command line on --help or a typo."""
    known = scout(arguments, preset=GluePreset, config=Path, task=str)
    chosen: GluePreset = known.preset or "demo"
    settings = glue_preset(chosen, known.task)
    if known.config is not None:
        settings = read_config(known.config, settings)
    default = GlueCommand(preset=chosen, config=known.config, settings=settings)
    return tyro.cli(GlueCommand, default=default, args=list(arguments), prog="train_glue.py")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 0, or 2 for a user's error, or 130 after Ctrl-C with everything saved."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    return run_command(lambda: _run(given))


def _run(arguments: list[str]) -> None:
    command = parse(arguments)
    if command.print_recipe:
        print(json.dumps(to_json(command.settings), indent=2))
        return
    if not arguments:
        print(
            "No flags given, so this is --preset demo: a small sentence encoder learns to tell "
            "praise from blame, in minutes. A task of GLUE: --task sst2 --data FOLDER. All flags: "
            "--help."
        )
    with progress("train_glue.py", _describe) as watch:
        run = resume(command.resume, watch) if command.resume else train(command.settings, watch)
    print(f"Done: {run.path}")
    print(f"Score it:  python -m eval.score_glue {run.path}")


def _describe(folder: RunFolder) -> list[str]:
    config = TextRun(folder.path).glue_config()
    return [f"Training {config.base} on {config.task} with {config.method} → {folder.path}"]


if __name__ == "__main__":
    sys.exit(main())
