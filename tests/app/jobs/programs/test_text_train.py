"""A training on texts that ran out of memory once goes on in less of it."""

from __future__ import annotations

import dataclasses

import pytest

from app.jobs.programs.text_train import _low_memory
from trainer.methods.config import Instead
from trainer.text_presets import llm_preset


@pytest.mark.parametrize(("instead", "again"), [(None, True), ("dora", True), ("prefix", False)])
def test_activations_are_computed_again_where_the_method_can(
    instead: Instead | None, again: bool
) -> None:
    """A prefix stands in the cache, which such a training has not."""
    config = _low_memory(dataclasses.replace(llm_preset("demo"), instead=instead))
    assert config.model.gradient_checkpointing is again
    assert config.optim.micro_batch_size == 1
