"""Comparing real, small runs: files, figures, and the null beside."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from eval.compare_subjects import CompareConfig, CompareWatch, compare_subjects, main
from tests.text_bases import glue_recipe
from trainer import glue
from trainer.adapters.checkpoint import read_native
from trainer.data.glue import DEMO_FOLDER
from trainer.errors import ArtifactError, ConfigError
from trainer.run import Run
from trainer.text_run import TextRun


@pytest.fixture(scope="module")
def compared(teapot: Run, dog: Run, workspace: Path) -> Path:
    return compare_subjects(
        CompareConfig((teapot.path, dog.path), null_draws=3, workspace=workspace)
    )


def test_overlaps_are_counted_from_the_indices_in_the_file(compared: Path) -> None:
    found = json.loads((compared / "overlap.json").read_text("utf-8"))
    shared = []
    for layer in found["layers"].values():
        first, second = (set(layer["indices"][name]) for name in ("teapot", "dog"))
        shared.append(len(first & second) / 4)
        assert layer["matrix"][0][1] == pytest.approx(shared[-1])
    assert found["matrix"][0][1] == pytest.approx(sum(shared) / len(shared))
    assert found["matrix"][0][0] == 1 and found["num_directions"] == 4


def test_the_null_stands_beside(compared: Path) -> None:
    null = json.loads((compared / "overlap.json").read_text("utf-8"))["null"]
    assert null["random"]["draws"] == 3 and 0 <= null["random"]["mean"] <= 1
    assert null["same_start"] is not None  # both runs have the default seed
    assert all(0 < chance < 1 for chance in null["chance"].values())


def test_pictures_are_there(compared: Path) -> None:
    pages = sorted((compared / "grids").glob("*.png"))
    assert len(pages) == 4
    for picture in (compared / "heatmap.png", *pages):
        with Image.open(picture) as opened:
            opened.load()
            assert min(opened.size) > 300


def test_a_comparison_that_was_killed_is_gone_on_with(
    teapot: Run, dog: Run, workspace: Path, compared: Path, tmp_path: Path
) -> None:
    config = CompareConfig(
        (teapot.path, dog.path), tmp_path / "out", null_draws=3, workspace=workspace
    )
    parts: list[tuple[int, int]] = []

    def killed_at_the_second_page(done: int, total: int) -> None:
        parts.append((done, total))
        if done == total - 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compare_subjects(config, CompareWatch(killed_at_the_second_page, tmp_path / "null.jsonl"))
    first = {page: page.stat().st_mtime_ns for page in (tmp_path / "out" / "grids").iterdir()}
    assert len(first) == 2

    out = compare_subjects(config, CompareWatch(null=tmp_path / "null.jsonl"))
    assert {page: page.stat().st_mtime_ns for page in first} == first
    assert parts == [(n + 1, parts[0][1]) for n in range(len(parts))]
    ours, alone = (json.loads((made / "overlap.json").read_text()) for made in (out, compared))
    assert {**ours, "written": ""} == {**alone, "written": ""}


def test_a_run_and_itself_overlap_wholly(teapot: Run, tmp_path: Path) -> None:
    config = CompareConfig((teapot.path, teapot.path), tmp_path, null_draws=0, layers=("to_k",))
    found = json.loads((compare_subjects(config) / "overlap.json").read_text("utf-8"))
    assert found["matrix"] == [[1, 1], [1, 1]] and found["null"] is None


def test_what_cannot_be_compared_is_refused(
    teapot: Run, dog: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ConfigError, match="at least two"):
        compare_subjects(CompareConfig((teapot.path,), tmp_path))
    with pytest.raises(ConfigError, match=r"--layers to_z.*for example"):
        compare_subjects(CompareConfig((teapot.path, dog.path), tmp_path, layers=("to_z",)))
    with pytest.raises(ConfigError, match="2 and more"):
        compare_subjects(CompareConfig((teapot.path, dog.path), tmp_path, null_draws=1))
    with pytest.raises(ArtifactError, match="not a run folder"):
        compare_subjects(CompareConfig((teapot.path, tmp_path), tmp_path))
    assert main([str(teapot.path)]) == 2
    assert "error: 1 run given: give at least two runs" in capsys.readouterr().err


def test_without_the_base_that_was_trained_on_there_is_no_null(
    teapot: Run, dog: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eval.compare_subjects.base_fingerprint", lambda linears: "another")
    with pytest.raises(ArtifactError, match="--null-draws 0"):
        compare_subjects(CompareConfig((teapot.path, dog.path), tmp_path, workspace=tmp_path))
    assert not (tmp_path / "overlap.json").exists()


def test_two_tasks_of_one_language_base_compare_as_two_subjects_do(
    bert: Path, tmp_path: Path
) -> None:
    recipe = glue_recipe(bert, tmp_path)
    dash = replace(recipe, adapter=replace(recipe.adapter, method="lora-dash"))
    runs = [
        glue.train(dash).path,
        glue.train(replace(dash, task="sst2", data=str(DEMO_FOLDER))).path,
    ]
    folder = compare_subjects(CompareConfig(tuple(runs), null_draws=2, workspace=tmp_path))
    found = json.loads((folder / "overlap.json").read_text("utf-8"))
    assert [subject["name"] for subject in found["subjects"]] == ["demo", "sst2"]
    assert len(found["layers"]) == 12 and found["null"]["random"]["draws"] == 2
    kept = [read_native(TextRun(path).native).layers() for path in runs]
    path, layer = next(iter(found["layers"].items()))
    shared = set.intersection(*(set(each[path]["direction_index"].tolist()) for each in kept))
    assert layer["matrix"][0][1] == pytest.approx(len(shared) / 3)


def test_a_full_fine_tuning_and_photos_beside_text_are_refused(
    bert: Path, teapot: Run, tmp_path: Path
) -> None:
    recipe = glue_recipe(bert, tmp_path)
    full = TextRun(tmp_path / "full")
    full.write_config(replace(recipe, instead="full"))
    with pytest.raises(ArtifactError, match="^full: method full launches no directions"):
        compare_subjects(CompareConfig((full.path, teapot.path), tmp_path))
    text = glue.train(recipe)
    with pytest.raises(ConfigError, match="different frozen weights"):
        compare_subjects(CompareConfig((text.path, teapot.path), tmp_path))
