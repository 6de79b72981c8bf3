"""/jobs and /events: ask for work, watch it, change one's mind."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query
from fastapi.responses import FileResponse, PlainTextResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel

from app.jobs.records import Job, JobState, Wish
from app.requests import CompareRequest, GenerateRequest, ScoreRequest, TrainRequest
from app.routes.common import StudioNeeded, sent
from app.views import Estimate

POLL_SECONDS = 0.5
Number = Annotated[int, Query(ge=0, le=2**53)]

router = APIRouter(tags=["jobs"])


class MethodComparison(BaseModel, extra="forbid"):
    """One training by several methods and seeds."""

    request: TrainRequest
    methods: list[str]
    seeds: list[int] = [0]


class Cancelling(BaseModel, extra="forbid"):
    keep: bool = False
    """Stop a running training, and make the adapter of what was learnt; of a drawing or a scoring
    on photos, keep the pictures that are there. Other kinds that run have nothing to keep: 409."""


class Wished(BaseModel, extra="forbid"):
    wish: Wish


class Priority(BaseModel, extra="forbid"):
    priority: int


class Changes(BaseModel, extra="forbid"):
    changes: dict[str, Any] = {}
    """Of the request, nested as it is."""


@router.post("/estimate")
def estimate(studio: StudioNeeded, request: TrainRequest) -> Estimate:
    """How long the training would take. Nothing is started."""
    return studio.estimate(request)


@router.post("/command", response_class=PlainTextResponse)
def command(studio: StudioNeeded, request: TrainRequest) -> str:
    """The headless command that trains the same."""
    return studio.command_line(request)


@router.post("/jobs/train", status_code=201)
def train(studio: StudioNeeded, request: TrainRequest) -> Job:
    return studio.train(request)


@router.post("/jobs/methods", status_code=201)
def compare_methods(studio: StudioNeeded, asked: MethodComparison) -> list[Job]:
    """A job a method and seed, all of one `group`; /method-tables/{group} is their table."""
    return studio.compare_methods(asked.request, asked.methods, asked.seeds)


@router.post("/jobs/generate", status_code=201)
def generate(studio: StudioNeeded, request: GenerateRequest) -> Job:
    return studio.generate(request)


@router.post("/jobs/score", status_code=201)
def score(studio: StudioNeeded, request: ScoreRequest) -> Job:
    return studio.score(request)


@router.post("/jobs/compare", status_code=201)
def compare(studio: StudioNeeded, request: CompareRequest) -> Job:
    return studio.compare(request)


@router.get("/jobs")
def list_jobs(
    studio: StudioNeeded,
    group: str | None = None,
    run: str | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> list[Job]:
    """Running, then waiting in the order they will run, then ended, newest first."""
    return studio.jobs(group=group, run=run, limit=limit)


@router.get("/jobs/{job_id}")
def get_job(studio: StudioNeeded, job_id: str) -> Job:
    return studio.job(job_id)


@router.delete("/jobs/{job_id}", status_code=204)
def delete_job(studio: StudioNeeded, job_id: str) -> None:
    """Forget an ended job and its files; what it made in a run stays."""
    studio.delete_job(job_id)


@router.post("/jobs/{job_id}/cancel")
def cancel(studio: StudioNeeded, job_id: str, how: Cancelling | None = None) -> Job:
    return studio.cancel(job_id, how is not None and how.keep)


@router.post("/jobs/{job_id}/wish", status_code=202)
def wish(studio: StudioNeeded, job_id: str, wished: Wished) -> Job:
    """save: a checkpoint now, of a training. sample: previews now, of a training on photos. finish:
    as cancelling with `keep`. 409 where the job does not run, or serves no such wish."""
    studio.wish(job_id, wished.wish)
    return studio.job(job_id)


@router.post("/jobs/{job_id}/retry")
def retry(studio: StudioNeeded, job_id: str) -> Job:
    """The same job again, from where it stood; 404 where the run or the comparison that it is about
    was deleted since."""
    return studio.retry(job_id)


@router.post("/jobs/{job_id}/duplicate", status_code=201)
def duplicate(studio: StudioNeeded, job_id: str, asked: Changes) -> Job:
    return studio.duplicate(job_id, asked.changes)


@router.post("/jobs/{job_id}/rerun", status_code=201)
def rerun(studio: StudioNeeded, job_id: str) -> Job:
    return studio.rerun(job_id)


@router.put("/jobs/{job_id}/priority")
def set_priority(studio: StudioNeeded, job_id: str, wanted: Priority) -> Job:
    return studio.set_priority(job_id, wanted.priority)


@router.get("/jobs/{job_id}/log", response_class=PlainTextResponse)
def log(
    studio: StudioNeeded, job_id: str, lines: Annotated[int, Query(ge=1, le=10_000)] = 200
) -> str:
    return studio.log_tail(job_id, lines)


@router.get("/jobs/{job_id}/warnings")
def warnings(studio: StudioNeeded, job_id: str) -> list[str]:
    """What a person should know of how it went, such as photos that were left out."""
    return studio.warnings(job_id)


@router.get("/jobs/{job_id}/files/{name:path}", response_class=FileResponse)
def job_file(studio: StudioNeeded, job_id: str, name: str) -> FileResponse:
    """A picture, grid or table that the job has made."""
    return sent(studio.job_file(job_id, name))


def _watched(studio: StudioNeeded, job: str | None = None) -> Job | None:
    """The job to watch, looked up before the answer begins: where there is none, that is a 404."""
    return None if job is None else studio.job(job)


@router.get("/events", response_class=EventSourceResponse)
async def events(
    studio: StudioNeeded,
    watched: Annotated[Job | None, Depends(_watched)],
    after: Number = 0,
    last_event_id: Annotated[int | None, Header(ge=0, le=2**53)] = None,
) -> AsyncIterator[ServerSentEvent]:
    """What happens, as server-sent events; of one job until it has ended, else for ever.

    A client that reconnects sends Last-Event-ID and misses nothing.
    """
    seq = after if last_event_id is None else last_event_id
    job = None if watched is None else watched.id
    ended = watched is not None and watched.state.final
    while True:
        found = await asyncio.to_thread(studio.events, seq, job)
        for event in found:
            seq = event.seq
            if event.kind == "state":
                ended = watched is not None and JobState(event.data["state"]).final
            yield ServerSentEvent(id=str(seq), event=event.kind, data=dataclasses.asdict(event))
        if ended and not found:
            return
        await asyncio.sleep(POLL_SECONDS)
