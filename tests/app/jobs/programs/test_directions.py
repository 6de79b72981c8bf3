"""A directions job: what is studied, what a killed attempt leaves to the next, what is refused."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.jobs.program import run_job
from app.jobs.programs.exits import Exit
from tests.text_bases import glue_recipe
from trainer import glue

LAYERS = 12


@pytest.fixture(scope="module")
def runs(desk: Any, bert: Path) -> None:
    """`full-1`, and `dash-1` and `dash-2` of two seeds, in the desk's workspace."""
    recipe = glue_recipe(bert, desk.workspace.root)
    dash = replace(recipe, adapter=replace(recipe.adapter, method="lora-dash"))
    glue.train(replace(recipe, instead="full", run=desk.workspace.run("full-1")))
    for seed in (1, 2):
        optim = replace(recipe.optim, seed=seed)
        glue.train(replace(dash, optim=optim, run=desk.workspace.run(f"dash-{seed}")))


def request(*beside: str, **more: Any) -> dict[str, Any]:
    return {"full": "full-1", "runs": beside, "null_draws": 2, **more}


def test_a_job_leaves_numbers_and_figures_in_its_folder(desk: Any, runs: None, told: Any) -> None:
    folder = desk.job("directions", request("dash-1", "dash-2", layer="layer.0.output.dense"))
    assert desk.done(folder) == {"studies": "studies"}
    record = json.loads((folder / "studies" / "directions.json").read_text())
    assert record["methods"]["lora-dash"]["runs"] == ["dash-1", "dash-2"]
    assert record["change_rates"]["drawn"]["layer"] == "bert.encoder.layer.0.output.dense"
    for figure in record["figures"]:
        assert (folder / "studies" / figure["file"]).is_file()
    last = told(folder, "progress")[-1]
    assert last == {"kind": "progress", "step": LAYERS, "total": LAYERS, "phase": "study"}


def begun(start: Any, desk: Any, told: Any) -> tuple[Path, subprocess.Popen[bytes]]:
    """A job in a process of its own that is through with a layer, but not with many."""
    folder = desk.job("directions", request("dash-1", null_draws=200))
    process = start("app.jobs.program", str(folder))
    deadline = time.monotonic() + 240
    while not told(folder, "kept"):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.005)
    return folder, process


def test_an_attempt_after_a_killed_one_goes_on_with_the_next_layer(
    desk: Any, runs: None, start: Callable[..., Any], told: Any
) -> None:
    folder, process = begun(start, desk, told)
    process.kill()
    process.wait()
    first = [row["step"] for row in told(folder, "kept")]
    assert not (folder / "studies").exists() and len(first) < LAYERS
    [layers] = folder.glob("begun-*/layers.jsonl")
    kept = layers.read_text().splitlines()
    [name, row] = json.loads(kept[1])
    marked = json.dumps([name, {**row, "spectrum": {**row["spectrum"], "in_last_tenth": 7.0}}])
    layers.write_text("\n".join([kept[0], marked, *kept[2:]]))
    desk.done(folder)
    both = [row["step"] for row in told(folder, "kept")]
    assert both == [*first, *range(1, LAYERS + 1)]
    found = json.loads((folder / "studies" / "directions.json").read_text())
    assert found["change_rates"]["layers"][name]["in_last_tenth"] == 7.0  # not studied again
    assert not list(folder.glob("begun-*"))


def test_a_cancelled_job_stops_at_once_and_publishes_nothing(
    desk: Any, runs: None, start: Callable[..., Any], told: Any
) -> None:
    folder, process = begun(start, desk, told)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == Exit.STOPPED
    assert not (folder / "studies").exists() and not (folder / "result.json").exists()


def test_another_precision_of_the_base_is_refused_in_words(
    desk: Any, runs: None, bert: Path
) -> None:
    recipe = glue_recipe(bert, desk.workspace.root)
    model = replace(recipe.model, precision="bf16")
    glue.train(replace(recipe, model=model, run=desk.workspace.run("half-1")))
    folder = desk.job("directions", request("half-1"))
    assert run_job(folder) is Exit.REFUSED
    assert "was trained on other weights" in (folder / "error.txt").read_text()
    assert not (folder / "studies").exists()
