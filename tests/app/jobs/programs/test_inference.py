"""The warm process: same pictures, one job at a time, gone when nobody needs it."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from app.jobs.program import run_job
from app.jobs.programs import warm
from app.jobs.programs.exits import Exit

WARM = "app.jobs.inference"
ASKED = {"adapters": [{"run": "duck-1"}], "prompts": ["a duck"], "seeds": [0, 1], "steps": 2}


@pytest.fixture
def address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(warm, "PATIENCE", 60.0)  # the machine may be busy
    monkeypatch.setenv("DASHBOOTH_INFERENCE", str(tmp_path / "warm.sock"))
    return str(tmp_path / "warm.sock")


def test_the_warm_process_draws_the_same_and_outlives_what_it_refuses(
    desk: Any, first: Path, start: Any, address: str, monkeypatch: pytest.MonkeyPatch, told: Any
) -> None:
    process = start(WARM, "--socket", address, CUDA_VISIBLE_DEVICES="")
    there = desk.job("generate", ASKED)
    rows = desk.done(there)["pictures"]
    assert told(there, "progress")[-1]["step"] == 8

    refused = desk.job("generate", {**ASKED, "width": 50})
    assert run_job(refused) is Exit.REFUSED
    assert "--width is 50" in (refused / "error.txt").read_text()
    again = desk.job("generate", {**ASKED, "seeds": [1]})
    desk.done(again)
    assert process.poll() is None

    monkeypatch.delenv("DASHBOOTH_INFERENCE")
    here = desk.job("generate", ASKED)
    desk.done(here)
    for row in rows:
        assert (there / row["file"]).read_bytes() == (here / row["file"]).read_bytes()
    process.stdin.close()
    process.wait(10)


def test_it_stops_drawing_when_nobody_waits_and_ends_when_idle(
    desk: Any, first: Path, start: Any, address: str
) -> None:
    process = start(WARM, "--socket", address, "--idle", "2", CUDA_VISIBLE_DEVICES="")
    long = desk.job("generate", {**ASKED, "steps": 100, "seeds": [*range(64)]})
    connection = warm._connect(address)
    assert connection is not None
    with connection, connection.makefile("r") as lines:
        connection.sendall(json.dumps({"folder": str(long)}).encode() + b"\n")
        assert "steps" in json.loads(lines.readline())
    assert process.wait(60) == 0  # it noticed, waited its two seconds, and left
    assert not list(long.rglob("*.png")) and not Path(address).exists()


def test_where_it_is_not_the_job_draws_by_itself(
    desk: Any, first: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warm, "PATIENCE", 0.0)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(address)  # left behind by a killed process: nobody listens
    assert len(desk.done(desk.job("generate", ASKED))["pictures"]) == 4


def test_a_warm_process_that_dies_is_a_crash_to_be_tried_again(
    desk: Any, first: Path, start: Any, address: str
) -> None:
    import threading

    process = start(WARM, "--socket", address, CUDA_VISIBLE_DEVICES="")
    folder = desk.job("generate", {**ASKED, "steps": 100, "seeds": [*range(64)]})

    def kill_when_drawing() -> None:
        while (
            not (folder / "events.jsonl").exists()
            or "draw" not in (folder / "events.jsonl").read_text()
        ):
            time.sleep(0.05)
        process.kill()

    killer = threading.Thread(target=kill_when_drawing)
    killer.start()
    assert run_job(folder) is Exit.CRASHED
    killer.join()
    assert not (folder / "result.json").exists()
