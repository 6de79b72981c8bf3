"""Scoring a real, small run: what is drawn, what is written, what is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from eval import offline
from eval.contact_sheet import sheet_of_scores
from eval.report import table
from eval.score_config import ScoreConfig
from eval.score_subject import main, score_subject
from trainer.errors import ArtifactError, ConfigError
from trainer.run import Run

QUICK: dict[str, Any] = {
    "max_prompts": 2,
    "seeds": (0, 1),
    "leakage_prompts": 1,
    "num_inference_steps": 2,
    "device": "cpu",
}


@pytest.fixture(scope="module")
def scored(teapot: Run) -> dict[str, Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(offline, "hub_is_reachable", lambda: False)
        return score_subject(ScoreConfig(teapot.path, features=("dino",), **QUICK))


def test_the_scores_say_all_that_made_them(scored: dict[str, Any], teapot: Run) -> None:
    assert json.loads(teapot.scores.read_text("utf-8")) == json.loads(json.dumps(scored))
    assert scored["prompts"]["list"] == "embedded" and scored["prompts"]["n"] == 2
    assert scored["seeds"] == [0, 1] and scored["photos"] == {"n": 5, "held_out": 2}
    assert scored["sampling"]["num_inference_steps"] == 2
    assert scored["versions"]["torch"] and len(scored["scorers"][0]["weights_sha256"]) == 64
    for row in scored["scores"]:
        score = row["adapter"]
        assert score["low"] <= score["value"] <= score["high"]
        assert score["n"] == {"diversity": 2, "leakage": 2}.get(row["measure"], 4)


def test_an_absent_scorer_is_reported_in_file_table_and_card(
    scored: dict[str, Any], teapot: Run
) -> None:
    dino = scored["scorers"][1]
    assert dino["name"] == "facebook/dino-vits16" and not dino["available"]
    assert not [row for row in scored["scores"] if row["scorer"] == dino["name"]]
    assert "unavailable: facebook/dino-vits16 is not downloaded" in table(scored)
    assert "Not measured: facebook/dino-vits16" in teapot.card.read_text("utf-8")


def test_the_table_shows_every_row_with_n_and_spread(scored: dict[str, Any]) -> None:
    lines = table(scored).splitlines()
    [likeness] = [line for line in lines if line.strip().startswith("CLIP-I ")]
    [row] = [r for r in scored["scores"] if (r["measure"], r["against"]) == ("clip_i", "photos")]
    value, low, high = (100 * row["adapter"][key] for key in ("value", "low", "high"))
    assert f"{value:.1f} [{low:.1f}, {high:.1f}]" in likeness
    assert likeness.split()[1] == "4"  # n


def test_the_card_says_how_to_use_the_adapter(scored: dict[str, Any], teapot: Run) -> None:
    card = teapot.card.read_text("utf-8")
    assert 'load_lora_weights(".", weight_name="adapter.safetensors")' in card
    assert "adapter-kohya.safetensors" in card and "a zwx teapot" in card
    assert "| rank, alpha | 2, 2 |" in card and "| CLIP-I | 4 |" in card
    assert "contact_sheet.png" in card


def test_base_and_adapter_draw_the_same_prompts_and_seeds(
    scored: dict[str, Any], teapot: Run
) -> None:
    pictures = scored["pictures"]
    asked = [[(e["prompt"], e["seed"]) for e in pictures[who]] for who in ("adapter", "base")]
    assert asked[0] == asked[1] and len(asked[0]) == 4
    assert all("zwx" in prompt for prompt, _ in asked[0])
    assert [e["prompt"] for e in pictures["leakage"]] == ["a teapot on a red background"] * 2
    assert all((teapot.path / e["path"]).is_file() for row in pictures.values() for e in row)


def test_scoring_again_draws_nothing_twice(scored: dict[str, Any], teapot: Run) -> None:
    paths = [teapot.path / entry["path"] for entry in scored["pictures"]["adapter"]]
    before = [path.stat().st_mtime_ns for path in paths]
    again = score_subject(ScoreConfig(teapot.path, features=(), **QUICK))
    assert [path.stat().st_mtime_ns for path in paths] == before
    assert [row for row in again["scores"]] == scored["scores"]


def test_the_contact_sheet_shows_photos_and_both_sides(
    scored: dict[str, Any], teapot: Run, tmp_path: Path
) -> None:
    made = sheet_of_scores(teapot, tmp_path / "sheet.png", max_prompts=1, max_seeds=1)
    with Image.open(made) as small, Image.open(teapot.path / "contact_sheet.png") as whole:
        assert small.height < whole.height
        assert len(set(whole.convert("RGB").resize((50, 50)).get_flattened_data())) > 20


def test_the_command_prints_the_table_and_where_things_are(
    scored: dict[str, Any], teapot: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = "--max-prompts 2 --seeds 0 1 --leakage-prompts 1 --num-inference-steps 2"
    code = main([str(teapot.path), *arguments.split(), "--device", "cpu", "--features"])
    printed = capsys.readouterr().out
    assert code == 0 and "CLIP-T" in printed and str(teapot.card) in printed


def _damaged(teapot: Run, folder: Path, damage: Callable[[Path], object]) -> Path:
    shutil.copytree(teapot.path, folder, ignore=shutil.ignore_patterns("images", "checkpoints"))
    damage(folder)
    return folder


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda run: (run / "config.json").unlink(), "not a run folder"),
        (lambda run: (run / "native.safetensors").unlink(), "no trained adapter yet.*--resume"),
        (lambda run: shutil.rmtree(run / "photos"), "photos to compare with are missing"),
    ],
)
def test_a_damaged_run_is_refused_with_what_to_do(
    damage: Callable[[Path], object], words: str, teapot: Run, tmp_path: Path
) -> None:
    folder = _damaged(teapot, tmp_path / "run", damage)
    with pytest.raises(ArtifactError, match=words):
        score_subject(ScoreConfig(folder, **QUICK))


def test_wrong_numbers_are_told_together_before_anything_is_loaded(teapot: Run) -> None:
    with pytest.raises(ConfigError, match=r"max-prompts is 0(.|\n)*each once"):
        score_subject(ScoreConfig(teapot.path, max_prompts=0, seeds=(1, 1)))


def test_a_sheet_needs_scores_and_their_pictures(teapot: Run, tmp_path: Path) -> None:
    unscored = _damaged(teapot, tmp_path / "a", lambda run: (run / "scores.json").unlink(True))
    with pytest.raises(ArtifactError, match="has no scores yet"):
        sheet_of_scores(Run(unscored))
