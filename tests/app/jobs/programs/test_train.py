"""A train job: what it tells, what it grants, and that it goes on where it was."""

from __future__ import annotations

import json
import re
import signal
import threading
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from app.jobs.program import run_job
from app.jobs.programs.exits import Exit
from app.subjects import Subjects
from app.views import Upload
from trainer.run import Run

PROGRAM = "app.jobs.program"
LONG = {"optim": {"steps": 40, "batch_size": 1, "learning_rate": 1e-2},
        "checkpoint": {"every": 0}}  # fmt: skip


def wait_for(seen: Callable[[], object], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not seen():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.02)


def run_of(desk: Any, name: str) -> Run:
    return Run(desk.workspace.run(name))


def test_a_job_tells_its_run_launch_checkpoints_and_steps(first: Path, told: Any) -> None:
    assert [row["run"] for row in told(first, "run")] == ["duck-1"]
    [launch] = told(first, "launch")
    assert launch["step"] == 2 and launch["probe_difference"] == 0.0
    assert 0 < len(launch["strongest"]) <= 5 and launch["layers"] > 0
    assert {row["step"] for row in told(first, "checkpoint")} == {2, 4}
    phases = list(dict.fromkeys(row["phase"] for row in told(first, "progress")))
    assert phases == ["load", "pre-launch", "dash"]
    last = told(first, "progress")[-1]
    assert (last["step"], last["total"]) == (4, 4) and last["loss"] > 0
    result = json.loads((first / "result.json").read_text())
    assert result == {"run": "duck-1", "step": 4, "total_steps": 4, "message": ""}


def test_the_log_says_what_it_is_at_and_how_far(desk: Any, capsys: Any) -> None:
    desk.done(desk.train("logged", {"optim": {"steps": 30, "batch_size": 1}}))
    printed = capsys.readouterr().out
    for words in ("load", "run logged", "pre-launch 0 of 30", "launch after step 2: ",
                  "checkpoint at step 30", "dash 30 of 30, loss 0."):  # fmt: skip
        assert words in printed
    assert len(re.findall("of 30", printed)) <= 23


def test_what_is_drawn_to_be_scored_is_counted_apart(desk: Any, told: Any) -> None:
    plain = {"adapter": {"method": "lora", "rank": 1}}
    folder = desk.train("apart", plain, score=True)

    def finish_when_drawing() -> None:
        wait_for(lambda: [row for row in told(folder, "progress") if row["phase"] == "draw"])
        (folder / "wishes" / "finish").touch()

    wisher = threading.Thread(target=finish_when_drawing)
    wisher.start()
    desk.done(folder)
    wisher.join()
    rows = told(folder, "progress")
    assert {row["phase"] for row in rows if row.get("apart")} == {"load", "draw"}
    assert {row["phase"] for row in rows if not row.get("apart")} == {"train"}
    assert all(row["after"] > 100 for row in rows if row["phase"] == "train")


def test_a_job_whose_run_is_finished_is_done_at_once(desk: Any, first: Path, told: Any) -> None:
    before = run_of(desk, "duck-1").native.stat().st_mtime_ns
    again = desk.train("duck-1")
    desk.done(again)
    assert run_of(desk, "duck-1").native.stat().st_mtime_ns == before and not told(again, "run")


def test_photos_that_a_killed_attempt_left_are_in_nobody_s_way(desk: Any, told: Any) -> None:
    left = desk.workspace.run("left") / "photos"
    left.mkdir(parents=True)
    (left / "half.png").write_bytes(b"")
    folder = desk.train("left", {"adapter": {"method": "lora", "rank": 1}})
    assert desk.done(folder)["step"] == 4
    assert not (left / "half.png").exists()
    assert {row["phase"] for row in told(folder, "progress")} == {"load", "train"}


def test_wishes_are_granted_after_the_next_step(desk: Any, told: Any) -> None:
    folder = desk.train("wishes", {"checkpoint": {"every": 0}})
    for wish in ("save", "sample"):
        (folder / "wishes" / wish).touch()
    desk.done(folder)
    assert sorted(row["wish"] for row in told(folder, "wish")) == ["sample", "save"]
    assert told(folder, "checkpoint")[0]["step"] == told(folder, "preview")[0]["step"] == 1
    assert (run_of(desk, "wishes").samples / told(folder, "preview")[0]["files"][0]).is_file()
    assert not list((folder / "wishes").iterdir())


def test_finish_publishes_before_the_launch_and_says_so(desk: Any, told: Any) -> None:
    folder = desk.train("early")
    (folder / "wishes" / "finish").touch()
    assert desk.done(folder)["message"] == "stopped early at step 1 of 4"
    run = run_of(desk, "early")
    assert run.native.exists() and run.adapter.exists() and run.adapter_kohya.exists()
    assert [row["wish"] for row in told(folder, "wish")] == ["finish"]
    assert not told(folder, "launch")


def test_finish_while_it_trains_means_the_adapter_now_and_no_scores(desk: Any, told: Any) -> None:
    folder = desk.train("at-once", score=True)
    (folder / "wishes" / "finish").touch()
    message = desk.done(folder)["message"]
    assert message.startswith("stopped early at step 1 of 4; not scored: press “Score this run”")
    assert not [row for row in told(folder, "progress") if row["phase"] in ("draw", "score")]
    assert not run_of(desk, "at-once").scores.exists()


def test_finish_counts_for_the_attempt_after_a_kill_too(desk: Any, told: Any) -> None:
    """The run is finished, and the attempt that finished it was killed before it could say so."""
    desk.done(desk.train("killed", {"adapter": {"method": "lora", "rank": 1}}))
    folder = desk.train("killed", score=True)
    (folder / "wishes" / "finish").touch()
    assert desk.done(folder)["message"].startswith("not scored: ")
    assert [row["wish"] for row in told(folder, "wish")] == ["finish"]


def test_finish_while_it_scores_keeps_the_adapter_without_scores(desk: Any, told: Any) -> None:
    desk.done(desk.train("unscored", {"adapter": {"method": "lora", "rank": 1}}))
    folder = desk.job("train", {"subject": "duck", "preset": "demo"}, "unscored")

    def finish_when_drawing() -> None:
        wait_for(lambda: [row for row in told(folder, "progress") if row["phase"] == "draw"])
        (folder / "wishes" / "finish").touch()

    wisher = threading.Thread(target=finish_when_drawing)
    wisher.start()
    assert desk.done(folder)["message"].startswith("not scored: ")
    wisher.join()
    assert not run_of(desk, "unscored").scores.exists()


def test_a_held_out_photo_that_scores_must_do_without_is_told_by_the_name_it_came_with(
    desk: Any, told: Any
) -> None:
    subjects = Subjects(desk.workspace)
    slug = subjects.create("Shy duck", "duck", "zwy", "#ffffff").slug
    good, small = BytesIO(), BytesIO()
    Image.new("RGB", (64, 64), "green").save(good, "PNG")
    Image.new("RGB", (16, 16), "red").save(small, "PNG")
    view = subjects.add_photos(slug, [Upload("pond.png", good.getvalue()),
                                      Upload("far.png", small.getvalue())])  # fmt: skip
    kept_back = subjects.hold_out(slug, view.photos[1].file, True).held_out[0]
    assert any("left out of training and scores" in reason for reason in kept_back.reasons)
    (subjects.photo_path(slug, kept_back.file)).write_bytes(b"no longer a picture")

    folder = desk.train("shy", {"adapter": {"method": "lora", "rank": 1}}, subject=slug)
    desk.done(folder)
    warnings = [row["text"] for row in told(folder, "warning")]
    assert any(text.startswith("far.png: held out, but scores have to do") for text in warnings)
    assert run_of(desk, "shy").read_subject().held_out == ()


def test_little_memory_means_a_picture_at_a_time_and_the_same_steps(desk: Any) -> None:
    folder = desk.train("little", memory_profile="low")
    desk.done(folder)
    config = run_of(desk, "little").read_config()
    assert config.optim.micro_batch_size == 1 and config.model.gradient_checkpointing


def test_sigterm_saves_and_the_next_attempt_ends_bitwise_where_one_alone_would(
    desk: Any, start: Any, told: Any
) -> None:
    desk.done(desk.train("straight", LONG))
    folder = desk.train("stopped", LONG)
    process = start(PROGRAM, str(folder))
    wait_for(lambda: [row for row in told(folder, "progress") if row["step"] >= 3])
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == Exit.STOPPED
    [stopped] = told(folder, "checkpoint")
    assert stopped["step"] < 40 and not run_of(desk, "stopped").native.exists()

    desk.done(folder)
    run = run_of(desk, "stopped")
    steps = [row["step"] for row in run.metric_rows() if row["kind"] == "step"]
    assert steps == list(range(1, 41))
    ours, alone = (load_file(run_of(desk, name).native) for name in ("stopped", "straight"))
    assert all(torch.equal(ours[key], alone[key]) for key in alone)


def test_the_program_and_its_children_go_when_the_supervisor_does(
    desk: Any, start: Any, told: Any
) -> None:
    folder = desk.train("orphan", {**LONG, "adapter": {"rank": 2}})  # it decomposes all weights
    process = start(PROGRAM, str(folder))
    wait_for(lambda: told(folder, "run"))
    family = psutil.Process(process.pid).children(recursive=True)
    assert family
    process.stdin.close()
    process.wait(10)
    _, alive = psutil.wait_procs(family, timeout=10)
    assert not alive


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({"subject": "nobody"}, "no subject 'nobody'"),
        ({"subject": "duck", "settings": {"optim": {"pace": 3}}}, "optim.pace"),
        ({"subject": "duck", "preset": "fast"}, "preset"),
    ],
)
def test_what_cannot_be_trained_is_refused_in_words(
    desk: Any, request_: dict[str, Any], words: str
) -> None:
    folder = desk.job("train", request_, "never")
    assert run_job(folder) is Exit.REFUSED
    assert words in (folder / "error.txt").read_text()
    assert not (folder / "result.json").exists()
