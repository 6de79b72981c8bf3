"""A vote on hidden names: what the voter sees, what is kept, what is refused."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from app.blind_test import BlindTests
from app.jobs.records import StateError
from app.workspace import Workspace
from trainer.errors import ArtifactError, ConfigError, UserError
from trainer.run import Run

ScoredRun = Callable[[str, int], Run]


@pytest.fixture
def tests(workspace: Workspace, scored_run: ScoredRun) -> BlindTests:
    scored_run("red", 200)
    scored_run("dark", 50)
    return BlindTests(workspace)


def shade(picture: Path) -> int:
    with Image.open(picture) as opened:
        return int(opened.getpixel((0, 0))[0])  # type: ignore[index]


def test_a_voter_sees_pictures_without_names_until_all_are_voted_on(tests: BlindTests) -> None:
    test = tests.start(["red", "dark"], pairs=6)
    for number in range(6):
        shown = tests.pair(test.id)
        assert shown is not None and (shown.number, shown.of) == (number, 6)
        for picture in (shown.left, shown.right, shown.photo):
            assert not {"red", "dark"} & set(picture.parts)
            with Image.open(picture) as opened:
                assert "dashbooth" not in opened.info
        tests.vote(test.id, number, "left" if shade(shown.left) == 200 else "right")
    assert tests.pair(test.id) is None
    tally = tests.tally(test.id)
    [standing] = tally.standings
    assert (tally.voted, standing.first, standing.first_wins) == (6, "red", 6)
    assert standing.low is not None and 0.5 < standing.low < 1


def test_the_last_vote_of_a_pair_counts_and_half_a_line_spoils_no_other(
    tests: BlindTests, workspace: Workspace
) -> None:
    test = tests.start(["red", "dark"], pairs=2)
    tests.vote(test.id, 0, "left")
    with (workspace.blind / test.id / "votes.jsonl").open("a") as file:
        file.write('\n{"pair": 1, "cho')  # killed while it wrote
    tests.vote(test.id, 0, "tie")
    [standing] = tests.tally(test.id).standings
    assert (standing.ties, standing.first_wins + standing.second_wins) == (1, 0)


def test_the_export_names_the_winner_of_every_vote(tests: BlindTests) -> None:
    test = tests.start(["red", "dark"], pairs=3)
    for number, choice in enumerate(("left", "right", "tie")):
        tests.vote(test.id, number, choice)  # type: ignore[arg-type]
    with tests.export(test.id).open() as file:
        rows = list(csv.DictReader(file))
    assert [row["winner"] for row in rows] == [test.pairs[0].left, test.pairs[1].right, ""]


def test_a_test_is_there_again_after_a_restart(tests: BlindTests, workspace: Workspace) -> None:
    test = tests.start(["red", "dark"], pairs=4)
    assert BlindTests(workspace).test(test.id) == test


def test_what_cannot_be_compared_is_refused(tests: BlindTests, scored_run: ScoredRun) -> None:
    with pytest.raises(ConfigError, match="two or more different runs"):
        tests.start(["red", "red"])
    unscored = scored_run("unscored", 0)
    unscored.scores.unlink()
    with pytest.raises(StateError, match="unscored is not scored yet"):
        tests.start(["red", "unscored"])
    for path in scored_run("empty", 0).images.rglob("*.png"):
        path.unlink()
    with pytest.raises(ConfigError, match="no two of them drew the same prompt"):
        tests.start(["red", "empty"])


@pytest.mark.parametrize("file", ["../test.json", "/etc/passwd", "9-left.png", "", "a\0b"])
def test_only_pictures_of_the_test_are_handed_out(tests: BlindTests, file: str) -> None:
    test = tests.start(["red", "dark"], pairs=2)
    assert tests.picture(test.id, "1-left.png").is_file()
    with pytest.raises(ArtifactError, match="has no picture"):
        tests.picture(test.id, file)


@pytest.mark.parametrize(
    ("test_id", "number", "choice"),
    [("nothing", 0, "left"), ("../queue", 0, "left"), (None, 99, "left"), (None, 0, "up")],
)
def test_a_vote_for_what_is_not_there_is_refused(
    tests: BlindTests, test_id: str | None, number: int, choice: str
) -> None:
    known = tests.start(["red", "dark"]).id
    with pytest.raises(UserError):
        tests.vote(test_id or known, number, choice)  # type: ignore[arg-type]


def test_tests_that_were_started_are_found_again_the_newest_first(
    tests: BlindTests, workspace: Workspace
) -> None:
    assert tests.all() == []
    first, second = (tests.start(["red", "dark"], pairs=2) for _ in range(2))
    os.utime(workspace.blind / first.id / "test.json", (1, 1))
    assert tests.all() == [second, first]
