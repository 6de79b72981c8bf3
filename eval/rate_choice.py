"""Which learning rate a method gets in a comparison: the same effort for every method.

Each rate is tried with one seed and all the steps (a shorter schedule hides a rate at whose height
training breaks down), on nine tenths of the rows that a cell trains on; the loss on training rows
that it has not seen decides. A trial on a tenth alone would learn a small set by heart and ask for
too low a rate. The dev or test set has no say.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

from eval.comparison_cells import Looks, Maker, Numbers, once, trained
from eval.comparison_config import (
    CHOOSING_SEED,
    CHOOSING_SHARE,
    HELD_OUT,
    ComparisonConfig,
    Recipe,
)
from trainer.data.glue import LabelledText
from trainer.data.instruct import Item, read_items
from trainer.errors import NonFiniteError
from trainer.glue import read_rows
from trainer.journal import Watch
from trainer.text.batches import Example, draw, hold_out, tokenise_instructions, tokenise_sentences
from trainer.text.finished import open_text_run
from trainer.text.load import TextModel
from trainer.text.task import AnswerLoss, Classification, Objective
from trainer.text.validation import Validation
from trainer.text_config import GlueConfig, LLMConfig, ValidationConfig


def rate_losses(
    config: ComparisonConfig, name: str, maker: Maker | None = None
) -> dict[float, float] | None:
    """The loss by rate, infinite where training diverged; None while another call tries one."""
    losses = {}
    for settings in trials_of(config, name):
        found = once("loss.json", maker, _judge, settings)
        if found is None:
            return None
        rate = settings.optim.learning_rate
        losses[rate] = math.inf if found["loss"] is None else found["loss"]
    return losses


def trials_of(config: ComparisonConfig, name: str) -> list[Recipe]:
    """The settings of a method with every rate that it has to choose from."""
    rows = _training_rows(config.recipe())
    examples = rows - max(1, rows // CHOOSING_SHARE)
    return [config.trial(name, rate, examples) for rate in config.rates_of(name)]


@lru_cache(maxsize=8)
def _training_rows(recipe: Recipe) -> int:
    """How many rows a cell trains on; read once, also by a job that asks again and again."""
    rows = len(_sentences(recipe) if isinstance(recipe, GlueConfig) else _items(recipe))
    return rows if recipe.examples is None else min(rows, recipe.examples)


def _sentences(recipe: GlueConfig) -> list[LabelledText]:
    return read_rows(recipe, "train")


def _items(recipe: LLMConfig) -> list[Item]:
    return read_items(recipe.items)


def _judge(settings: Recipe, looks: Looks | None = None) -> Numbers:
    """Train with one rate; the loss on what it left out, None where training diverged."""
    try:
        run = trained(settings, looks)
    except NonFiniteError:
        return {"loss": None}
    text = open_text_run(run.path)[1]
    objective: Objective
    objective = Classification(text) if isinstance(settings, GlueConfig) else AnswerLoss(text)
    examples = _left_out(settings, text)
    judge = Validation(objective, examples, settings.optim.batch_size, ValidationConfig())
    loss = judge.take(0, Watch())["loss"]
    return {"loss": loss if math.isfinite(loss) else None}


def _left_out(settings: Recipe, text: TextModel) -> Sequence[Example]:
    """Rows that the trial with these settings has not drawn, as tokens."""
    drawn, seed, longest = settings.examples or 0, CHOOSING_SEED, text.at_most(settings.max_length)
    if isinstance(settings, GlueConfig):
        rows = draw(hold_out(_sentences(settings), drawn, seed)[0], HELD_OUT, seed)
        return tokenise_sentences(text.tokenizer, rows, longest)
    items = draw(hold_out(_items(settings), drawn, seed)[0], HELD_OUT, seed)
    return tokenise_instructions(text.tokenizer, items, settings.style, longest)
