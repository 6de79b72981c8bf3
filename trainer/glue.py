"""Labelled sentences → LoRA-TSD on an encoder, with a head → a run folder: the recipe.

GLUE after Wang et al. 2019; training as in the paper's Section 8.4 and Table 10.
"""

from __future__ import annotations

from pathlib import Path

from trainer.data.glue import DEMO_FOLDER, HUB, LabelledText, Split, read_task, task_named
from trainer.journal import Watch
from trainer.text.batches import draw, tokenise_sentences
from trainer.text.finished import load_base
from trainer.text.task import Classification
from trainer.text.training import Material, resume_text, train_text
from trainer.text_config import GlueConfig
from trainer.text_run import TextRun


def train(config: GlueConfig, watch: Watch | None = None) -> TextRun:
    """Train from the start. Nothing is written before data, base and config are known to fit.

    Raises UserError for bad input, Interrupted after a stop (the run can be resumed), and
    NonFiniteError where the result would be wrong.
    """
    return train_text(config, f"{config.task}-{config.method}", gather, watch or Watch())


def resume(path: Path, watch: Watch | None = None) -> TextRun:
    """Go on with an unfinished run, exactly where its newest checkpoint stands."""
    run = TextRun(path)
    return resume_text(run, run.glue_config(), gather, watch or Watch())


def gather(config: GlueConfig) -> Material:
    """The base with its head, and the tokens of the task's rows; ConfigError or DataError for bad
    input."""
    rows = draw(read_rows(config, "train"), config.examples, config.optim.seed)
    dev = read_rows(config, "dev") if config.validation.every else []
    held_out = draw(dev, config.validation.examples, config.optim.seed)
    config.validate_for(len(rows))
    text = load_base(config)
    longest = text.at_most(config.max_length)
    return Material(
        text,
        Classification(text),
        tokenise_sentences(text.tokenizer, rows, longest),
        tokenise_sentences(text.tokenizer, held_out, longest),
    )


def read_rows(config: GlueConfig, split: Split) -> list[LabelledText]:
    """A split of the config's task, from where the config says."""
    task = task_named(config.task)
    data = config.data or (str(DEMO_FOLDER) if task.name == "demo" else HUB)
    return read_task(data, task, split)
