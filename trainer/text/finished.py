"""A finished run on text, opened: its base with what was trained on it."""

from __future__ import annotations

from pathlib import Path

from trainer.adapters.checkpoint import restore_native
from trainer.checkpoints import load_head
from trainer.data.glue import task_named
from trainer.methods.build import build_method
from trainer.text.load import TextModel, load_causal_lm, load_classifier
from trainer.text_config import GlueConfig, LLMConfig
from trainer.text_run import TextRun


def load_base(config: GlueConfig | LLMConfig) -> TextModel:
    """The base that a run is trained on, with a fresh head where its task has one."""
    if isinstance(config, LLMConfig):
        return load_causal_lm(config.base, config.model, workspace=config.workspace)
    outputs = len(task_named(config.task).labels) or 1
    return load_classifier(
        config.base, config.model, outputs, seed=config.optim.seed, workspace=config.workspace
    )


def open_text_run(path: Path) -> tuple[TextRun, TextModel]:
    """The run and its model, ready to answer; ArtifactError where it has not finished."""
    run = TextRun(path)
    config = run.read_config()
    run.require_finished()
    text = load_base(config)
    method = build_method(text.model, config.adapter, config.instead, head=frozenset(text.head))
    restore_native(method, run.native, base_fingerprint=method.base_fingerprint())
    if text.head:
        load_head(text.head, run.head)
    text.model.eval()
    return run, text
