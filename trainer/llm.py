"""Instructions and answers → LoRA-TSD on a causal language model → a run folder: the recipe.

Commonsense after LLM-Adapters (Hu et al. 2023); training as in the paper's Section 8.3 and Table 8,
with the loss on the answers alone.
"""

from __future__ import annotations

from pathlib import Path

from trainer.data.instruct import read_items, require_learnable
from trainer.errors import ConfigError
from trainer.journal import Watch
from trainer.text.batches import draw, hold_out, tokenise_instructions
from trainer.text.finished import load_base
from trainer.text.task import AnswerLoss
from trainer.text.training import Material, resume_text, train_text
from trainer.text_config import LLMConfig
from trainer.text_run import TextRun


def train(config: LLMConfig, watch: Watch | None = None) -> TextRun:
    """Train from the start. Nothing is written before data, base and config are known to fit.

    Raises UserError for bad input, Interrupted after a stop (the run can be resumed), and
    NonFiniteError where the result would be wrong.
    """
    stem = f"{config.items.resolve().stem}-{config.method}"
    return train_text(config, stem, gather, watch or Watch())


def resume(path: Path, watch: Watch | None = None) -> TextRun:
    """Go on with an unfinished run, exactly where its newest checkpoint stands."""
    run = TextRun(path)
    return resume_text(run, run.llm_config(), gather, watch or Watch())


def gather(config: LLMConfig) -> Material:
    """The base, and the tokens of the items it is to learn; ConfigError or DataError if unfit."""
    seed, validation = config.optim.seed, config.validation
    kept = validation.examples if validation.every else 0
    found = read_items(config.items)
    require_learnable(found, config.style)
    items, held_out = hold_out(found, kept, seed)
    if not items:
        raise ConfigError(
            f"--validation.examples {kept} leaves nothing to train on: there are {len(held_out)} "
            "items. Hold out fewer."
        )
    items = draw(items, config.examples, seed)
    config.validate_for(len(items))
    text = load_base(config)
    longest = text.at_most(config.max_length)
    return Material(
        text,
        AnswerLoss(text),
        tokenise_instructions(text.tokenizer, items, config.style, longest),
        tokenise_instructions(text.tokenizer, held_out, config.style, longest),
    )
