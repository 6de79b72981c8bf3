"""A run of GLUE is scored, its predictions lie beside, and secret labels give a submission."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from eval.glue_submission import file_name, submission
from eval.score_glue import ScoreGlueConfig, main, score_glue
from tests.text_bases import glue_recipe
from trainer import glue
from trainer.data.glue import DEMO_FOLDER, TASKS
from trainer.errors import ArtifactError, ConfigError, DataError
from trainer.text.finished import open_text_run
from trainer.text_config import GlueConfig, LLMConfig
from trainer.text_run import TextRun


@pytest.fixture(scope="module")
def run(bert: Path, tmp_path_factory: pytest.TempPathFactory) -> TextRun:
    return glue.train(glue_recipe(bert, tmp_path_factory.mktemp("workspace")))


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_the_dev_set_is_scored_and_the_score_is_that_of_the_predictions(run: TextRun) -> None:
    scores = score_glue(ScoreGlueConfig(run.path))
    rows = lines(run.predictions)
    assert json.loads(run.scores.read_text("utf-8")) == scores
    assert (scores["task"], scores["n"], scores["method"]) == ("demo", 60, "lora-tsd")
    assert (scores["seed"], scores["base"]) == (0, run.read_config().base)
    right = [row["prediction"] == row["label"] for row in rows]
    found = scores["scores"]["accuracy"]
    assert found["value"] == pytest.approx(np.mean(right)) and len(right) == 60
    assert found["low"] <= found["value"] <= found["high"]


def test_the_scores_say_how_long_the_scoring_took(run: TextRun) -> None:
    began = time.monotonic()
    seconds = score_glue(ScoreGlueConfig(run.path))["seconds"]
    assert 0 < seconds <= time.monotonic() - began + 0.05


def test_it_is_the_trained_adapter_and_head_that_answer(run: TextRun) -> None:
    score_glue(ScoreGlueConfig(run.path))
    _, model = open_text_run(run.path)
    for row in lines(run.predictions)[:3]:
        told = model.tokenizer(*row["texts"], return_tensors="pt")  # type: ignore[misc]
        outputs = model.model(**told).logits[0].tolist()
        assert row["outputs"] == pytest.approx(outputs, abs=1e-3)


def test_a_file_by_path_has_its_scores_beside_those_of_the_dev_set(
    run: TextRun, tmp_path: Path
) -> None:
    path = tmp_path / "reviews.tsv"
    path.write_text("sentence\tlabel\nThe soup was warm.\t1\nThe soup was cold.\t0\n", "utf-8")
    own = run.scores.read_bytes() if run.scores.exists() else None
    assert main([str(run.path), str(path)]) == 0
    assert own is None or run.scores.read_bytes() == own
    assert json.loads((run.path / "scores-reviews.json").read_text("utf-8"))["n"] == 2
    assert len(lines(run.path / "predictions-reviews.jsonl")) == 2


def test_files_of_one_name_have_scores_of_their_own(run: TextRun, tmp_path: Path) -> None:
    for folder, rows in (("a", 2), ("b", 3), ("a", 4)):
        path = tmp_path / folder / "mine.tsv"
        path.parent.mkdir(exist_ok=True)
        path.write_text("sentence\tlabel\n" + "The soup was warm.\t1\n" * rows, "utf-8")
        assert main([str(run.path), str(path)]) == 0
    counts = [json.loads((run.path / f"scores-{name}.json").read_text("utf-8"))["n"]
              for name in ("mine", "mine-2")]  # fmt: skip
    assert counts == [4, 3]
    assert [len(lines(run.path / f"predictions-{name}.jsonl")) for name in ("mine", "mine-2")] == [
        4, 3,
    ]  # fmt: skip


def test_without_labels_there_are_no_scores_but_a_submission(run: TextRun, tmp_path: Path) -> None:
    path = tmp_path / "test.tsv"
    path.write_text("index\tsentence\n0\tA lovely film.\n1\tA dreadful film.\n", "utf-8")
    scores = score_glue(ScoreGlueConfig(run.path, path))
    told = [
        row["prediction"] for row in lines(run.path / f"predictions-{tmp_path.name}-test.jsonl")
    ]
    assert scores["scores"] == {}
    assert (run.path / scores["submission"]).read_text("utf-8") == (
        f"index\tprediction\n0\t{told[0]}\n1\t{told[1]}\n"
    )


def test_the_test_set_of_the_run_s_own_data_is_predicted_for_the_server(
    run: TextRun, tmp_path: Path
) -> None:
    mine, data = TextRun(tmp_path / "run"), tmp_path / "glue"
    shutil.copytree(run.path, mine.path)
    (data / "glue_demo").mkdir(parents=True)
    text = "index\tsentence\n0\tA lovely film.\n1\tA dreadful film.\n"
    (data / "glue_demo" / "test.tsv").write_text(text, "utf-8")
    mine.write_config(replace(mine.glue_config(), data=str(data)))
    assert main([str(mine.path), "--split", "test"]) == 0
    told = [row["prediction"] for row in lines(mine.path / "predictions-test.jsonl")]
    written = (mine.submissions / "glue_demo.tsv").read_text("utf-8")
    assert written == f"index\tprediction\n0\t{told[0]}\n1\t{told[1]}\n"
    scores = json.loads((mine.path / "scores-test.json").read_text("utf-8"))
    assert (scores["scores"], scores["submission"]) == ({}, "submission/glue_demo.tsv")


def test_data_without_a_test_set_is_said(run: TextRun) -> None:
    with pytest.raises(DataError, match="holds no test set of demo"):
        score_glue(ScoreGlueConfig(run.path, split="test"))


def test_a_label_that_one_row_lacks_is_named_and_nothing_is_written(
    run: TextRun, tmp_path: Path
) -> None:
    path = tmp_path / "partly.tsv"
    path.write_text("sentence\tlabel\nA lovely film.\t1\nA dreadful film.\t-1\n", "utf-8")
    before = sorted(run.path.rglob("*"))
    with pytest.raises(DataError, match=r"partly\.tsv, line 3: has no label"):
        score_glue(ScoreGlueConfig(run.path, path))
    assert sorted(run.path.rglob("*")) == before


# As gluebenchmark.com's FAQ asks for them.
@pytest.mark.parametrize(
    ("task", "source", "name"),
    [("cola", "test", "CoLA.tsv"), ("sst2", "test", "SST-2.tsv"), ("mrpc", "test", "MRPC.tsv"),
     ("stsb", "test", "STS-B.tsv"), ("qqp", "test", "QQP.tsv"), ("qnli", "test", "QNLI.tsv"),
     ("rte", "test", "RTE.tsv"), ("mnli", "test_matched", "MNLI-m.tsv"),
     ("mnli", "test_mismatched", "MNLI-mm.tsv")],
)  # fmt: skip
def test_submission_files_have_their_official_names(task: str, source: str, name: str) -> None:
    assert file_name(TASKS[task], Path(f"{source}.tsv")) == name


def test_submissions_name_labels_as_the_server_does() -> None:
    head = "index\tprediction\n"
    assert submission(TASKS["rte"], [1, 0]) == f"{head}0\tnot_entailment\n1\tentailment\n"
    assert submission(TASKS["mnli"], [2]) == f"{head}0\tcontradiction\n"
    assert submission(TASKS["sst2"], [1]) == f"{head}0\t1\n"
    assert submission(TASKS["stsb"], [2.34567]) == f"{head}0\t2.346\n"


def test_wrong_requests_are_refused_before_a_model_is_loaded(
    llm_config: LLMConfig, glue_config: GlueConfig, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="--batch-size is 0"):
        score_glue(ScoreGlueConfig(tmp_path, batch_size=0))
    other, unfinished = TextRun(tmp_path / "llm"), TextRun(tmp_path / "glue")
    other.write_config(llm_config)
    with pytest.raises(ArtifactError, match="trained on instructions"):
        score_glue(ScoreGlueConfig(other.path))
    unfinished.write_config(replace(glue_config, data=str(DEMO_FOLDER)))
    with pytest.raises(ArtifactError, match="has not finished"):
        score_glue(ScoreGlueConfig(unfinished.path))
