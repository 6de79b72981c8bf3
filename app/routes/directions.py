"""/jobs/directions, /directions: which directions a task needs, and which adapters find them."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from fastapi import APIRouter

from app.directions import STUDIES
from app.jobs.records import Job
from app.requests import DirectionsRequest
from app.routes.common import StudioNeeded

router = APIRouter(tags=["directions"])


@router.post("/jobs/directions", status_code=201)
def study_directions(studio: StudioNeeded, request: DirectionsRequest) -> Job:
    """A full fine-tuning, and runs on the same base to hold against it; /text-runs lists them."""
    return studio.directions.study(request)


@router.get("/directions/{job_id}")
def directions(studio: StudioNeeded, job_id: str) -> dict[str, Any]:
    """What a directions job found, each number with the null of random changes beside it, and its
    figures with addresses to fetch them from."""
    found = studio.directions.studies(job_id)
    figures = [
        {**figure, "url": f"/api/jobs/{job_id}/files/{STUDIES}/{quote(figure['file'])}"}
        for figure in found["figures"]
    ]
    return {**found, "figures": figures}
