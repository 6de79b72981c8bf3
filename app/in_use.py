"""What jobs that wait or run still need, so that nobody takes it from under them. No torch."""

from __future__ import annotations

from collections.abc import Iterable

from app.jobs.records import Job, JobKind, StateError


def check_run_unused(name: str, active: Iterable[Job]) -> None:
    """StateError where one of these jobs makes or reads the run."""
    _refuse(f"the run {name}", [job for job in active if name in runs_of(job)])


def check_subject_unused(slug: str, active: Iterable[Job]) -> None:
    """StateError where one of these jobs trains on the subject."""
    trains = [job for job in active if job.kind is JobKind.TRAIN]
    _refuse(f"the subject {slug}", [job for job in trains if job.request.get("subject") == slug])


def check_texts_unused(set_id: str, users: list[Job]) -> None:
    """StateError where there are jobs that train on these texts or score by them."""
    _refuse(f"the texts {set_id}", users)


def check_comparison_unused(comparison_id: str, active: Iterable[Job]) -> None:
    """StateError where one of these jobs makes a cell of the comparison."""
    cells = [job for job in active if job.group == comparison_id]
    _refuse(f"the comparison {comparison_id}", cells)


def check_model_unused(name: str, users: Iterable[Job]) -> None:
    """StateError where there are jobs that load this model of the hub."""
    _refuse(f"the model {name}", list(users))


def check_idle(active: Iterable[Job]) -> None:
    """StateError where there is any job."""
    _refuse("what you want to delete", list(active))


def runs_of(job: Job) -> set[str | None]:
    """Names of the runs that the job makes or reads."""
    adapters = {use["run"] for use in job.request.get("adapters", ())}
    return {job.run, *adapters, *job.request.get("runs", ()), job.request.get("full")}


def _refuse(what: str, users: list[Job]) -> None:
    if users:
        named = ", ".join(job.id for job in users[:5]) + (" …" if len(users) > 5 else "")
        raise StateError(
            f"{len(users)} waiting or running jobs need {what} ({named}): cancel them first, then "
            "delete."
        )
