"""What an ending means for the job."""

from __future__ import annotations

import pytest

from app.jobs.outcome import LOW_MEMORY, Ending, outcome_of
from app.jobs.policy import Policy
from app.jobs.records import JobState

FIRST = {"attempt": 1, "fruitless": 1}


@pytest.mark.parametrize(
    ("code", "state"),
    [
        (0, JobState.SUCCEEDED),
        (2, JobState.FAILED),
        (74, JobState.BLOCKED),
        (77, JobState.FAILED),
        (130, JobState.QUEUED),
        (137, JobState.FAILED),
        (1, JobState.QUEUED),
        (-9, JobState.QUEUED),
    ],
)
def test_each_exit_code_has_its_state(code: int, state: JobState) -> None:
    assert outcome_of(Ending(code, **FIRST), Policy()).state is state


def test_a_users_error_and_a_full_disk_are_told_in_the_programs_own_words() -> None:
    for code in (2, 74):
        assert outcome_of(Ending(code, **FIRST, message="say so"), Policy()).message == "say so"


def test_a_crash_is_tried_again_later_and_later() -> None:
    waits = [outcome_of(Ending(1, n, fruitless=1), Policy()).wait_seconds for n in (1, 2, 3, 4)]
    assert waits == [10, 60, 300, 300]


def test_the_third_attempt_without_a_checkpoint_is_quarantined_with_the_end_of_the_log() -> None:
    outcome = outcome_of(Ending(1, attempt=7, fruitless=3, log="Traceback: boom"), Policy())
    assert outcome.state is JobState.QUARANTINED
    assert "Traceback: boom" in outcome.message


def test_out_of_memory_gets_one_attempt_with_less() -> None:
    first = outcome_of(Ending(77, **FIRST, can_shrink=True), Policy())
    assert (first.state, first.memory_profile) == (JobState.QUEUED, LOW_MEMORY)
    assert outcome_of(Ending(77, **FIRST, can_shrink=False), Policy()).state is JobState.FAILED


def test_an_attempt_whose_worker_left_is_not_held_against_the_job() -> None:
    for code in (130, 1, -9):
        outcome = outcome_of(Ending(code, attempt=9, fruitless=3, leaving=True), Policy())
        assert (outcome.state, outcome.blames_the_job) == (JobState.QUEUED, False)


def test_a_cancelled_job_that_finished_first_has_succeeded() -> None:
    assert outcome_of(Ending(0, **FIRST, cancelled=True), Policy()).state is JobState.SUCCEEDED
    assert outcome_of(Ending(-9, **FIRST, cancelled=True), Policy()).state is JobState.CANCELLED
