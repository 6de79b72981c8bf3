"""A run folder tells what it is, and refuses to be what it is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from trainer.config import PRESETS
from trainer.errors import ArtifactError
from trainer.run import (
    KeptPhoto,
    Run,
    Subject,
    delete_run_folder,
    new_run_folder,
    open_run,
)


def test_subject_and_config_come_back_as_written(tmp_path: Path) -> None:
    run = Run(tmp_path)
    photo = KeptPhoto("000.png", "IMG 1.HEIC", "a zwx dog", (4032, 3024))
    subject = Subject("dog", "zwx", "dog", (photo,), ("000.png",), ("blurred",))
    run.write_subject(subject)
    run.write_config(PRESETS["paper"])
    assert run.read_subject() == subject
    assert run.read_config() == PRESETS["paper"]


def test_a_folder_that_is_no_run_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="config.json"):
        open_run(tmp_path)


def test_an_unfinished_run_says_how_to_finish_it(tmp_path: Path) -> None:
    Run(tmp_path).write_config(PRESETS["demo"])
    with pytest.raises(ArtifactError, match=f"--resume {tmp_path}"):
        open_run(tmp_path)


def test_new_runs_never_share_a_folder(tmp_path: Path) -> None:
    folders = [new_run_folder("dog-lora-tsd", tmp_path) for _ in range(3)]
    assert [f.name for f in folders] == ["dog-lora-tsd-1", "dog-lora-tsd-2", "dog-lora-tsd-3"]


def test_the_name_of_a_deleted_run_is_not_given_again(tmp_path: Path) -> None:
    first = new_run_folder("dog-lora-tsd", tmp_path)
    delete_run_folder(first)
    assert not first.exists()
    assert new_run_folder("dog-lora-tsd", tmp_path).name == "dog-lora-tsd-2"


def test_a_metrics_line_cut_short_by_a_crash_is_left_out(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.metrics.write_text('{"step": 1}\n{"step": 2}\n{"ste')
    assert [row["step"] for row in run.metric_rows()] == [1, 2]
