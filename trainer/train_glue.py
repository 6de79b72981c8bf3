"""`python trainer/train_glue.py`: presets, config files, every field as a flag, progress."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Annotated, cast

import tyro

from trainer import glue
from trainer.run import RunFolder
from trainer.text_config import GlueConfig
from trainer.text_presets import GluePreset, glue_preset
from trainer.text_run import TextRun
from trainer.training_script import OPTIM, TrainingCommand, TrainingScript


@dataclass(frozen=True)
class GlueCommand(TrainingCommand):
    """Teach an encoder a task of GLUE: sentences, or pairs of them, and their labels.

    The frozen encoder gets a small low-rank change in every linear of its layers, which launches as
    in training on photos (LoRA-TSD, Si et al. 2024), and a head that is trained whole.

    Without any flag: --preset demo, a small sentence encoder from a Python package and sentences
    that come along, in minutes on a CPU.
    """

    preset: GluePreset = "demo"
    """Where the values below start from. demo: minilm, in minutes. The others: Table 10 of the
    paper, for the task of --task or --config and the rank in their name; they need the hub, and a
    GPU to be of use."""
    settings: Annotated[GlueConfig, tyro.conf.arg(name="")] = GlueConfig()


def _describe(folder: RunFolder) -> list[str]:
    config = TextRun(folder.path).glue_config()
    return [f"Training {config.base} on {config.task} with {config.method} → {folder.path}"]


SCRIPT = TrainingScript(
    "train_glue.py",
    GlueCommand,
    glue,
    start=lambda preset, told: glue_preset(cast(GluePreset, preset), told.get("task")),
    ahead={"task": str, **OPTIM},
    welcome="No flags given, so this is --preset demo: a small sentence encoder learns to tell "
    "praise from blame, in minutes. A task of GLUE: --task sst2 --data FOLDER. All flags: --help.",
    describe=_describe,
    next_steps=lambda run: {
        "Score it": f"python -m eval.score_glue {run}",
        "Load it": TextRun(run).how_to_load(),
    },
)

if __name__ == "__main__":
    sys.exit(SCRIPT.main())
