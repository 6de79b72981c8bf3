"""The end of a run on text: what was trained, in files."""

from __future__ import annotations

from dataclasses import dataclass

from trainer.adapters.checkpoint import save_native
from trainer.checkpoints import save_head
from trainer.loop import Trained
from trainer.text_run import TextRun


@dataclass(frozen=True)
class Published:
    """What was trained, in numbers."""

    parameters: int
    """Of the method."""
    head_parameters: int


def publish(run: TextRun, trained: Trained, step: int) -> Published:
    """Write native.safetensors, and the head where there is one."""
    fingerprint = trained.base_fingerprint
    save_native(trained.adapter, run.native, step=step, base_fingerprint=fingerprint)
    if trained.head:
        save_head(trained.head, run.head)
    return Published(
        sum(parameter.numel() for parameter in trained.adapter.trainable_parameters()),
        sum(parameter.numel() for parameter in trained.head.values()),
    )
