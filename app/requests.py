"""What the page, REST and the queue ask for: one frozen request a job kind. No torch.

Names of subjects, runs and jobs are names, never paths; each request checks its own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Literal

from app.text_requests import Strict, TextRequest
from trainer.config import Scheduler
from trainer.errors import ConfigError

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
"""Subjects, runs and jobs are called so; nothing else reaches the file system."""


def check_name(what: str, name: str) -> str:
    """`name`, or a ConfigError: a name with a slash or a dot in front could leave its folder."""
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise ConfigError(
            f"{what} {str(name)[:100]!r} is no name: small letters, digits, dot, dash and "
            "underscore, at most 100, a letter or digit first."
        )
    return name


@dataclass(frozen=True)
class TrainRequest(Strict):
    """Train one subject."""

    subject: str
    """Slug of a subject of the workspace."""
    preset: Literal["default", "demo", "paper", "low-vram"] = "default"
    """Where the values start from."""
    base: str | None = None
    """A base of the list that the page shows; unset, the preset's."""
    settings: dict[str, Any] = field(default_factory=dict)
    """Changes of single values, nested as in a run's config.json; photos, run, workspace and base
    are not among them."""
    score: bool = True
    """Draw and score the prompt list when training is done."""


@dataclass(frozen=True)
class AdapterUse(Strict):
    """One run's adapter in a picture."""

    run: str
    scale: float = 1.0
    """0 is the base alone, 1 as trained."""
    checkpoint: int | None = None
    """Step of a kept checkpoint; unset, the finished adapter."""


@dataclass(frozen=True)
class GridAxes(Strict):
    """A grid of the first adapter over scale x seed x checkpoint, scores in the cells."""

    scales: tuple[float, ...] = (1.0,)
    checkpoints: tuple[int, ...] = ()
    """Steps; empty, the finished adapter only."""


@dataclass(frozen=True)
class GenerateRequest(Strict):
    """Draw pictures. All adapters must be of one base."""

    adapters: tuple[AdapterUse, ...]
    prompts: tuple[str, ...]
    """{unique_token} and {class_token} are those of the first adapter's subject."""
    negative_prompt: str = ""
    seeds: tuple[int, ...] = (0, 1, 2, 3)
    steps: int = 30
    guidance_scale: float = 6.0
    scheduler: Scheduler = "base"
    width: int | None = None
    height: int | None = None
    beside_base: bool = True
    """Also draw each picture by the base alone."""
    grid: GridAxes | None = None


@dataclass(frozen=True)
class ScoreRequest(Strict):
    """Draw the prompt list with a run and score it."""

    run: str
    seeds: tuple[int, ...] = (0, 1)
    max_prompts: int | None = None
    checkpoints: bool = False
    """Score each kept checkpoint too, for the curve of fidelity against editability."""


@dataclass(frozen=True)
class CompareRequest(Strict):
    """Compare the launched directions of two or more runs of one base."""

    runs: tuple[str, ...]
    layers: tuple[str, ...] = ()
    null_draws: int = 6


@dataclass(frozen=True)
class DirectionsRequest(Strict):
    """Study the directions of a full fine-tuning, and of other runs on the same base."""

    full: str
    """A run on text of the method full."""
    runs: tuple[str, ...] = ()
    """Adapters, and other full fine-tunings; those that differ in their seed are taken together."""
    layer: str | None = None
    """The layer whose change rates are drawn, by name or the end of it; unset, the middle one."""
    null_draws: int = 100
    """Random changes a layer, to hold every number against."""


Request = (
    TrainRequest | GenerateRequest | ScoreRequest | CompareRequest | TextRequest | DirectionsRequest
)
