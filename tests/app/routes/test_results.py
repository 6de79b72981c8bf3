"""A comparison of methods over HTTP: started by one request, read as one table."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from starlette.testclient import TestClient

from app.studio import Studio
from app.views import Upload
from trainer.run import Run


def test_methods_are_started_together_and_read_as_one_table(
    client: TestClient,
    studio: Studio,
    duck: list[Upload],
    finished_run: Callable[[Path, str, float, float], Run],
) -> None:
    studio.create_subject("Duck", "duck", uploads=duck)
    request = {"subject": "duck", "preset": "demo", "settings": {"optim": {"steps": 10}}}
    asked = {"request": request, "methods": ["lora", "lora-tsd"], "seeds": [0, 1]}
    answer = client.post("/api/jobs/methods", json=asked)
    assert answer.status_code == 201
    jobs = answer.json()
    at = f"/api/method-tables/{jobs[0]['group']}"
    assert client.get(at).json() == {"rows": [], "unfinished": [job["run"] for job in jobs]}
    for job, clip_i in zip(jobs[:3], (0.3, 0.4, 0.5), strict=True):
        method = job["request"]["settings"]["adapter"]["method"]
        finished_run(studio.workspace.run(job["run"]), method, clip_i, 1.0)
    shutil.rmtree(studio.workspace.run(jobs[3]["run"]))  # deleted by a person
    table = client.get(at).json()
    assert [(row["method"], row["n"]) for row in table["rows"]] == [("lora", 2), ("lora-tsd", 1)]
    assert round(table["rows"][0]["scores"]["clip_i"]["mean"], 6) == 0.4
    assert table["unfinished"] == []


def test_no_such_comparison_is_not_there(client: TestClient) -> None:
    answer = client.get("/api/method-tables/nothing")
    assert answer.status_code == 404 and "no comparison of methods" in answer.json()["error"]
