"""A blind test over HTTP: no answer names a run before the tally."""

from __future__ import annotations

import csv
from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from trainer.run import Run

ScoredRun = Callable[[str, int], Run]


@pytest.fixture
def test(client: TestClient, scored_run: ScoredRun) -> dict[str, Any]:
    """A started test of four pairs."""
    scored_run("red-run", 200)
    scored_run("dark-run", 50)
    answer = client.post("/api/blind-tests", json={"runs": ["red-run", "dark-run"], "pairs": 4})
    assert answer.status_code == 201
    started: dict[str, Any] = answer.json()
    return started


def test_a_test_is_answered_pair_by_pair_and_names_come_at_the_end(
    client: TestClient, test: dict[str, Any]
) -> None:
    at = f"/api/blind-tests/{test['id']}"
    assert test["of"] == 4
    seen = str(test)
    for number in range(4):
        answer = client.get(f"{at}/pair")
        pair = answer.json()
        assert (pair["number"], pair["of"]) == (number, 4)
        for place in ("left", "right", "photo"):
            picture = client.get(pair[place])
            assert picture.headers["content-type"] == "image/png"
            seen += str(picture.headers)
        seen += answer.text
        voted = client.put(f"{at}/votes/{number}", json={"choice": "left"})
        assert voted.status_code == 204
    assert "red-run" not in seen and "dark-run" not in seen
    assert client.get(f"{at}/pair").json() is None
    client.put(f"{at}/votes/0", json={"choice": "tie"})  # changed one's mind
    tally = client.get(f"{at}/tally").json()
    [standing] = tally["standings"]
    assert (tally["voted"], standing["first"], standing["ties"]) == (4, "red-run", 1)
    assert standing["first_wins"] + standing["second_wins"] == 3
    votes = client.get(f"{at}/export")
    assert "attachment" in votes.headers["content-disposition"]
    assert [row["choice"] for row in csv.DictReader(votes.text.splitlines())] == [
        "tie", "left", "left", "left"]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "choice", "status"),
    [
        ("{id}/votes/4", "left", 422),
        ("{id}/votes/-1", "left", 422),
        ("{id}/votes/0", "red-run", 422),
        ("nothing/votes/0", "left", 404),
    ],
)
def test_a_vote_for_what_is_not_there_is_refused(
    client: TestClient, test: dict[str, Any], path: str, choice: str, status: int
) -> None:
    at = f"/api/blind-tests/{path.format(**test)}"
    answer = client.put(at, json={"choice": choice})
    assert answer.status_code == status and answer.json()["error"]
    assert client.get(f"/api/blind-tests/{test['id']}/tally").json()["voted"] == 0


def test_tests_are_listed_the_newest_first_and_without_their_pairs(
    client: TestClient, test: dict[str, Any], scored_run: ScoredRun
) -> None:
    scored_run("third-run", 90)
    asked = {"runs": ["third-run", "red-run"], "pairs": 2}
    later = client.post("/api/blind-tests", json=asked).json()
    assert client.get("/api/blind-tests").json() == [
        {"id": later["id"], "of": 2, "runs": ["third-run", "red-run"]},
        {"id": test["id"], "of": 4, "runs": ["red-run", "dark-run"]},
    ]


def test_runs_that_are_not_scored_yet_are_a_conflict(
    client: TestClient, scored_run: ScoredRun
) -> None:
    for name in ("a", "b"):
        scored_run(name, 0).scores.unlink()
    answer = client.post("/api/blind-tests", json={"runs": ["a", "b"]})
    assert answer.status_code == 409 and "Score it" in answer.json()["error"]
