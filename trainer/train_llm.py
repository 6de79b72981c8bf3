"""`python trainer/train_llm.py`: presets, config files, every field as a flag, progress."""

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
from trainer.llm import resume, train
from trainer.progress import progress
from trainer.run import RunFolder
from trainer.text_config import LLMConfig
from trainer.text_presets import LLMPreset, llm_preset
from trainer.text_run import TextRun


@dataclass(frozen=True)
class LLMCommand:
    """Teach a causal language model to answer, from instructions with their answers.

    The frozen model gets a small low-rank change in its attention and feed-forward linears, which
    launches as in training on photos (LoRA-TSD, Si et al. 2024). Only the answers are learnt.

    Without any flag: --preset demo, a small language model from a Python package and 200 items that
    come along, in minutes on a CPU.
    """

    preset: LLMPreset = "demo"
    """Where the values below start from. demo: smollm2, in minutes. The others: Table 8 of the
    paper, with the rank in their name; they need the hub and a GPU."""
    config: Path | None = None
    """JSON file with values, like a run's config.json; what it leaves out is the preset's."""
    resume: Path | None = None
    """Go on with this unfinished run folder; every other flag is then ignored."""
    print_recipe: bool = False
    """Print all values as JSON, and load and train nothing."""
    settings: Annotated[LLMConfig, tyro.conf.arg(name="")] = LLMConfig()


def parse(arguments: Sequence[str]) -> LLMCommand:
    """The command that `arguments` ask for. Exits like any command line on --help or a typo."""
    known = scout(arguments, preset=LLMPreset, config=Path)
    chosen: LLMPreset = known.preset or "demo"
    settings = llm_preset(chosen)
    if known.config is not None:
        settings = read_config(known.config, settings)
    default = LLMCommand(preset=chosen, config=known.config, settings=settings)
    return tyro.cli(LLMCommand, default=default, args=list(arguments), prog="train_llm.py")


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
            "No flags given, so this is --preset demo: a small language model learns to answer the "
            "questions that come along, in minutes. Your own: --data FILE.json. All flags: --help."
        )
    with progress("train_llm.py", _describe) as watch:
        run = resume(command.resume, watch) if command.resume else train(command.settings, watch)
    print(f"Done: {run.path}")
    print(f"Score it:  python -m eval.score_commonsense {run.path}")


def _describe(folder: RunFolder) -> list[str]:
    config = TextRun(folder.path).llm_config()
    data = config.data or "the items that come along"
    return [f"Training {config.base} on {data} with {config.method} → {folder.path}"]


if __name__ == "__main__":
    sys.exit(main())
