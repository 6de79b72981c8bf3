"""The paper's studies on real, tiny runs: a full fine-tuning, adapters, and the files written."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file, save_file

from eval.analyse_directions import AnalyseConfig, analyse_directions, main
from tests.text_bases import glue_recipe, llm_recipe
from trainer import glue, llm
from trainer.config import CheckpointConfig
from trainer.errors import ArtifactError, ConfigError
from trainer.text_config import ValidationConfig
from trainer.text_run import TextRun

KEPT = CheckpointConfig(every=2, keep=10, minutes=1e6)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("workspace")


@pytest.fixture(scope="module")
def full(bert: Path, workspace: Path) -> TextRun:
    return glue.train(replace(glue_recipe(bert, workspace), instead="full"))


@pytest.fixture(scope="module")
def tsd(bert: Path, workspace: Path) -> TextRun:
    recipe = glue_recipe(bert, workspace)
    return glue.train(replace(recipe, checkpoint=KEPT, validation=ValidationConfig(every=3)))


@pytest.fixture(scope="module")
def lora(bert: Path, workspace: Path) -> TextRun:
    recipe = glue_recipe(bert, workspace)
    adapter = replace(recipe.adapter, method="lora")
    return glue.train(replace(recipe, adapter=adapter, checkpoint=KEPT))


@pytest.fixture(scope="module")
def analysed(full: TextRun, tsd: TextRun, lora: TextRun, workspace: Path) -> Path:
    runs = (tsd.path, lora.path)
    return analyse_directions(AnalyseConfig(full.path, runs, null_draws=3, workspace=workspace))


def test_tsds_are_those_of_the_two_weights_by_numpy(
    analysed: Path, full: TextRun, bert: Path
) -> None:
    found = json.loads((analysed / "directions.json").read_text("utf-8"))["change_rates"]
    before, after = load_file(bert / "model.safetensors"), load_file(full.native)
    assert len(found["layers"]) == 12
    for path in ("bert.encoder.layer.0.attention.self.key", "bert.encoder.layer.1.output.dense"):
        w = before[f"{path.removeprefix('bert.')}.weight"].double().numpy()
        changed = after[f"{path}.weight"].double().numpy() - w
        u, sigma, vh = np.linalg.svd(w, full_matrices=False)
        rates = np.abs(np.diag(u.T @ changed @ vh.T)) / (sigma + 1e-6)
        row = found["layers"][path]
        assert row["tsds"] == np.argsort(-rates)[:16].tolist()
        assert row["change_rates"] == pytest.approx(np.sort(rates)[::-1][:16].tolist(), rel=1e-3)


def test_every_kept_checkpoint_is_asked_and_the_null_stands_beside(
    analysed: Path, tsd: TextRun
) -> None:
    run = json.loads((analysed / "directions.json").read_text("utf-8"))["runs"][tsd.path.name]
    assert (run["method"], run["launch_step"]) == ("lora-tsd", 3)
    assert run["capture"]["steps"] == [2, 4, 6]
    for name in ("precision", "recall"):
        study = run["capture"][name]
        by_layer = np.array(list(study["layers"].values()))
        assert study["mean"] == pytest.approx(by_layer.mean(axis=0).tolist())
        assert study["null"]["low"] <= study["null"]["mean"] <= study["null"]["high"]
        assert 0 < study["chance"] < 1
    assert set(run["alignment"]) == {"DTSD in LTSD", "TSD in LTSD", "TSD in DTSD"}
    assert set(run["amplification"]) == {"all", "AB", "dash", "null"}


def test_figures_are_there_and_only_those_a_run_has(
    analysed: Path, tsd: TextRun, lora: TextRun
) -> None:
    of_lora = {"capture.png", "losses.png"}
    assert {path.name for path in (analysed / lora.path.name).iterdir()} == of_lora
    drawn = {path.name for path in (analysed / tsd.path.name).iterdir()}
    assert drawn == {*of_lora, "alignment.png", "amplification.png"}
    for picture in analysed.glob("**/*.png"):
        with Image.open(picture) as opened:
            opened.load()
            assert min(opened.size) > 300


def test_a_language_model_is_studied_as_an_encoder_is(llama: Path, tmp_path: Path) -> None:
    recipe = llm_recipe(llama, tmp_path)
    full = llm.train(replace(recipe, instead="full"))
    adapter = llm.train(recipe)
    config = AnalyseConfig(full.path, (adapter.path,), null_draws=2, workspace=tmp_path)
    found = json.loads((analyse_directions(config) / "directions.json").read_text("utf-8"))
    paths = found["runs"][adapter.path.name]["capture"]["precision"]["layers"]
    assert {path.rpartition(".")[2] for path in paths} == set(recipe.adapter.target_modules)


def test_without_adapters_there_are_the_change_rates_alone(
    full: TextRun, workspace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = [str(full.path), "--out", str(tmp_path), "--layer", "self.value"]
    assert main([*asked, "--null-draws", "2", "--workspace", str(workspace)]) == 0
    assert capsys.readouterr().out.split() == [
        str(tmp_path / "directions.json"), str(tmp_path / "change_rates.png"),
    ]  # fmt: skip
    drawn = json.loads((tmp_path / "directions.json").read_text("utf-8"))["change_rates"]["drawn"]
    assert drawn["layer"] == "bert.encoder.layer.0.attention.self.value"


def test_runs_of_another_base_are_refused(full: TextRun, bert: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for file in bert.iterdir():
        (other / file.name).write_bytes(file.read_bytes())
    weights = load_file(bert / "model.safetensors")
    weights["encoder.layer.1.attention.self.value.weight"][0, 0] += 1e-3
    save_file(weights, other / "model.safetensors", {"format": "pt"})
    run = glue.train(glue_recipe(other, tmp_path))
    with pytest.raises(ArtifactError, match=r"other weights than the full.*fingerprint"):
        analyse_directions(AnalyseConfig(full.path, (run.path,), out=tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_studied_is_refused(full: TextRun, tsd: TextRun, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"trained lora-tsd, so it has no W\*.*--instead full"):
        analyse_directions(AnalyseConfig(tsd.path, (tsd.path,)))
    with pytest.raises(ArtifactError, match="trained full, which changes no directions"):
        analyse_directions(AnalyseConfig(full.path, (full.path,)))
    with pytest.raises(ConfigError, match="2 and more"):
        analyse_directions(AnalyseConfig(full.path, null_draws=1))
    with pytest.raises(ConfigError, match="one name"):
        analyse_directions(AnalyseConfig(full.path, (tsd.path, tsd.path)))
    with pytest.raises(ConfigError, match="--layer to_k.*for example"):
        analyse_directions(AnalyseConfig(full.path, layer="to_k", workspace=tmp_path))
    unfinished = TextRun(tmp_path / "unfinished")
    unfinished.write_config(tsd.read_config())
    with pytest.raises(ArtifactError, match="has not finished"):
        analyse_directions(AnalyseConfig(full.path, (unfinished.path,)))
