"""Texts over REST: sets go up, jobs are asked for, what came out is fetched."""

from __future__ import annotations

import csv
import io
import json
import shutil
from dataclasses import replace
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
from starlette.testclient import TestClient

from app.studio import Studio
from tests.text_bases import glue_recipe
from trainer import glue
from trainer.data.glue import DEMO_FOLDER
from trainer.text_config import LLMConfig
from trainer.text_run import TextRun

SMALL = {"optim": {"steps": 10}, "max_length": 32}


@pytest.fixture(scope="module")
def trained(bert: Path, tmp_path_factory: pytest.TempPathFactory) -> TextRun:
    return glue.train(glue_recipe(bert, tmp_path_factory.mktemp("workspace")))


@pytest.fixture
def run(studio: Studio, trained: TextRun) -> str:
    """A finished run of the workspace, trained on the bundled sentences, with two scorings."""
    folder = studio.workspace.run("demo-lora-tsd-1")
    shutil.copytree(trained.path, folder)
    for name in ("scores.json", "scores-mine-dev.json"):
        (folder / name).write_text('{"scores": {}}')
    (folder / "predictions.jsonl").write_text('{"label": "1"}\n{"label": "0"}\n')
    return folder.name


def test_a_set_goes_up_is_listed_and_deleted(client: TestClient) -> None:
    rows = (DEMO_FOLDER / "dev.tsv").read_bytes()
    form = {"name": "Mine", "task": "sst2"}
    made = client.post("/api/texts", data=form, files={"train": ("a.tsv", rows)})
    assert made.status_code == 201
    assert (made.json()["id"], made.json()["train"], made.json()["test"]) == ("mine", 60, 0)
    assert client.get("/api/texts").json()[0] == client.get("/api/texts/mine").json() == made.json()
    bad = client.post("/api/texts", data=form, files={"train": ("a.tsv", rows + b"x\t7\n")})
    assert bad.status_code == 422 and "a.tsv, line 62: the label '7'" in bad.json()["error"]
    empty = client.post("/api/texts", data=form)
    assert empty.status_code == 422 and "texts to train on" in empty.json()["error"]
    assert client.delete("/api/texts/mine").status_code == 204
    assert client.get("/api/texts/mine").status_code == 404


def test_a_training_is_asked_for_and_shown_as_a_command(client: TestClient) -> None:
    asked = {"data": "glue-demo", "settings": SMALL}
    assert "--optim.steps 10" in client.post("/api/text-command", json=asked).text
    job = client.post("/api/jobs/text-train", json=asked).json()
    assert (job["kind"], job["run"]) == ("text_train", "glue-demo-lora-tsd-1")
    again = client.post(f"/api/jobs/{job['id']}/duplicate", json={"changes": {"instead": "dora"}})
    assert again.json()["run"] == "glue-demo-dora-1"
    wrong = client.post("/api/jobs/text-train", json={**asked, "instead": "magic"})
    assert wrong.status_code == 422 and "instead" in wrong.json()["error"]


def test_scores_and_predictions_are_fetched_by_the_name_of_their_set(
    client: TestClient, run: str
) -> None:
    base = f"/api/text-runs/{run}"
    assert client.get(base).json()["task"] == "demo"
    assert [row["id"] for row in client.get(f"{base}/scores").json()] == ["own", "mine-dev"]
    rows = f"{base}/scores/own/predictions"
    assert client.get(rows, params={"rows": 1}).json() == [{"label": "1"}]
    file = client.get(f"{rows}.jsonl")
    saved = f'attachment; filename="{run}-predictions.jsonl"'
    assert file.text.count("\n") == 2 and file.headers["content-disposition"] == saved
    unknown = client.get(f"{base}/scores/secret/predictions")
    assert unknown.status_code == 404 and "there are: own, mine-dev" in unknown.json()["error"]
    assert client.get(f"/api/runs/{run}/export/bundle").content[:2] == b"PK"
    photos = client.get(f"/api/runs/{run}/export/kohya")
    assert photos.status_code == 404 and "as peft or bundle" in photos.json()["error"]
    peft = client.get(f"/api/runs/{run}/export/peft").content
    with ZipFile(io.BytesIO(peft)) as folder:
        names = [f"{run}-peft/adapter_{name}" for name in ("config.json", "model.safetensors")]
        assert folder.namelist() == names


def test_a_run_is_scored_only_by_rows_of_its_own_task(
    client: TestClient, studio: Studio, run: str
) -> None:
    asked = {"run": run, "data": "commonsense-demo"}
    refused = client.post("/api/jobs/text-score", json=asked)
    assert refused.status_code == 422 and "possible: glue-demo" in refused.json()["error"]
    job = client.post("/api/jobs/text-score", json={"run": run}).json()
    assert (job["kind"], job["run"]) == ("text_score", run)
    in_use = client.delete(f"/api/runs/{run}")
    assert in_use.status_code == 409
    studio.workspace.run(run).joinpath("status.json").unlink()
    early = client.post("/api/jobs/text-score", json={"run": run})
    assert early.status_code == 409 and "has not finished" in early.json()["error"]


def test_the_file_for_glue_s_server_is_asked_for_as_a_scoring_and_fetched_by_name(
    client: TestClient, studio: Studio, run: str
) -> None:
    made = TextRun(studio.workspace.run(run))
    made.write_config(replace(made.glue_config(), task="rte", data=None))
    asked = {"run": run, "test": True}
    job = client.post("/api/jobs/text-score", json=asked).json()
    assert (job["kind"], job["run"], job["request"]["test"]) == ("text_score", run, True)
    other = client.post("/api/jobs/text-score", json={**asked, "data": "hub-rte"})
    assert other.status_code == 422 and "data: leave it out" in other.json()["error"]
    base = f"/api/text-runs/{run}/submissions"
    assert client.get(base).json() == []
    made.submissions.mkdir()
    (made.submissions / "RTE.tsv").write_text("index\tprediction\n0\tentailment\n")
    assert client.get(base).json() == ["RTE.tsv"]
    file = client.get(f"{base}/RTE.tsv")
    assert file.headers["content-disposition"] == 'attachment; filename="RTE.tsv"'
    assert file.text.endswith("0\tentailment\n")
    for name in ("config.json", "..%2fconfig.json", "RTE"):
        assert client.get(f"{base}/{name}").status_code == 404


def test_texts_without_a_test_set_say_so(client: TestClient, studio: Studio, run: str) -> None:
    asked = {"run": run, "test": True}
    refused = client.post("/api/jobs/text-score", json=asked)
    assert refused.status_code == 422
    assert "Praise and blame have no test set" in refused.json()["error"]
    TextRun(studio.workspace.run(run)).write_config(LLMConfig())
    refused = client.post("/api/jobs/text-score", json=asked)
    assert refused.status_code == 422 and "only the tasks of GLUE" in refused.json()["error"]
    assert studio.jobs() == []


def test_a_comparison_is_a_group_of_cells_with_a_table(client: TestClient) -> None:
    asked = {"data": "glue-demo", "methods": ["lora", "ssl"], "seeds": [0, 1], "steps": 15}
    jobs = client.post("/api/jobs/text-methods", json=asked).json()
    cells = [(job["request"]["method"], job["request"]["seed"]) for job in jobs]
    assert cells == [("lora", 0), ("ssl", 0), ("lora", 1), ("ssl", 1)]
    [group] = {job["group"] for job in jobs}
    table = client.get(f"/api/text-comparisons/{group}").json()
    assert [(row["method"], row["open"], row["cells"]) for row in table["methods"]] == [
        ("lora", [0, 1], []), ("ssl", [0, 1], []),
    ]  # fmt: skip
    assert [row["id"] for row in client.get("/api/text-comparisons").json()] == [group]
    assert client.delete(f"/api/text-comparisons/{group}").status_code == 409
    for job in jobs:
        client.post(f"/api/jobs/{job['id']}/cancel", json={})
    failed = client.get(f"/api/text-comparisons/{group}").json()["failed"]
    assert [row["state"] for row in failed] == ["cancelled"] * 4
    changed = {"changes": {"seed": 7}}
    other = client.post(f"/api/jobs/{jobs[0]['id']}/duplicate", json=changed)
    assert other.status_code == 422 and "has no cell lora with seed 7" in other.json()["error"]
    client.delete(f"/api/jobs/{jobs[3]['id']}")
    missing = client.get(f"/api/text-comparisons/{group}").json()["unqueued"]
    assert missing == [{"method": "ssl", "seed": 1}]
    [again] = client.post(f"/api/text-comparisons/{group}/jobs").json()
    assert (again["request"], again["group"]) == (jobs[3]["request"], group)
    client.post(f"/api/jobs/{again['id']}/cancel", json={})
    assert client.delete(f"/api/text-comparisons/{group}").status_code == 204
    assert client.get(f"/api/text-comparisons/{group}").status_code == 404


def test_a_table_is_taken_away_as_csv_with_means_and_deviations(
    client: TestClient, filled_comparison: str
) -> None:
    got = client.get(f"/api/text-comparisons/{filled_comparison}/table.csv")
    assert got.headers["content-type"].startswith("text/csv")
    saved = f'attachment; filename="methods-{filled_comparison}.csv"'
    assert got.headers["content-disposition"] == saved
    lora, dash = csv.DictReader(io.StringIO(got.text))
    accuracies, seconds = np.array([0.7, 0.8]), np.array([1.5, 4.5])
    assert (lora["method"], lora["n"], lora["learning_rate"]) == ("lora", "2", "0.001")
    assert float(lora["accuracy mean"]) == pytest.approx(accuracies.mean())
    assert float(lora["accuracy sd"]) == pytest.approx(accuracies.std(ddof=1))
    assert float(lora["seconds mean"]) == pytest.approx(seconds.mean())
    assert float(lora["seconds sd"]) == pytest.approx(seconds.std(ddof=1))
    numbers = (lora["parameters"], lora["head_parameters"], lora["memory_gib"])
    assert numbers == ("44", "6", "3")
    assert (dash["method"], dash["n"], dash["accuracy sd"]) == ("lora-dash:bottom", "1", "")


def test_a_table_without_cells_is_a_head_alone(client: TestClient) -> None:
    asked = {"data": "glue-demo", "methods": ["lora"], "seeds": [0], "steps": 10}
    [job] = client.post("/api/jobs/text-methods", json=asked).json()
    table = client.get(f"/api/text-comparisons/{job['group']}/table.csv").text
    assert table.startswith("method,n,") and table.count("\n") == 1


def test_the_answers_of_a_cell_are_fetched_by_its_name_once_it_is_scored(
    client: TestClient, filled_comparison: str
) -> None:
    base = f"/api/text-comparisons/{filled_comparison}"
    answers = client.get(base).json()["answers"]
    assert answers == {"lora-0": ["own"], "lora-1": ["own"], "lora-dash-bottom-0": ["own"]}
    file = client.get(f"{base}/cells/lora-1/scores/own/predictions.jsonl")
    assert [json.loads(line)["texts"] for line in file.text.splitlines()] == [["lora-1"]] * 2
    saved = 'attachment; filename="lora-1-predictions.jsonl"'
    assert file.headers["content-disposition"] == saved
    for cell in ("lora-dash-bottom-1", "..", "%2e%2e", "..%2fchoosing"):
        unknown = client.get(f"{base}/cells/{cell}/scores/own/predictions.jsonl")
        assert unknown.status_code == 404
    assert "there are: lora-0, lora-1, lora-dash-bottom-0" in client.get(
        f"{base}/cells/lora-7/scores/own/predictions.jsonl"
    ).json()["error"]  # fmt: skip
    assert client.get(f"{base}/cells/lora-0/scores/secret/predictions.jsonl").status_code == 404


def test_a_table_outlives_its_texts_and_a_damaged_one_hides_no_other(
    client: TestClient, studio: Studio
) -> None:
    rows = (DEMO_FOLDER / "dev.tsv").read_bytes()
    files = {part: ("a.tsv", rows) for part in ("train", "test")}
    client.post("/api/texts", data={"name": "Mine", "task": "sst2"}, files=files)
    asked = {"data": "mine", "methods": ["lora"], "seeds": [0], "steps": 10}
    [job] = client.post("/api/jobs/text-methods", json=asked).json()
    assert client.delete("/api/texts/mine").status_code == 409
    client.post(f"/api/jobs/{job['id']}/cancel", json={})
    assert client.delete("/api/texts/mine").status_code == 204
    (studio.workspace.comparison("broken")).mkdir()
    (studio.workspace.comparison("broken") / "asked.json").write_text("{}")
    assert [row["id"] for row in client.get("/api/text-comparisons").json()] == [job["group"]]
    table = client.get(f"/api/text-comparisons/{job['group']}").json()
    assert table["methods"][0]["open"] == [0]
    again = client.post(f"/api/jobs/{job['id']}/rerun")
    assert again.status_code == 404 and "no texts 'mine'" in again.json()["error"]


def test_a_job_whose_comparison_is_gone_is_not_tried_again_and_holds_no_set(
    client: TestClient, studio: Studio
) -> None:
    rows = (DEMO_FOLDER / "dev.tsv").read_bytes()
    client.post("/api/texts", data={"name": "Mine", "task": "sst2"}, files={"train": ("a", rows)})
    asked = {"data": "glue-demo", "methods": ["lora"], "seeds": [0], "steps": 10}
    [job] = client.post("/api/jobs/text-methods", json=asked).json()
    client.post(f"/api/jobs/{job['id']}/cancel", json={})
    assert client.delete(f"/api/text-comparisons/{job['group']}").status_code == 204
    again = client.post(f"/api/jobs/{job['id']}/retry")
    assert again.status_code == 404 and "no comparison" in again.json()["error"]
    studio.queue.retry(job["id"])  # as where its folder is deleted by hand while it waits
    assert client.delete("/api/texts/mine").status_code == 204


def test_a_scoring_is_tried_again_only_while_its_run_is_there(client: TestClient, run: str) -> None:
    job = client.post("/api/jobs/text-score", json={"run": run}).json()
    client.post(f"/api/jobs/{job['id']}/cancel", json={})
    assert client.post(f"/api/jobs/{job['id']}/retry").status_code == 200
    client.post(f"/api/jobs/{job['id']}/cancel", json={})
    assert client.delete(f"/api/runs/{run}").status_code == 204
    again = client.post(f"/api/jobs/{job['id']}/retry")
    assert again.status_code == 404 and f"no run '{run}'" in again.json()["error"]


def test_a_run_of_the_command_line_is_scored_by_the_rows_it_was_given(
    client: TestClient, studio: Studio, run: str
) -> None:
    config = TextRun(studio.workspace.run(run))
    config.write_config(replace(config.glue_config(), data="/somewhere/glue"))
    assert client.post("/api/jobs/text-score", json={"run": run}).status_code == 201


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"methods": []}, "1 to 100 cells"),
        ({"methods": ["lora", "lora"]}, "each method and seed once"),
        ({"methods": ["../lora"]}, "possible are"),
        ({"seeds": list(range(101))}, "1 to 100 cells"),
        ({"seeds": [-1]}, "seeds is"),
        ({"steps": 3}, "5 to a million"),
        ({"rates": [0]}, "between 0 and 1"),
        ({"settings": {"run": "/etc"}}, "run is set by the studio"),
        ({"settings": {"optim": {"pace": 1}}}, "optim.pace"),
        ({"methods": ["lora", "lora-tsd"], "steps": 100,
          "settings": {"adapter": {"prelaunch_steps": 100}}}, "prelaunch-steps"),
        ({"base": "/etc"}, "not in the list"),
        ({"data": "nothing"}, "no texts 'nothing'"),
    ],
)  # fmt: skip
def test_a_comparison_that_cannot_be_is_refused_and_leaves_nothing(
    client: TestClient, studio: Studio, changes: dict[str, object], words: str
) -> None:
    asked = {"data": "glue-demo", "methods": ["lora"], "seeds": [0], **changes}
    refused = client.post("/api/jobs/text-methods", json=asked)
    assert refused.status_code in (404, 422) and words in refused.json()["error"]
    assert studio.jobs() == [] and not list(studio.workspace.comparisons.iterdir())
