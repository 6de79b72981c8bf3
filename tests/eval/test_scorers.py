"""Which scorers score: by the base, as asked, and never another one in silence."""

from __future__ import annotations

import pytest

from eval import offline
from eval.features import DINO
from eval.offline import ScorerUnavailable
from eval.scorers import check_scorers, default_scorers, load_scorers
from trainer.errors import ConfigError


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setattr(offline, "hub_is_reachable", lambda: False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))


def test_the_default_goes_by_the_base() -> None:
    assert default_scorers("embedded") == ("embedded", ("efficientnet",))
    assert default_scorers("stabilityai/sdxl") == ("ViT-B-32/openai", ("dino",))


def test_an_absent_scorer_is_reported_beside_those_at_hand() -> None:
    found, absent = load_scorers("embedded", ["dino"], "cpu")
    assert [scorer.name for scorer in found] == ["embedded CLIP"]
    assert [(each.name, "network" in each.reason) for each in absent] == [(DINO, True)]


def test_with_nothing_at_hand_there_is_nothing_to_score() -> None:
    with pytest.raises(ScorerUnavailable, match=r"ViT-B-32/openai(.|\n)*dino-vits16"):
        load_scorers("ViT-B-32/openai", ["dino"], "cpu")


def test_wrong_names_are_refused_with_what_is_possible() -> None:
    with pytest.raises(ConfigError, match="dino, efficientnet"):
        check_scorers("none", ["dinosaur"])
    with pytest.raises(ConfigError, match="nothing to score with"):
        check_scorers("none", [])
