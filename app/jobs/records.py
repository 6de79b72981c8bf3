"""What a job is: a frozen record, its states and what a person may wish of it. No torch, no DB."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from trainer.errors import UserError


class StateError(UserError):
    """A job or run is not in the state for it; the message says in which it would be."""


class Wish(StrEnum):
    """What a person may ask of a running job, beside cancelling it."""

    SAVE = "save"  # write a checkpoint now
    SAMPLE = "sample"  # draw previews now
    FINISH = "finish"  # stop, and keep what is there: the adapter as it is, the pictures drawn


class JobKind(StrEnum):
    """What a job does; `app.requests` has one request a kind."""

    TRAIN = "train"
    GENERATE = "generate"
    SCORE = "score"
    COMPARE = "compare"
    TEXT_TRAIN = "text_train"
    TEXT_SCORE = "text_score"
    TEXT_CELL = "text_cell"
    DIRECTIONS = "directions"

    @property
    def learns(self) -> bool:
        """Whether it trains one adapter, that can be saved, kept early, and made in less memory."""
        return self in (JobKind.TRAIN, JobKind.TEXT_TRAIN)

    @property
    def wishes(self) -> tuple[Wish, ...]:
        """What it serves while it runs."""
        match self:
            case JobKind.TRAIN:
                return (Wish.SAVE, Wish.SAMPLE, Wish.FINISH)
            case JobKind.TEXT_TRAIN:
                return (Wish.SAVE, Wish.FINISH)
            case JobKind.GENERATE | JobKind.SCORE:
                return (Wish.FINISH,)
        return ()


class JobState(StrEnum):
    """Where a job is, as a person sees it."""

    QUEUED = "queued"  # waits for a slot, at first or for another attempt
    RUNNING = "running"  # a supervisor holds its lease
    SUCCEEDED = "succeeded"  # all that it was to make is there, proven
    FAILED = "failed"  # ended with an error that its message explains
    CANCELLED = "cancelled"  # ended because a person said so
    BLOCKED = "blocked"  # cannot go on until disk or memory is there; says what is missing
    QUARANTINED = "quarantined"  # three attempts that left nothing new; waits for a person

    @property
    def final(self) -> bool:
        """Whether nothing happens any more unless a person retries."""
        return self not in (JobState.QUEUED, JobState.RUNNING)

    @property
    def retriable(self) -> bool:
        """Whether there is something to try again: it ended, and not well."""
        return self.final and self is not JobState.SUCCEEDED


@dataclass(frozen=True)
class Job:
    """One row of the queue."""

    id: str
    kind: JobKind
    title: str
    """A line for people: `duck · lora-tsd`."""
    request: dict[str, Any]
    """The request of `app.requests` as JSON."""
    state: JobState
    message: str = ""
    """Why it failed or is blocked, what to do next; empty where there is nothing to say."""
    priority: int = 0
    """Higher runs first; equal ones in the order of their submission."""
    group: str | None = None
    """Jobs submitted together, such as the methods of a comparison."""
    run: str | None = None
    """Name of the run folder it makes or uses."""
    rerun_of: str | None = None
    worker: str | None = None
    """`host:slot` of the attempt that runs or ran last."""
    attempt: int = 0
    """Attempts begun."""
    step: int = 0
    total_steps: int = 0
    """Steps, pictures or parts, as the kind counts; 0 while not yet known."""
    eta_seconds: float | None = None
    created_at: float = 0.0
    """Unix seconds, as are the others."""
    started_at: float | None = None
    """Of the first attempt."""
    ended_at: float | None = None


@dataclass(frozen=True)
class Event:
    """Something that happened to a job, numbered over all jobs."""

    seq: int
    job_id: str
    kind: str
    """state, run, progress, launch, preview, validation, checkpoint, kept, wish, warning."""
    data: dict[str, Any]
    at: float
    """Unix seconds."""
