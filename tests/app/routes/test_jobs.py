"""A job over HTTP: what is asked, and what it warned of."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.checks import request_from_json
from app.jobs.records import JobKind
from app.jobs.store import record_event
from app.requests import AdapterUse, GenerateRequest, GridAxes
from app.studio import Studio
from trainer.errors import ConfigError

DRAW = {"adapters": [{"run": "duck-1"}], "prompts": ["a duck"]}


@pytest.mark.parametrize(
    ("address", "body", "field"),
    [
        ("train", {"subject": "duck", "setings": {}}, "setings"),
        ("generate", {**DRAW, "negativ_prompt": "x"}, "negativ_prompt"),
        ("generate", {**DRAW, "adapters": [{"run": "a", "scal": 2}]}, "adapters.0.scal"),
        ("generate", {**DRAW, "grid": {"scale": [1]}}, "grid.scale"),
        ("score", {"run": "duck-1", "seed": [1]}, "seed"),
        ("compare", {"runs": ["a", "b"], "layer": []}, "layer"),
        ("directions", {"full": "a", "run": []}, "run"),
        ("text-train", {"data": "glue-demo", "scored": True}, "scored"),
        ("methods", {"request": {"subject": "d", "setings": {}}, "methods": []}, "setings"),
    ],
)
def test_a_misspelt_field_is_refused_by_name(
    client: TestClient, address: str, body: dict[str, Any], field: str
) -> None:
    answer = client.post(f"/api/jobs/{address}", json=body)
    assert answer.status_code == 422 and f"{field}: Unexpected" in answer.json()["error"]
    if address != "methods":
        with pytest.raises(ConfigError, match=f"{field}: Unexpected"):
            request_from_json(JobKind(address.replace("-", "_")), body)


def test_a_stored_job_is_read_as_it_was_asked() -> None:
    asked = GenerateRequest((AdapterUse("a", 0.5, 3),), ("p",), grid=GridAxes((1.0,), (2,)))
    stored = json.loads(json.dumps(dataclasses.asdict(asked)))
    assert request_from_json(JobKind.GENERATE, stored) == asked


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


def test_events_of_a_job_that_is_not_there_are_not_there(client: TestClient) -> None:
    answer = client.get("/api/events", params={"job": "nope"})
    assert answer.status_code == 404 and "no job 'nope'" in answer.json()["error"]
