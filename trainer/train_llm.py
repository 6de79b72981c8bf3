"""`python trainer/train_llm.py`: presets, config files, every field as a flag, progress."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Annotated, cast

import tyro

from trainer import llm
from trainer.data.instruct import DEMO_FILE
from trainer.errors import ConfigError
from trainer.run import RunFolder
from trainer.text_config import LLMConfig
from trainer.text_presets import DEMO, LLMPreset, llm_preset
from trainer.text_run import TextRun
from trainer.training_script import OPTIM, TrainingCommand, TrainingScript


@dataclass(frozen=True)
class LLMCommand(TrainingCommand):
    """Teach a causal language model to answer, from instructions with their answers.

    The frozen model gets a small low-rank change in its attention and feed-forward linears, which
    launches as in training on photos (LoRA-TSD, Si et al. 2024). Only the answers are learnt.

    Without any flag: --preset demo, a small language model from a Python package and 200 items that
    come along, in minutes on a CPU.
    """

    preset: LLMPreset = "demo"
    """Where the values below start from. demo: smollm2, in minutes. The others: Table 8 of the
    paper, with the rank in their name; they need the hub and a GPU."""
    settings: Annotated[LLMConfig, tyro.conf.arg(name="")] = LLMConfig()


def _describe(folder: RunFolder) -> list[str]:
    config = TextRun(folder.path).llm_config()
    data = config.data or "the items that come along"
    return [f"Training {config.base} on {data} with {config.method} → {folder.path}"]


def _require_data(command: LLMCommand) -> None:
    """ConfigError where a preset of the paper would take the bundled items, for want of its own."""
    if command.preset != DEMO and command.settings.data is None:
        raise ConfigError(
            f"--preset {command.preset} trains on the paper's 170,000 instructions, which do not "
            "come along: give them with --data, as in --data commonsense_170k.json (LLM-Adapters, "
            "Hu et al. 2023). The 200 items that come along are for --preset demo; to take them "
            f"all the same: --data {DEMO_FILE}."
        )


SCRIPT = TrainingScript(
    "train_llm.py",
    LLMCommand,
    llm,
    start=lambda preset, told: llm_preset(cast(LLMPreset, preset)),
    welcome="No flags given, so this is --preset demo: a small language model learns to answer the "
    "questions that come along, in minutes. Your own: --data FILE.json. All flags: --help.",
    describe=_describe,
    next_steps=lambda run: {
        "Score it": f"python -m eval.score_commonsense {run}",
        "Load it": TextRun(run).how_to_load(),
    },
    ahead=OPTIM,
    check=_require_data,
)

if __name__ == "__main__":
    sys.exit(SCRIPT.main())
