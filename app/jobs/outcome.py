"""What an ended attempt means for its job: pure, from how the program ended."""

from __future__ import annotations

from dataclasses import dataclass

from app.jobs.policy import Policy
from app.jobs.programs.exits import Exit
from app.jobs.records import JobState

LOW_MEMORY = "low"


@dataclass(frozen=True)
class Outcome:
    """What becomes of the job."""

    state: JobState
    message: str = ""
    wait_seconds: float = 0.0
    """Before the next attempt."""
    blames_the_job: bool = True
    """Whether the attempt counts towards quarantine if it left nothing new."""
    memory_profile: str | None = None
    """What the next attempt is told to use."""


@dataclass(frozen=True)
class Ending:
    """How an attempt ended."""

    code: int
    """Exit code of the program; minus the signal's number where one killed it."""
    attempt: int
    """Attempts begun, this one included."""
    fruitless: int
    """Attempts in a row that left nothing new to go on from, this one included if so."""
    cancelled: bool = False
    """A person said so."""
    leaving: bool = False
    """The worker left or died."""
    can_shrink: bool = False
    """The job can run with less memory and has not yet."""
    message: str = ""
    """Of result.json or error.txt, if the program left one."""
    log: str = ""
    """The end of what it printed."""


def outcome_of(ending: Ending, policy: Policy) -> Outcome:
    """Done, failed, to be tried again, blocked or quarantined."""
    match ending.code:
        case Exit.DONE:
            return Outcome(JobState.SUCCEEDED, ending.message)
        case _ if ending.cancelled:
            return Outcome(JobState.CANCELLED)
        case _ if ending.leaving:
            return Outcome(JobState.QUEUED, "its worker left", blames_the_job=False)
        case Exit.REFUSED:
            return Outcome(JobState.FAILED, ending.message or ending.log)
        case Exit.DISK_FULL:
            return Outcome(JobState.BLOCKED, ending.message or "The disk is full.")
        case Exit.OUT_OF_MEMORY | 137:  # 137: as a shell tells a death by SIGKILL
            return _out_of_memory(ending)
    return _crashed(ending, policy)


def too_little_disk(free: int, needed: int, folder: str) -> Outcome:
    """Blocked before it began."""
    return Outcome(
        JobState.BLOCKED,
        f"Only {free / 1e9:.2f} GB are free in {folder}, {needed / 1e9:.2f} GB are needed. Free "
        "some space (old runs, caches under System), then press Retry.",
        blames_the_job=False,
    )


def worn_out(fruitless: int, log: str) -> Outcome:
    """Quarantined: more of the same would only repeat it."""
    return Outcome(
        JobState.QUARANTINED,
        f"{fruitless} attempts in a row left no new checkpoint or picture, so it is not tried "
        f"again by itself. Retry starts three more. The end of its log:\n{log}",
    )


def _out_of_memory(ending: Ending) -> Outcome:
    if ending.can_shrink:
        again = "out of memory; once more with the smaller memory profile"
        return Outcome(JobState.QUEUED, again, memory_profile=LOW_MEMORY)
    return Outcome(
        JobState.FAILED,
        ending.message
        or "Out of memory, in the smallest profile that the job allows too. Use a smaller "
        "resolution or rank, the preset low-vram, or a larger GPU.",
    )


def _crashed(ending: Ending, policy: Policy) -> Outcome:
    if ending.fruitless >= policy.max_fruitless:
        return worn_out(ending.fruitless, ending.log)
    waits = policy.retry_seconds
    wait = waits[min(ending.attempt, len(waits)) - 1]
    how = f"was killed by signal {-ending.code}" if ending.code < 0 else f"crashed ({ending.code})"
    return Outcome(
        JobState.QUEUED,
        f"attempt {ending.attempt} {how}; the next one starts after {wait:g} s. The end of its "
        f"log:\n{ending.log}",
        wait_seconds=wait,
    )
