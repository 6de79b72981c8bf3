"""What the verbs of `app.studio` answer with: frozen records that the page and REST show. No torch.

Each is plain data, so that `dataclasses.asdict` of it is the JSON of REST.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

Verdict = Literal["accepted", "warned"]
BaseState = Literal["embedded", "downloaded", "download", "gated"]


@dataclass(frozen=True)
class Upload:
    """A file that a client sent."""

    name: str
    """What the client called it: shown, never opened."""
    data: bytes | BinaryIO


@dataclass(frozen=True)
class PhotoView:
    """A photo that was kept, and what training will make of it."""

    file: str
    """Our own name of it; `Studio.photo_path` gives the picture."""
    source: str
    """The name it came with."""
    verdict: Verdict
    reasons: list[str]
    """Why it is warned of; read after the file's name."""
    caption: str
    """As written; empty where the subject's own sentence is used."""
    shown_caption: str
    """What training will read: the caption with token and class filled in."""
    lint: list[str]
    """What is wrong with the caption."""
    size: tuple[int, int]
    """(width, height) as it came, in pixels."""
    bucket: tuple[int, int]
    """(width, height) that training on SDXL scales and crops it to."""
    crop: tuple[float, float, float, float]
    """(left, top, right, bottom) of what the crop leaves, as shares of width and height."""


@dataclass(frozen=True)
class Refusal:
    """A file that stayed out, and why."""

    source: str
    reason: str


@dataclass(frozen=True)
class SubjectView:
    """A subject and its photos."""

    slug: str
    name: str
    class_token: str
    unique_token: str
    alpha_color: str
    photos: list[PhotoView]
    """Those to train on."""
    held_out: list[PhotoView]
    """Kept from training: scores compare the pictures with them."""
    refused: list[Refusal]
    """Of the last upload."""
    warnings: list[str]
    """What is said of the subject as a whole, such as of its token."""
    ready: bool
    """Whether it can be trained on."""


@dataclass(frozen=True)
class BaseChoice:
    """An SDXL base that may be trained on."""

    id: str
    label: str
    state: BaseState
    gigabytes: float
    """To download, or on disk."""
    note: str


@dataclass(frozen=True)
class Estimate:
    """How long a training will take and what it needs, before it is started."""

    seconds: float
    low: float
    high: float
    """Seconds; the time lies between these in about nine of ten runs like it."""
    steps: int
    memory_gib: float
    basis: str
    """Where the figures are from, in a sentence."""


@dataclass(frozen=True)
class RunView:
    """A run folder at a glance."""

    name: str
    subject: str
    method: str
    base: str
    base_fingerprint: str | None
    """Runs with the same one can be combined and compared; None until training is done."""
    steps: int
    """Optimizer steps done."""
    state: str
    """succeeded, or unfinished."""
    finished_at: float | None
    """Unix seconds."""
    scores: dict[str, Any] | None
    """What scores.json holds, once scored."""
    checkpoints: list[int]
    """Steps of the kept checkpoints."""


@dataclass(frozen=True)
class PictureView:
    """A picture that a generate job drew."""

    path: Path
    prompt: str
    seed: int
    scale: float
    checkpoint: int | None
    base: bool
    """Drawn by the base alone."""
    scores: dict[str, float]


@dataclass(frozen=True)
class GpuView:
    """One GPU as its driver reports it."""

    name: str
    used_gib: float
    total_gib: float


@dataclass(frozen=True)
class CacheView:
    """Files that can be made or fetched again."""

    name: str
    bytes: int
    deletable: bool
    """Whether `Studio.delete_cache` takes its name."""


@dataclass(frozen=True)
class SystemView:
    """The machine and the workers."""

    workers: list[Any]
    """`app.jobs.engine.WorkerRow`s."""
    gpus: list[GpuView]
    memory_used_gib: float
    memory_total_gib: float
    disk_free_gib: float
    disk_total_gib: float
    caches: list[CacheView]
    versions: dict[str, str]


@dataclass(frozen=True)
class Token:
    """An API token; its secret is shown once and kept only as a hash."""

    id: str
    name: str
    created_at: float
