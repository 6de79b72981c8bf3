"""The supervisor's side of a job's folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.jobs.attempt_folder import AttemptFolder, EventTail, tail


@pytest.fixture
def folder(tmp_path: Path) -> AttemptFolder:
    return AttemptFolder(tmp_path)


def append(folder: AttemptFolder, text: str) -> None:
    with (folder.path / "events.jsonl").open("a") as file:
        file.write(text)


def test_a_row_is_read_once_and_only_when_it_is_complete(folder: AttemptFolder) -> None:
    events = EventTail(folder, 0)
    assert events.new_rows() == []
    append(folder, '{"kind": "checkpoint", "st')
    assert events.new_rows() == []
    append(folder, 'ep": 5}\n')
    assert events.new_rows() == [{"kind": "checkpoint", "step": 5}]
    assert events.new_rows() == []


def test_the_next_attempt_goes_on_where_the_last_supervisor_stopped(folder: AttemptFolder) -> None:
    first = EventTail(folder, 0)
    append(folder, '{"kind": "launch"}\n')
    first.new_rows()
    append(folder, '{"kind": "preview"}\n')  # nobody read it before the crash
    assert EventTail(folder, first.offset).new_rows() == [{"kind": "preview"}]


def test_half_a_line_of_a_killed_attempt_costs_only_itself(folder: AttemptFolder) -> None:
    append(folder, '{"kind": "prog')
    events = EventTail(folder, 0)
    append(folder, '{"kind": "launch"}\n["no object"]\n{"no": "kind"}\n')
    assert events.new_rows() == [{"kind": "launch"}]


def test_what_no_database_can_keep_is_left_out(folder: AttemptFolder) -> None:
    append(folder, '{"kind": "progress", "step": 1, "loss": NaN}\n')
    assert EventTail(folder, 0).new_rows() == [{"kind": "progress", "step": 1, "loss": None}]
    folder.log.write_bytes(b"Segmentation\0fault\n")
    assert folder.log_end() == "Segmentationfault"


def test_an_attempt_is_not_told_the_last_ones_end(folder: AttemptFolder) -> None:
    (folder.path / "error.txt").write_text("no space\n")
    assert folder.message() == "no space"
    folder.prepare({"id": "a"}, [])
    assert folder.message() == ""
    assert json.loads((folder.path / "job.json").read_text()) == {"id": "a"}


def test_an_attempt_finds_only_the_wishes_that_are_still_wished(folder: AttemptFolder) -> None:
    folder.prepare({"id": "a"}, [])
    folder.wish("save")
    folder.wish("finish")
    folder.prepare({"id": "a"}, ["save", "cancel"])
    assert [file.name for file in (folder.path / "wishes").iterdir()] == ["save"]


def test_a_result_may_have_a_message(folder: AttemptFolder) -> None:
    (folder.path / "result.json").write_text('{"message": "stopped early at step 3 of 9"}')
    assert folder.message() == "stopped early at step 3 of 9"


def test_the_tail_of_a_log_is_its_last_lines(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    assert tail(log, 3) == ""
    log.write_bytes(b"\xff\n" + b"".join(b"line %d\n" % n for n in range(10_000)))
    assert tail(log, 2) == "line 9998\nline 9999\n"
