"""Asking for studies of directions: what may be chosen, and what is refused before it is queued."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from app.jobs.records import JobKind, StateError
from app.requests import DirectionsRequest
from app.studio import Studio
from trainer.adapters.config import AdapterConfig
from trainer.errors import ArtifactError, ConfigError
from trainer.files import write_json
from trainer.text_config import GlueConfig, LLMConfig, TextModelConfig
from trainer.text_run import TextRun

LAYERS = {
    "full-1": [f"layer.{n}.{name}.weight" for n in (10, 2) for name in ("key_proj", "LayerNorm")],
    "tsd-1": ["layer.2.query_proj.lora_A", "layer.2.query_proj.lora_B", "layer.10.key_proj.lora_A"],
}
"""What the files of two runs hold."""


@pytest.fixture
def made(studio: Studio) -> Studio:
    """Runs as their lists see them: two bases, several methods and precisions, one unfinished."""
    fp32, bf16 = TextModelConfig(precision="fp32"), TextModelConfig(precision="bf16")
    cola = GlueConfig(base="minilm", task="cola", model=fp32)
    runs: dict[str, Any] = {
        "full-1": replace(cola, instead="full"),
        "full-2": replace(cola, instead="full", task="sst2"),
        "tsd-1": cola,
        "bias-1": replace(cola, instead="bitfit"),
        "coarse-1": replace(cola, model=bf16),
        "packed-1": replace(cola, model=replace(fp32, quantization="4bit")),
        "llm-1": LLMConfig(base="smollm2", adapter=AdapterConfig(method="lora"), model=bf16),
        "begun-1": cola,
    }
    for name, config in runs.items():
        run = TextRun(studio.workspace.run(name))
        run.write_config(config)
        if name in LAYERS:
            save_file({key: np.zeros(1) for key in LAYERS[name]}, run.native)
        if name != "begun-1":
            write_json(run.status_file, {"state": "succeeded", "step": 6})
    return studio


def test_what_can_be_chosen_is_finished_and_of_one_base(made: Studio) -> None:
    assert {run.name for run in made.directions.full_runs()} == {"full-1", "full-2"}
    assert {run.name for run in made.directions.runs_beside("full-1")} == {"full-2", "tsd-1"}


def test_a_study_is_a_job_that_its_runs_are_needed_for(made: Studio) -> None:
    job = made.directions.study(DirectionsRequest("full-1", ("tsd-1", "full-2")))
    assert (job.kind, job.title) == (JobKind.DIRECTIONS, "directions · full-1, 2 runs beside")
    for name in ("full-1", "tsd-1"):
        with pytest.raises(StateError, match=job.id):
            made.delete_run(name)
    assert made.rerun(job.id).request == job.request
    with pytest.raises(ArtifactError, match="no studies of directions yet"):
        made.directions.studies(job.id)


@pytest.mark.parametrize(
    ("full", "runs", "words"),
    [
        ("tsd-1", (), "tsd-1 trained lora-tsd: only a full fine-tuning"),
        ("full-1", ("bias-1",), "bias-1: changes no directions"),
        ("full-1", ("llm-1",), "full-1 is on minilm in fp32, but llm-1 on smollm2 in bf16"),
        ("full-1", ("coarse-1",), "but coarse-1 on minilm in bf16.*--model.precision fp32"),
        ("full-1", ("packed-1",), "but packed-1 on minilm in 4bit"),
        ("full-1", ("begun-1",), "begun-1: not finished"),
        ("full-1", ("full-1",), "each once, and not the full fine-tuning itself"),
        ("full-1", ("../x",), "is no name"),
        ("nobody", (), "no run 'nobody'"),
    ],
)
def test_runs_that_do_not_fit_are_refused_by_name(
    made: Studio, full: str, runs: tuple[str, ...], words: str
) -> None:
    with pytest.raises((ConfigError, ArtifactError, StateError), match=words):
        made.directions.study(DirectionsRequest(full, runs))
    assert made.jobs() == []


def test_the_layer_to_draw_is_one_of_those_that_are_studied(made: Studio) -> None:
    studied = ["layer.2.query_proj", "layer.10.key_proj"]
    assert made.directions.layers("full-1", ["tsd-1", "full-2"]) == studied
    assert made.directions.layers("full-1", []) == ["layer.2.key_proj", "layer.10.key_proj"]
    job = made.directions.study(DirectionsRequest("full-1", ("tsd-1",), "10.key_proj"))
    assert job.request["layer"] == "10.key_proj"
    with pytest.raises(ConfigError, match=r"called 2\.key_proj; for example layer\.2\.query_proj"):
        made.directions.study(DirectionsRequest("full-1", ("tsd-1",), "2.key_proj"))


def test_all_that_is_out_of_bounds_is_said_at_once(made: Studio) -> None:
    with pytest.raises(ConfigError, match=r"null_draws: needed is 2 to 200.*\n.*layer"):
        made.directions.study(DirectionsRequest("full-1", layer="", null_draws=1))


def test_the_files_of_a_study_are_found_by_name_and_no_others(made: Studio, tmp_path: Path) -> None:
    job = made.directions.study(DirectionsRequest("full-1"))
    folder = made.directions.folder(job.id)
    write_json(folder / "directions.json", {"figures": []})
    assert made.directions.studies(job.id) == {"figures": []}
    assert made.job_file(job.id, "studies/directions.json") == folder / "directions.json"
    with pytest.raises(ArtifactError, match="no file"):
        made.job_file(job.id, "studies/../../../queue")
