"""The end of a run on text: what was trained, in files."""

from __future__ import annotations

from dataclasses import dataclass

from trainer.adapters.attach import Adapter
from trainer.adapters.checkpoint import save_native
from trainer.adapters.peft_export import TaskType, write_peft
from trainer.checkpoints import save_head
from trainer.loop import Trained
from trainer.methods.placed import PlacedMethod
from trainer.text.load import TextModel
from trainer.text.rivals import publish_rival
from trainer.text_run import TextRun


@dataclass(frozen=True)
class Published:
    """What was trained, in numbers."""

    parameters: int
    """Of the method."""
    head_parameters: int


def publish(run: TextRun, text: TextModel, trained: Trained, step: int) -> Published:
    """Write native.safetensors, the head where there is one, and what other programs load."""
    method, fingerprint = trained.adapter, trained.base_fingerprint
    save_native(method, run.native, step=step, base_fingerprint=fingerprint)
    if text.head:
        save_head(text.head, run.head)
    task_type: TaskType = "SEQ_CLS" if text.head else "CAUSAL_LM"
    if isinstance(method, Adapter):
        write_peft(
            method, run.adapter, base=text.model.name_or_path, task_type=task_type, head=text.head
        )
    elif isinstance(method, PlacedMethod):
        publish_rival(run, text, method, task_type)
    return Published(
        sum(parameter.numel() for parameter in method.trainable_parameters()),
        sum(parameter.numel() for parameter in text.head.values()),
    )
