"""A language model's run is scored both ways, set by set, with its base beside it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from peft import PeftModel

from eval import score_commonsense as score_module
from eval.answers import extract, extract_text
from eval.score_commonsense import ScoreCommonsenseConfig, answers_of, main, score_commonsense
from tests.text_bases import llm_recipe
from trainer import llm
from trainer.data.instruct import COMMONSENSE, DEMO_FILE, candidates_of, prompt_of, read_items
from trainer.errors import ConfigError, DataError, NonFiniteError
from trainer.text.finished import load_base, open_text_run
from trainer.text.load import TextModel
from trainer.text_config import LLMConfig
from trainer.text_run import TextRun


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("workspace")


@pytest.fixture(scope="module")
def run(llama: Path, workspace: Path) -> TextRun:
    return llm.train(llm_recipe(llama, workspace))


@pytest.fixture(scope="module")
def labels_run(llama: Path, workspace: Path) -> TextRun:
    return llm.train(replace(llm_recipe(llama, workspace), style="labels", max_length=200))


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def share_right(rows: list[dict[str, Any]], prediction: str = "prediction") -> float:
    return float(np.mean([row[prediction] == row["answer"] for row in rows]))


def test_likelihood_scores_the_runs_own_test_items_and_says_so(run: TextRun) -> None:
    scores = score_commonsense(ScoreCommonsenseConfig(run.path))
    rows = lines(run.predictions)
    assert json.loads(run.scores.read_text("utf-8")) == scores
    assert (scores["by"], scores["style"], scores["decoding"]) == ("likelihood", "texts", None)
    assert (scores["method"], scores["seed"]) == ("lora-tsd", 0)
    assert scores["seconds"] > 0
    found = scores["sets"]["commonsense_demo"]
    assert found["n"] == len(rows) == 59
    assert found["accuracy"]["value"] == pytest.approx(share_right(rows))
    assert found["accuracy_per_byte"]["value"] == pytest.approx(
        share_right(rows, "prediction_per_byte")
    )
    right = [row["answer"] for row in rows]
    assert found["one_answer"] == max(right.count(answer) for answer in right) / 59
    assert found["accuracy"]["low"] <= found["accuracy"]["value"] <= found["accuracy"]["high"]


def test_a_prediction_is_the_choice_of_the_largest_likelihood(run: TextRun) -> None:
    score_commonsense(ScoreCommonsenseConfig(run.path, base=False))
    items = read_items(DEMO_FILE, "test")
    for item, row in zip(items, lines(run.predictions), strict=True):
        assert item.choices[int(np.argmax(row["log_likelihoods"]))] == row["prediction"]


def test_a_model_whose_logits_are_nan_is_refused_and_nothing_is_written(
    run: TextRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    def diverged(path: Path) -> tuple[TextRun, TextModel]:
        opened, text = open_text_run(path)
        text.model.lm_head.weight.data.fill_(math.nan)
        return opened, text

    monkeypatch.setattr(score_module, "open_text_run", diverged)
    asked = ScoreCommonsenseConfig(run.path, items=4, base=False)
    with pytest.raises(NonFiniteError, match="diverged and answers nothing"):
        score_commonsense(asked)
    assert not answers_of(asked).scores.exists()


def test_generation_extracts_its_answers_from_the_responses(labels_run: TextRun) -> None:
    config = ScoreCommonsenseConfig(
        labels_run.path, by="generation", items=8, max_new_tokens=8, num_beams=2
    )
    scores = score_commonsense(config)
    rows = lines(labels_run.path / "predictions-first-8-generation.jsonl")
    assert scores["decoding"] == {"num_beams": 2, "max_new_tokens": 8}
    assert len(rows) == scores["sets"]["commonsense_demo"]["n"] == 8
    for item, row in zip(read_items(DEMO_FILE, "test"), rows, strict=False):
        assert row["prediction"] == extract(row["response"], item.choices)
    unanswered = sum(row["prediction"] == "" for row in rows)
    assert scores["sets"]["commonsense_demo"]["without_answer"] == unanswered


def test_a_run_on_texts_writes_texts_and_both_ways_of_scoring_stay(run: TextRun) -> None:
    by_likelihood = score_commonsense(ScoreCommonsenseConfig(run.path, base=False))
    asked = ScoreCommonsenseConfig(run.path, by="generation", items=6, num_beams=1, base=False)
    written = score_commonsense(asked)
    stored = {name: json.loads((run.path / f"{name}.json").read_text())
              for name in ("scores", "scores-first-6-generation")}  # fmt: skip
    assert stored == {"scores": by_likelihood, "scores-first-6-generation": written}
    rows = lines(run.path / "predictions-first-6-generation.jsonl")
    assert len(rows) == 6 and len(lines(run.predictions)) > 6
    for item, row in zip(read_items(DEMO_FILE, "test"), rows, strict=False):
        texts = candidates_of(item, "texts")
        assert row["prediction"] == extract_text(row["response"], texts, item.choices)


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., Path]:
    """A folder of sets of different size, each with its own answers."""

    def written(**sizes: int) -> Path:
        for name, size in sizes.items():
            choices = COMMONSENSE[name]
            options = " ".join(f"{c.capitalize()}: thing {c}" for c in choices)
            row = {
                "instruction": f"Please choose: what?\n\n{options}\n\nAnswer format: "
                + "/".join(choices),
                "output": f"the correct answer is {choices[-1]}",
                "answer": choices[-1],
            }
            path = tmp_path / "sets" / name / "test.json"
            path.parent.mkdir(parents=True)
            path.write_text(json.dumps([row] * size), "utf-8")
        return tmp_path / "sets"

    return written


def test_a_folder_is_scored_set_by_set_and_each_set_counts_the_same(
    labels_run: TextRun, folder: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    data = folder(piqa=3, openbookqa=1)
    assert main([str(labels_run.path), str(data), "--no-base"]) == 0
    scores = json.loads((labels_run.path / "scores-sets.json").read_text("utf-8"))
    assert {name: found["n"] for name, found in scores["sets"].items()} == {
        "openbookqa": 1, "piqa": 3,
    }  # fmt: skip
    means = [found["accuracy"]["value"] for found in scores["sets"].values()]
    assert scores["average"] == pytest.approx(np.mean(means))
    assert scores["average_base"] is None
    assert {row["set"] for row in lines(labels_run.path / "predictions-sets.jsonl")} == {
        "openbookqa", "piqa",
    }  # fmt: skip
    assert "average" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["own", "generation", "first-5", "first-5-generation"])
def test_a_set_called_like_a_scoring_by_the_run_s_own_takes_nobody_s_place(
    tmp_path: Path, name: str
) -> None:
    asked = ScoreCommonsenseConfig(tmp_path / "run", tmp_path / "texts" / name)
    assert answers_of(asked).scores.name == f"scores-texts-{name}.json"


def test_the_average_stands_beside_the_bases_and_silence_beside_the_items(
    labels_run: TextRun, folder: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    asked = [str(labels_run.path), str(folder(piqa=3, openbookqa=1)), "--by", "generation"]
    assert main([*asked, "--max-new-tokens", "1", "--num-beams", "1"]) == 0
    told = capsys.readouterr().out
    assert "(n = 3, 3 without an answer)" in told  # no token of it is a whole label
    assert "average           0.0, base 0.0" in told


def test_the_base_beside_is_the_base_without_the_adapter(
    run: TextRun, llm_config: LLMConfig
) -> None:
    """A run of the same base with nothing learnt: both columns must agree there."""
    still = replace(llm_config.optim, learning_rate=1e-12)
    untrained = llm.train(replace(llm_config, optim=still))
    beside = score_commonsense(ScoreCommonsenseConfig(run.path))["sets"]["commonsense_demo"]["base"]
    alone = score_commonsense(ScoreCommonsenseConfig(untrained.path, base=False))
    assert beside == alone["sets"]["commonsense_demo"]["accuracy"]


@torch.no_grad()
def log_likelihoods_of(text: TextModel) -> list[float]:
    """The run's test items by the plain way: a row alone, without cache or padding."""
    found = []
    for item in read_items(DEMO_FILE, "test")[:4]:
        start = text.tokenizer(prompt_of(item, "texts"))["input_ids"]
        for completion in candidates_of(item, "texts"):
            end = text.tokenizer(completion, add_special_tokens=False)["input_ids"]
            ids = torch.tensor([start + end])
            logits = text.model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[0]
            log_p = logits[-len(end) - 1 : -1].log_softmax(-1)
            found.append(float(log_p.gather(-1, ids[0, len(start) :, None]).sum()))
    return found


def flat(rows: list[dict[str, Any]]) -> list[float]:
    return [value for row in rows[:4] for value in row["log_likelihoods"]]


def test_the_export_loaded_by_peft_answers_as_the_run_does(run: TextRun) -> None:
    score_commonsense(ScoreCommonsenseConfig(run.path, base=False))
    text = load_base(run.llm_config())
    PeftModel.from_pretrained(text.model, run.adapter)  # wraps the linears in place
    assert flat(lines(run.predictions)) == pytest.approx(log_likelihoods_of(text), abs=1e-3)


def test_a_prefix_stays_in_front_where_the_choices_go_on_from_the_prompt(
    llm_config: LLMConfig,
) -> None:
    prefixed = llm.train(replace(llm_config, instead="prefix"))
    score_commonsense(ScoreCommonsenseConfig(prefixed.path, base=False))
    plainly = log_likelihoods_of(open_text_run(prefixed.path)[1])
    assert flat(lines(prefixed.predictions)) == pytest.approx(plainly, abs=1e-3)


def test_wrong_requests_are_refused_before_a_model_is_loaded(
    llm_config: LLMConfig, tmp_path: Path
) -> None:
    run = TextRun(tmp_path / "run")
    run.write_config(llm_config)
    with pytest.raises(ConfigError, match="--items is 0(.|\n)*--num-beams is 0"):
        score_commonsense(ScoreCommonsenseConfig(run.path, items=0, num_beams=0))
    with pytest.raises(DataError, match="no test items there"):
        score_commonsense(ScoreCommonsenseConfig(run.path, tmp_path / "nothing"))
    path = tmp_path / "free.json"
    path.write_text('[{"instruction": "Name a colour.", "output": "Red."}]', "utf-8")
    with pytest.raises(DataError, match="no options to compare"):
        score_commonsense(ScoreCommonsenseConfig(run.path, path))


def test_what_a_run_has_learnt_does_not_score_it(llm_config: LLMConfig, tmp_path: Path) -> None:
    path = tmp_path / "own.json"
    rows = [json.loads(line) for line in DEMO_FILE.read_text("utf-8").splitlines()]
    without = [{key: row[key] for key in row if key != "split"} for row in rows[:20]]
    path.write_text(json.dumps(without), "utf-8")
    run = llm.train(replace(llm_config, data=str(path)))
    for named in (None, path):
        with pytest.raises(DataError, match=r"20 of its items name no split"):
            score_commonsense(ScoreCommonsenseConfig(run.path, named))
    other = tmp_path / "other.json"
    other.write_text(json.dumps(without[:5]), "utf-8")
    scores = score_commonsense(ScoreCommonsenseConfig(run.path, other, base=False))
    assert scores["sets"]["other"]["n"] == 5
