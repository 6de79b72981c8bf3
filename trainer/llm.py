"""Instructions and answers → LoRA-TSD on a causal language model → a run folder: the recipe.

Commonsense after LLM-Adapters (Hu et al. 2023); training as in the paper's Section 8.3 and Table 8,
with the loss on the answers alone.
"""

from __future__ import annotations

from pathlib import Path

from trainer.data.instruct import DEMO_FILE, read_items, require_learnable
from trainer.errors import ConfigError
from trainer.journal import Watch
from trainer.text.batches import draw, hold_out, tokenise_instructions
from trainer.text.finished import load_base
from trainer.text.task import AnswerLoss
from trainer.text.training import Material, resume_text, train_text
from trainer.text_config import LLMConfig
from trainer.text_presets import paper_llms
from trainer.text_run import TextRun


def train(config: LLMConfig, watch: Watch | None = None) -> TextRun:
    """Train from the start. Nothing is written before data, base and config are known to fit.

    Raises UserError for bad input, Interrupted after a stop (the run can be resumed), and
    NonFiniteError where the result would be wrong.
    """
    _require_data(config)
    stem = f"{config.items.resolve().stem}-{config.method}"
    return train_text(config, stem, _gather, watch or Watch())


def resume(path: Path, watch: Watch | None = None) -> TextRun:
    """Go on with an unfinished run, exactly where its newest checkpoint stands."""
    run = TextRun(path)
    return resume_text(run, run.llm_config(), _gather, watch or Watch())


def _require_data(config: LLMConfig) -> None:
    """ConfigError where a preset of the paper would take the bundled items, for want of its own.

    Those of the demo with another base say texts, and a number of steps.
    """
    of_the_demo = config.style == "texts" and config.optim.steps is not None
    if config.data is None and config.base in paper_llms() and not of_the_demo:
        raise ConfigError(
            f"The presets for {config.base} train on the paper's 170,000 instructions, which do "
            "not come along: give them with --data, as in --data commonsense_170k.json "
            "(LLM-Adapters, Hu et al. 2023). The 200 items that come along are for --preset demo; "
            f"to take them all the same: --data {DEMO_FILE}."
        )


def _gather(config: LLMConfig) -> Material:
    seed, validation = config.optim.seed, config.validation
    kept = validation.examples if validation.every else 0
    found = read_items(config.items)
    require_learnable(found, config.style)
    items, held_out = hold_out(found, kept, seed)
    if not items:
        raise ConfigError(
            f"--validation.examples {kept} leaves nothing to train on: there are {len(held_out)}."
        )
    items = draw(items, config.examples, seed)
    config.validate_for(len(items))
    text = load_base(config)
    return Material(
        text,
        AnswerLoss(text),
        tokenise_instructions(text.tokenizer, items, config.style, config.max_length),
        tokenise_instructions(text.tokenizer, held_out, config.style, config.max_length),
    )
