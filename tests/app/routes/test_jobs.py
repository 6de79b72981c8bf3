"""A job over HTTP: what it warned of."""

from __future__ import annotations

from starlette.testclient import TestClient

from app.jobs.records import JobKind
from app.jobs.store import record_event
from app.studio import Studio


def test_what_a_job_warned_of_is_told_once_for_all_its_attempts(
    client: TestClient, studio: Studio
) -> None:
    job = studio.queue.submit(JobKind.COMPARE, "compare", {}).id
    with studio.queue.store.engine.begin() as connection:
        for text in ("a photo is small", "no scores", "a photo is small"):
            record_event(connection, job, "warning", {"text": text})
        record_event(connection, job, "progress", {"step": 1})
    assert client.get(f"/api/jobs/{job}/warnings").json() == ["a photo is small", "no scores"]
    assert client.get("/api/jobs/nothing/warnings").status_code == 404
