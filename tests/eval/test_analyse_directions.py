"""The paper's studies on real, tiny runs: a full fine-tuning, adapters, and the files written."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file, save_file

from eval.analyse_directions import AnalyseConfig, analyse_directions, main
from eval.directions.gallery import draw_all
from eval.directions.verdicts import amount, numbers
from eval.directions.words import summary
from eval.machine import machine
from eval.reproduction.__main__ import document
from eval.reproduction.stored import RESULTS, Results
from tests.text_bases import glue_recipe, llm_recipe
from trainer import glue, llm
from trainer.config import CheckpointConfig
from trainer.errors import ArtifactError, ConfigError
from trainer.text_config import GlueConfig, ValidationConfig
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
def lora_again(lora: TextRun) -> TextRun:
    """Another seed."""
    config = lora.read_config()
    assert isinstance(config, GlueConfig)
    adapter, optim = replace(config.adapter, seed=1), replace(config.optim, seed=1)
    return glue.train(replace(config, run=None, adapter=adapter, optim=optim))


@pytest.fixture(scope="module")
def full_again(full: TextRun) -> TextRun:
    config = full.read_config()
    assert isinstance(config, GlueConfig)
    return glue.train(replace(config, optim=replace(config.optim, seed=1)))


def test_a_copy_of_a_run_does_not_count_as_another_seed(
    full: TextRun, lora: TextRun, lora_again: TextRun, tmp_path: Path
) -> None:
    copy = shutil.copytree(lora.path, tmp_path / "copy")
    runs = (lora.path, lora_again.path, copy)
    with pytest.raises(ArtifactError, match=f"copy is the same training as {lora.path}.* seed 0"):
        analyse_directions(AnalyseConfig(full.path, runs, workspace=tmp_path))


@pytest.fixture(scope="module")
def analysed(
    full: TextRun, tsd: TextRun, lora: TextRun, lora_again: TextRun, full_again: TextRun,
    workspace: Path,
) -> Path:  # fmt: skip
    runs = tuple(run.path for run in (tsd, lora, lora_again, full_again))
    config = AnalyseConfig(full.path, runs, null_draws=3, workspace=workspace)
    return analyse_directions(config).folder


@pytest.fixture(scope="module")
def record(analysed: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((analysed / "directions.json").read_text("utf-8"))
    return found


def test_the_reproduction_shows_each_number_with_its_null(
    record: dict[str, Any], tmp_path: Path
) -> None:
    shutil.copy(RESULTS / "paper.json", tmp_path)
    results = Results(tmp_path)
    (tmp_path / "given").write_text(json.dumps({**record, "task": "sst2"}))
    results.keep(tmp_path / "given", "directions-sst2")
    text = document(results)
    assert f"studied on {record['machine']}, {record['written'][:10]}" in text
    assert "| W\\*, full fine-tuning | 0 | – | 6 | " in text
    assert "| 3, launch | " in text  # the losses of Fig. 8
    for name, method in record["methods"].items():
        for linears, part in (("all linears", method), ("q, k, v", method["attention"])):
            for key, row in numbers(part).items():
                if key != "amplification":
                    told = f"| {name} | {len(method['runs'])} | {linears} | {key} | "
                    assert f"{told}{amount(row, '.2f')} | " in text
    tsd = next(method for method in record["methods"].values() if method["method"] == "lora-tsd")
    parts = " | ".join(amount(tsd["amplification"][part], ".2f") for part in ("all", "AB", "dash"))
    assert f" | {parts} | " in text


def test_the_record_says_on_what_machine_it_was_made_and_how_long_runs_were_trained(
    record: dict[str, Any],
) -> None:
    assert (record["machine"], record["full_seed"]) == (machine(), 0)
    for trained in (record["trained"], record["methods"]["lora-tsd"]["trained"]):
        assert (trained["steps"], trained["precision"]) == (6, "fp32")
        assert set(trained) >= {"batch_size", "learning_rate", "examples", "max_length"}


def test_tsds_are_those_of_the_two_weights_by_numpy(
    record: dict[str, Any], full: TextRun, bert: Path
) -> None:
    found = record["change_rates"]
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
    record: dict[str, Any], tsd: TextRun
) -> None:
    method = record["methods"]["lora-tsd"]
    assert (method["runs"], method["launch_step"]) == ([tsd.path.name], 3)
    assert method["capture"]["steps"] == [2, 4, 6]
    for name in ("precision", "recall"):
        study = method["capture"][name]
        by_layer = np.array(list(study["layers"].values()))
        assert study["mean"] == pytest.approx(by_layer.mean(axis=0).tolist())
        assert study["null"]["low"] <= study["null"]["mean"] <= study["null"]["high"]
        assert 0 < study["chance"] < 1
        tsds = [row["tsds"] for row in record["change_rates"]["layers"].values()]
        most, size = {"precision": (16, 8), "recall": (4, 4)}[name]
        guessed = [len(set(row[:most]) & set(range(16, 24))) / size for row in tsds]
        assert study["smallest"] == pytest.approx(np.mean(guessed))
    assert set(method["alignment"]) == {"DTSD in LTSD", "TSD in LTSD", "TSD in DTSD"}
    assert set(method["amplification"]) == {"all", "AB", "dash"}
    attention = method["attention"]["capture"]["precision"]
    assert set(attention["layers"]) == {path for path in study["layers"] if ".self." in path}
    assert attention["mean"] == pytest.approx(
        np.mean(list(attention["layers"].values()), axis=0).tolist()
    )
    null = method["amplification"]["all"]["null"]
    assert null["low"] < null["mean"] < null["high"]
    assert method["plain_lora"] == "lora"


def test_seeds_of_one_method_are_taken_together(
    record: dict[str, Any], lora: TextRun, lora_again: TextRun
) -> None:
    method = record["methods"]["lora"]
    assert method["runs"] == [lora.path.name, lora_again.path.name] and method["seeds"] == [0, 1]
    study = method["capture"]["recall"]
    seeds = np.array(study["seeds"])
    assert seeds.shape == (2, 3)  # three checkpoints
    assert study["mean"] == pytest.approx(seeds.mean(axis=0).tolist())
    assert study["sd"] == pytest.approx(seeds.std(axis=0, ddof=1).tolist())
    assert "alignment" not in method


def test_another_full_fine_tuning_is_asked_for_the_same_directions(
    record: dict[str, Any], full: TextRun, full_again: TextRun, bert: Path
) -> None:
    path = "bert.encoder.layer.1.attention.self.value"
    w = load_file(bert / "model.safetensors")[f"{path.removeprefix('bert.')}.weight"].double()
    u, sigma, vh = np.linalg.svd(w.numpy(), full_matrices=False)
    order = []
    for run in (full, full_again):
        changed = (load_file(run.native)[f"{path}.weight"].double() - w).numpy()
        order.append(np.argsort(-np.abs(np.diag(u.T @ changed @ vh.T)) / (sigma + 1e-6)))
    study = record["methods"]["full"]["capture"]
    assert study["precision"]["layers"][path] == [
        len(set(order[1][:8]) & set(order[0][:16])) / 8
    ]  # fmt: skip
    assert study["recall"]["layers"][path] == [len(set(order[0][:4]) & set(order[1][:8])) / 4]


def test_losses_are_those_that_the_runs_wrote_down(record: dict[str, Any], tsd: TextRun) -> None:
    found = record["methods"]["lora-tsd"]["losses"]
    rows = list(tsd.metric_rows())
    trained = [row["loss"] for row in rows if row["kind"] == "step"]
    assert found["training"] == {"steps": [1, 2, 3, 4, 5, 6], "mean": trained, "sd": None}
    assert found["validation"]["steps"] == [0, 3, 6] and found["launch"] == 3


def test_the_figures_are_listed_and_drawn_from_the_file_alone(
    analysed: Path, record: dict[str, Any], tmp_path: Path
) -> None:
    assert draw_all(record, tmp_path) == record["figures"]
    files = [row["file"] for row in record["figures"]]
    assert files == [
        "change_rates.png", "overview.png", "lora-tsd/capture.png", "lora-tsd/losses.png",
        "lora-tsd/alignment.png", "lora-tsd/amplification.png", "lora/capture.png",
        "lora/losses.png", "full/losses.png",
    ]  # fmt: skip
    for file in files:
        assert (tmp_path / file).read_bytes() == (analysed / file).read_bytes()
        with Image.open(analysed / file) as opened:
            opened.load()
            assert min(opened.size) > 300


def test_directions_varied_alone_are_an_ablation(
    tsd: TextRun, full: TextRun, tmp_path: Path
) -> None:
    config = tsd.read_config()
    assert isinstance(config, GlueConfig)
    adapter = replace(config.adapter, direction="top")
    top = glue.train(replace(config, run=None, adapter=adapter))
    asked = AnalyseConfig(
        full.path, (tsd.path, top.path), out=tmp_path, null_draws=2, workspace=config.workspace
    )
    record = analyse_directions(asked).record
    assert list(record["methods"]) == ["lora-tsd, tsd", "lora-tsd, top"]
    ablation = record["ablations"]["lora-tsd"]
    assert ablation["measure"] == "validation loss"
    assert [row["value"] for row in ablation["axes"]["direction"]["values"]] == ["tsd", "top"]
    assert (tmp_path / "ablation-lora-tsd.png").exists()
    assert record["unscored"] == {"lora-tsd": [tsd.path.name, top.path.name]}
    words = summary(record)
    assert "lora-tsd by its settings, validation loss" in words
    assert "it is" in words and "chance" in words


def test_a_language_model_is_studied_as_an_encoder_is(llama: Path, tmp_path: Path) -> None:
    recipe = llm_recipe(llama, tmp_path)
    full = llm.train(replace(recipe, instead="full"))
    adapter = llm.train(recipe)
    config = AnalyseConfig(full.path, (adapter.path,), null_draws=2, workspace=tmp_path)
    [method] = analyse_directions(config).record["methods"].values()
    paths = method["capture"]["precision"]["layers"]
    assert {path.rpartition(".")[2] for path in paths} == set(recipe.adapter.target_modules)


def test_without_adapters_there_are_the_change_rates_alone(
    full: TextRun, workspace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = [str(full.path), "--out", str(tmp_path), "--layer", "self.value"]
    assert main([*asked, "--null-draws", "2", "--workspace", str(workspace)]) == 0
    printed = capsys.readouterr().out
    assert "of the top TSDs lie in the last tenth of the spectrum" in printed
    assert printed.split()[-2:] == [
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


def test_a_run_of_another_model_is_refused_by_its_base(
    full: TextRun, llama: Path, tmp_path: Path
) -> None:
    run = llm.train(llm_recipe(llama, tmp_path))
    with pytest.raises(ArtifactError, match=rf"trained on {llama}, .*has other linears"):
        analyse_directions(AnalyseConfig(full.path, (run.path,), out=tmp_path / "out"))


def test_what_cannot_be_studied_is_refused(full: TextRun, tsd: TextRun, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"trained lora-tsd, so it has no W\*.*--instead full"):
        analyse_directions(AnalyseConfig(tsd.path))
    other = TextRun(tmp_path / "other")
    other.write_config(replace(tsd.read_config(), instead="bitfit"))
    with pytest.raises(ArtifactError, match="trained bitfit, which changes no directions"):
        analyse_directions(AnalyseConfig(full.path, (other.path,)))
    with pytest.raises(ConfigError, match="2 and more"):
        analyse_directions(AnalyseConfig(full.path, null_draws=1))
    with pytest.raises(ConfigError, match="one name"):
        analyse_directions(AnalyseConfig(full.path, (tsd.path, full.path)))
    with pytest.raises(ConfigError, match="--layer to_k.*for example"):
        analyse_directions(AnalyseConfig(full.path, layer="to_k", workspace=tmp_path))
    unfinished = TextRun(tmp_path / "unfinished")
    unfinished.write_config(tsd.read_config())
    with pytest.raises(ArtifactError, match="has not finished"):
        analyse_directions(AnalyseConfig(full.path, (unfinished.path,)))
