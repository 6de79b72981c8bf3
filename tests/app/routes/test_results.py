"""A comparison of methods over HTTP: started by one request, read as one table."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from starlette.testclient import TestClient

from app.jobs.records import JobKind
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
    names = [job["run"] for job in jobs]
    assert client.get(at).json() == {"rows": [], "unfinished": names, "failed": []}
    for job, clip_i in zip(jobs[:3], (0.3, 0.4, 0.5), strict=True):
        method = job["request"]["settings"]["adapter"]["method"]
        finished_run(studio.workspace.run(job["run"]), method, clip_i, 1.0)
    shutil.rmtree(studio.workspace.run(jobs[3]["run"]))  # deleted by a person
    table = client.get(at).json()
    assert [(row["method"], row["n"]) for row in table["rows"]] == [("lora", 2), ("lora-tsd", 1)]
    assert round(table["rows"][0]["scores"]["clip_i"]["mean"], 6) == 0.4
    assert table["unfinished"] == []


def test_layers_are_those_that_all_runs_launched_in(client: TestClient, studio: Studio) -> None:
    for name, layers in (("a", ("to_k", "to_q")), ("b", ("to_k", "to_v"))):
        studio.workspace.run(name).mkdir()
        launched = {f"{layer}.direction_index": np.array([0, 2]) for layer in layers}
        save_file(launched, Run(studio.workspace.run(name)).native)
    assert client.get("/api/layers", params={"run": ["a", "b"]}).json() == ["to_k"]
    assert client.get("/api/layers", params={"run": ["a", "nobody"]}).status_code == 404


def test_the_history_is_of_pictures_only_the_newest_first(
    client: TestClient, studio: Studio
) -> None:
    queue = studio.queue
    for name in ("older", "newer"):
        queue.submit(JobKind.GENERATE, name, {"prompts": [name]})
    queue.submit(JobKind.COMPARE, "no pictures", {})
    assert [job["title"] for job in client.get("/api/history").json()] == ["newer", "older"]
    assert len(client.get("/api/history", params={"limit": 1}).json()) == 1


def test_no_such_comparison_is_not_there(client: TestClient) -> None:
    answer = client.get("/api/method-tables/nothing")
    assert answer.status_code == 404 and "no comparison of methods" in answer.json()["error"]
