"""What a run began with, so that it goes on with the same: where its texts and its base lie, and a
digest of its examples.

DreamBooth copies its photos into the run; texts may be gigabytes or lie on the hub, so they are
told by their digest.
"""

from __future__ import annotations

import hashlib
import json
import os
from array import array
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from trainer.errors import ResumeError
from trainer.text.batches import Example
from trainer.text.packaged import PACKAGED
from trainer.text_config import TextConfig
from trainer.text_run import TextRun

AnyConfig = TypeVar("AnyConfig", bound=TextConfig)
Told = dict[str, dict[str, Any]]


def placed(config: AnyConfig) -> AnyConfig:
    """The config with what lies on this machine by its whole path, whichever folder the run is gone
    on with from."""
    base = config.base if config.base in PACKAGED else _whole_path(config.base)
    return replace(config, base=base, data=config.data and _whole_path(config.data))


def _whole_path(place: str) -> str:
    """Of a file or folder; what is none is a name on the hub."""
    path = Path(place).expanduser()
    return os.path.abspath(path) if path.exists() else place


def tell(examples: Sequence[Example], held_out: Sequence[Example]) -> Told:
    """How many of either there are, and their digest."""
    return {
        part: {"n": len(found), "sha256": _digest(found)}
        for part, found in (("train", examples), ("held_out", held_out))
    }


def _digest(examples: Sequence[Example]) -> str:
    """Of tokens, labels and lengths of answers, in their order."""
    digest = hashlib.sha256()
    for example in examples:
        digest.update(repr((example.length, example.label, example.answer)).encode())
        digest.update(array("q", example.tokens["input_ids"]).tobytes())
    return digest.hexdigest()


def require_same_examples(run: TextRun, told: Told) -> None:
    """ResumeError where a run would go on with other examples: in another order, for another number
    of steps. Runs of old have no digest."""
    if not run.examples.exists():
        return
    began: Told = json.loads(run.examples.read_text("utf-8"))
    changed = [
        f"{part} {began[part]['n']}, now {now['n']}{' others' * (began[part]['n'] == now['n'])}"
        for part, now in told.items()
        if began[part] != now
    ]
    if changed:
        raise ResumeError(
            f"{run.path} began with other examples ({'; '.join(changed)}): its texts, or the "
            "tokenizer of its base, have changed. Put them back as they were, or start a new run."
        )
