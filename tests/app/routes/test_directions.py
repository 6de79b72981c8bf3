"""REST of the studies of directions: asked for, fetched with its figures, refused in words."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PIL import Image
from starlette.testclient import TestClient

from app.studio import Studio
from trainer.files import write_json
from trainer.text_config import GlueConfig
from trainer.text_run import TextRun


@pytest.fixture
def runs(studio: Studio) -> None:
    for name, instead in (("full-1", "full"), ("tsd-1", None)):
        run = TextRun(studio.workspace.run(name))
        run.write_config(replace(GlueConfig(), instead=instead))  # type: ignore[arg-type]
        write_json(run.status_file, {"state": "succeeded", "step": 6})


def test_studies_are_asked_for_and_come_back_with_figures_to_fetch(
    client: TestClient, studio: Studio, runs: None
) -> None:
    asked = client.post("/api/jobs/directions", json={"full": "full-1", "runs": ["tsd-1"]})
    job = asked.json()
    assert asked.status_code == 201 and (job["kind"], job["state"]) == ("directions", "queued")
    assert client.get(f"/api/directions/{job['id']}").status_code == 404
    folder = studio.directions.folder(job["id"])
    figure = {"kind": "capture", "method": "lora, top", "file": "lora-top/capture.png"}
    write_json(folder / "directions.json", {"methods": {}, "figures": [figure]})
    (folder / "lora-top").mkdir()
    Image.new("RGB", (8, 8)).save(folder / figure["file"])
    found = client.get(f"/api/directions/{job['id']}").json()
    [shown] = found["figures"]
    assert shown["kind"] == "capture"
    picture = client.get(shown["url"])
    assert picture.headers["content-type"] == "image/png" and picture.content[:4] == b"\x89PNG"
    numbers = client.get(f"/api/jobs/{job['id']}/files/studies/directions.json")
    assert numbers.json()["figures"] == [figure]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"full": "tsd-1"}, "only a full fine-tuning"),
        ({"full": "../../etc"}, "is no name"),
        ({"full": "full-1", "null_draws": 0}, "2 to 200"),
        ({"full": "full-1", "runs": ["full-1"]}, "each once"),
        ({"full": "full-1", "layer": 7}, "layer"),
        ({}, "full"),
    ],
)
def test_what_cannot_be_studied_is_refused_in_words(
    client: TestClient, runs: None, body: dict[str, object], words: str
) -> None:
    answer = client.post("/api/jobs/directions", json=body)
    assert answer.status_code == 422 and words in answer.json()["error"]
