"""Jobs on texts: trained and scored, gone on with after a kill, cells that share rates."""

from __future__ import annotations

import json
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from filelock import FileLock
from safetensors.torch import load_file

from app.jobs.engine import Queue
from app.jobs.program import run_job
from app.jobs.programs.exits import Exit
from app.jobs.records import Job
from app.requests import CompareRequest
from app.studio import Studio
from app.text_requests import TextMethodsRequest, TextScoreRequest
from app.views import Upload
from app.workspace import Workspace
from eval.compare_methods import compare_methods
from trainer.errors import ConfigError
from trainer.text_run import TextRun

SMALL: dict[str, Any] = {
    "max_length": 32, "examples": 20, "validation": {"every": 0}, "model": {"device": "cpu"},
    "adapter": {"method": "lora", "rank": 2}, "optim": {"steps": 6, "batch_size": 8},
    "checkpoint": {"every": 2},
}  # fmt: skip
LONG = {**SMALL, "optim": {"steps": 200, "batch_size": 4}, "checkpoint": {"every": 0}}


def wait_for(seen: Callable[[], object], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not seen():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def texts(desk: Any, bert: Path, llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Studio:
    """A studio over the desk's workspace, with small bases in it; nobody works at its queue."""
    workspace: Workspace = desk.workspace
    shutil.copytree(bert, workspace.bases / "bert")
    shutil.copytree(llama, workspace.bases / "llama")
    return Studio(workspace, Queue(workspace.root))


def train(desk: Any, run: str, data: str = "glue-demo", **changes: Any) -> Path:
    base = "bases/bert" if data == "glue-demo" else "bases/llama"
    request = {"data": data, "base": base, "settings": SMALL, "score": False, **changes}
    folder: Path = desk.job("text_train", request, run)
    return folder


def test_a_training_tells_its_steps_and_ends_with_scores_by_its_own_rows(
    desk: Any, texts: Studio, told: Any
) -> None:
    adapter = {"rank": 2, "num_directions": 3, "prelaunch_steps": 3}
    looks = {**SMALL, "adapter": adapter, "validation": {"every": 3}}
    folder = train(desk, "text-told", settings=looks, score=True)
    assert desk.done(folder) == {"run": "text-told", "step": 6, "total_steps": 6, "message": ""}
    assert [row["run"] for row in told(folder, "run")] == ["text-told"]
    [launch] = told(folder, "launch")
    assert launch["step"] == 3 and launch["layers"] == 12
    assert [row["step"] for row in told(folder, "validation")] == [0, 3, 6]
    assert {row["step"] for row in told(folder, "checkpoint")} == {2, 4, 6}
    phases = list(dict.fromkeys(row["phase"] for row in told(folder, "progress")))
    assert phases == ["load", "pre-launch", "dash", "score"]
    [scores] = texts.texts.scores("text-told")
    assert scores.id == "own" and scores.values["scores"]["accuracy"]["n"] == 60


def test_a_language_model_is_scored_by_likelihood_beside_its_base(desk: Any, texts: Studio) -> None:
    folder = train(desk, "text-answers", "commonsense-demo", score=True)
    desk.done(folder)
    [scores] = texts.texts.scores("text-answers")
    found = scores.values["sets"]["commonsense_demo"]
    assert scores.values["by"] == "likelihood" and found["n"] == 59 and found["base"]["n"] == 59
    asked = {"run": "text-answers", "items": 5, "by": "generation"}
    desk.done(desk.job("text_score", asked, "text-answers"))
    both = {one.id: one.values["sets"]["commonsense_demo"] for one in texts.texts.scores(
        "text-answers"
    )}  # fmt: skip
    written_five = "first-5-generation"
    assert {name: found["n"] for name, found in both.items()} == {"own": 59, written_five: 5}
    written = texts.texts.predictions("text-answers", written_five)
    assert len(written) == 5 and all("response" in row for row in written)


def test_another_set_of_the_task_has_scores_of_its_own(desk: Any, texts: Studio) -> None:
    desk.done(train(desk, "text-other", score=True))
    rows = b"sentence\tlabel\nThe soup was warm.\t1\nThe soup was cold.\t0\n"
    mine = texts.texts.create_set("Mine", "demo", None, Upload("x.tsv", rows))
    job = texts.texts.score(TextScoreRequest("text-other", mine.id))
    desk.done(desk.job("text_score", job.request, "text-other"))
    texts.cancel(job.id)
    own, theirs = texts.texts.scores("text-other")
    assert (own.id, theirs.id) == ("own", "mine-dev") and theirs.values["n"] == 2
    assert [row["label"] for row in texts.texts.predictions("text-other", "mine-dev")] == ["1", "0"]


def test_the_test_set_of_its_texts_is_predicted_for_the_server_of_glue(
    desk: Any, texts: Studio, tmp_path: Path
) -> None:
    desk.done(train(desk, "text-submitted"))
    run = TextRun(desk.workspace.run("text-submitted"))
    (tmp_path / "test.tsv").write_text("index\tsentence\n0\tA lovely film.\n", "utf-8")
    run.write_config(replace(run.glue_config(), data=str(tmp_path)))
    job = texts.texts.score(TextScoreRequest("text-submitted", test=True))
    texts.cancel(job.id)
    desk.done(desk.job("text_score", job.request, "text-submitted"))
    [name] = texts.texts.submissions("text-submitted")
    [answer] = texts.texts.predictions("text-submitted", "test")
    written = texts.texts.submission_file("text-submitted", name).read_text("utf-8")
    assert written == f"index\tprediction\n0\t{answer['prediction']}\n"
    (tmp_path / "test.tsv").unlink()
    folder = desk.job("text_score", job.request, "text-submitted")
    assert run_job(folder) is Exit.REFUSED
    assert "holds no test set of demo" in (folder / "error.txt").read_text()


def test_save_and_finish_are_granted_and_what_was_learnt_is_kept(
    desk: Any, texts: Studio, told: Any
) -> None:
    folder = train(desk, "text-early", settings=LONG, score=True)
    for wish in ("save", "finish"):
        (folder / "wishes" / wish).touch()
    result = desk.done(folder)
    assert result["message"].startswith("stopped early at step 1 of 200; not scored")
    assert sorted(row["wish"] for row in told(folder, "wish")) == ["finish", "save"]
    run = TextRun(desk.workspace.run("text-early"))
    assert run.native.exists() and run.head.exists() and not run.scores.exists()


def test_after_a_kill_it_ends_bitwise_where_one_alone_would(
    desk: Any, texts: Studio, start: Any, told: Any
) -> None:
    settings = {**LONG, "checkpoint": {"every": 20}}
    desk.done(train(desk, "text-straight", settings=settings))
    folder = train(desk, "text-killed", settings=settings)
    process = start("app.jobs.program", str(folder))
    wait_for(lambda: told(folder, "checkpoint"))
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (folder / "result.json").exists()
    desk.done(folder)
    run, alone = (TextRun(desk.workspace.run(name)) for name in ("text-killed", "text-straight"))
    attempts = {row["attempt"] for row in run.metric_rows()}
    assert attempts == {1, 2}
    for file in ("native.safetensors", "head.safetensors"):
        ours, theirs = (load_file(one.path / file) for one in (run, alone))
        assert all(torch.equal(ours[key], theirs[key]) for key in theirs)


def test_two_tasks_of_one_base_are_compared_by_their_directions(desk: Any, texts: Studio) -> None:
    adapter = {"rank": 2, "num_directions": 3, "prelaunch_steps": 3}
    names = ["text-seed-0", "text-seed-1"]
    for seed, name in enumerate(names):
        optim = {**SMALL["optim"], "seed": seed}
        desk.done(train(desk, name, settings={**SMALL, "adapter": adapter, "optim": optim}))
    assert set(names) <= {run.name for run in texts.comparable_runs()}
    layers = texts.layers(names)
    assert len(layers) == 12 and layers[0].startswith("bert.encoder.layer.0.")
    job = texts.compare(CompareRequest(tuple(names), ("attention.self.query",), null_draws=2))
    folder = desk.job("compare", job.request)
    texts.cancel(job.id)
    desk.done(folder)
    made = desk.workspace.comparison(folder.name)
    overlap = json.loads((made / "overlap.json").read_text())
    assert [subject["name"] for subject in overlap["subjects"]] == names
    assert set(overlap["null"]["random"]["layers"]) == set(layers)
    assert len(list((made / "grids").glob("*attention.self.query.png"))) == 2


def test_a_method_of_comparison_has_no_directions_to_compare(desk: Any, texts: Studio) -> None:
    desk.done(train(desk, "text-bitfit", settings=SMALL, instead="bitfit"))
    with pytest.raises(ConfigError, match="text-bitfit trained bitfit, which launches no"):
        texts.compare(CompareRequest(("text-bitfit", "text-seed-0")))
    assert "text-bitfit" not in [run.name for run in texts.comparable_runs()]


def test_little_memory_means_a_row_at_a_time_and_the_same_steps(desk: Any, texts: Studio) -> None:
    request = {"data": "glue-demo", "base": "bases/bert", "settings": SMALL, "score": False}
    desk.done(desk.job("text_train", request, "text-little", memory_profile="low"))
    config = TextRun(desk.workspace.run("text-little")).read_config()
    assert config.optim.micro_batch_size == 1 and config.model.gradient_checkpointing


# --- cells ----------------------------------------------------------------------------------------


@pytest.fixture
def cells(desk: Any, texts: Studio) -> Callable[..., list[tuple[Path, Job]]]:
    """Starts a comparison; its jobs with the folders of their first attempts."""

    def begin(*methods: str, **changes: Any) -> list[tuple[Path, Job]]:
        asked = TextMethodsRequest(
            "glue-demo", methods, base="bases/bert", steps=5, batch_size=4, rank=2,
            examples=40, **{"seeds": (0, 1), "rates": (1e-3, 1e-2), **changes},
        )  # fmt: skip
        jobs = texts.texts.compare_methods(asked)
        for job in jobs:
            texts.cancel(job.id)
        return [(desk.job("text_cell", job.request), job) for job in jobs]

    return begin


def test_cells_fill_the_table_that_the_command_reads_too(
    desk: Any, texts: Studio, cells: Any, told: Any
) -> None:
    folders = cells("ssl")
    assert {desk.done(folder)["learning_rate"] for folder, _ in folders} <= {1e-3, 1e-2}
    first, second = ([row["phase"] for row in told(folder, "progress")] for folder, _ in folders)
    assert "rate" in first and "rate" not in second, "the choice is shared"
    group = folders[0][1].group
    [row] = texts.texts.comparison(group)["methods"]
    assert row["open"] == [] and [cell["seed"] for cell in row["cells"]] == [0, 1]
    found = texts.texts._comparisons.get(group)
    assert compare_methods(found.config)["methods"] == [row]


def test_a_cell_waits_while_another_job_chooses_the_rate(
    desk: Any, cells: Any, start: Any, told: Any
) -> None:
    [(folder, job)] = cells("ssl", seeds=(0,), rates=(1e-2,))
    choosing = desk.workspace.comparison(job.group) / "choosing"
    choosing.mkdir()
    with FileLock(choosing / "ssl-0.01.lock"):
        process = start("app.jobs.program", str(folder))
        wait_for(lambda: "rate-wait" in {row["phase"] for row in told(folder, "progress")})
        assert not (folder / "result.json").exists()
    assert process.wait(120) == Exit.DONE
    assert json.loads((folder / "result.json").read_text())["learning_rate"] == 1e-2


def test_a_method_that_cannot_be_fails_by_itself(cells: Any) -> None:
    [(folder, _)] = cells("prefix", seeds=(0,))
    assert run_job(folder) is Exit.REFUSED
    assert "causal language models" in (folder / "error.txt").read_text()
