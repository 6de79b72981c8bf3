"""The paper's user study at home: two pictures of one prompt, names hidden, which is better?

    blind/<id>/test.json      the runs, and every pair: prompt, seed, which run is on which side
    blind/<id>/pictures/      copies under neutral names, without the text that names the run
    blind/<id>/votes.jsonl    a line a vote; the last one of a pair counts
    blind/<id>/votes.csv      the same with the names, for other programs

Pairs come from what scoring drew: the same prompt with the same seed by two runs. No torch.
"""

from __future__ import annotations

import csv
import json
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import get_args

from PIL import Image

from app.blind_pairs import Choice, Pair, Place, Standing, choose_pairs, standings
from app.jobs.records import StateError
from app.requests import check_name
from app.runs import read_json
from app.workspace import Workspace
from trainer.errors import ArtifactError, ConfigError
from trainer.files import whole_file, write_json
from trainer.run import Run, open_run

MAX_PAIRS = 500


@dataclass(frozen=True)
class BlindTest:
    """A test as it was set up."""

    id: str
    runs: tuple[str, ...]
    pairs: tuple[Pair, ...]


@dataclass(frozen=True)
class Shown:
    """A pair as the voter sees it."""

    number: int
    """From 0; `vote` takes it."""
    of: int
    prompt: str
    left: Path
    right: Path
    photo: Path
    """The subject, to compare with."""


@dataclass(frozen=True)
class Tally:
    """How it stands. Names what the test hides, so it is for its end."""

    voted: int
    of: int
    standings: list[Standing]


class BlindTests:
    """The blind tests of a workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def start(self, runs: Sequence[str], pairs: int = 25, seed: int = 0) -> BlindTest:
        """Set up a test; the seed decides which pairs, their order and their sides."""
        if len(set(runs)) < 2 or len(set(runs)) < len(runs) or not 1 <= pairs <= MAX_PAIRS:
            raise ConfigError(
                f"A blind test needs two or more different runs, and 1 to {MAX_PAIRS} pairs."
            )
        opened = {name: open_run(self._workspace.run(name)) for name in runs}
        drawn = {name: _scored_pictures(run) for name, run in opened.items()}
        chosen = choose_pairs(drawn, pairs, seed)
        if not chosen:
            raise ConfigError(
                f"{', '.join(runs)}: no two of them drew the same prompt with the same seed. They "
                "must be of one subject, and scored with the same prompts and seeds."
            )
        test = BlindTest(secrets.token_hex(6), tuple(runs), tuple(chosen))
        self._write(test, drawn, opened[runs[0]])
        return test

    def all(self) -> list[BlindTest]:
        """Every test, the newest first."""
        started = sorted(self._workspace.blind.glob("*/test.json"), key=_age)
        return [self.test(file.parent.name) for file in started]

    def pair(self, test_id: str) -> Shown | None:
        """The first pair without a vote; None when all have one."""
        test, votes = self.test(test_id), self._votes(test_id)
        number = next((n for n in range(len(test.pairs)) if n not in votes), None)
        if number is None:
            return None
        pictures = self._pictures(test_id)
        left, right = (pictures / f"{number}-{side}.png" for side in ("left", "right"))
        prompt = test.pairs[number].prompt
        return Shown(number, len(test.pairs), prompt, left, right, pictures / "photo.png")

    def picture(self, test_id: str, file: str) -> Path:
        """One of the test's pictures by its neutral name; only files that are there are known."""
        known = {path.name: path for path in self._pictures(self.test(test_id).id).glob("*.png")}
        if file not in known:
            raise ArtifactError(f"The blind test {test_id} has no picture {file[:100]!r}.")
        return known[file]

    def vote(self, test_id: str, number: int, choice: Choice) -> None:
        """Note a vote; a later one for the same pair takes its place."""
        count = len(self.test(test_id).pairs)
        if not 0 <= number < count:
            raise ConfigError(f"There is no pair {number}; possible: 0 to {count - 1}.")
        if choice not in get_args(Choice):
            raise ConfigError(f"{choice!r} is no choice; possible: {', '.join(get_args(Choice))}.")
        row = {"pair": number, "choice": choice, "at": time.time()}
        with self._votes_file(test_id).open("a", encoding="utf-8") as file:
            file.write("\n" + json.dumps(row))  # a line cut short by a crash spoils no other

    def tally(self, test_id: str) -> Tally:
        test, votes = self.test(test_id), self._votes(test_id)
        cast = [(test.pairs[number], choice) for number, (choice, _) in votes.items()]
        return Tally(len(cast), len(test.pairs), standings(test.runs, cast))

    def export(self, test_id: str) -> Path:
        """Write votes.csv: a line a pair that has a vote."""
        test, votes = self.test(test_id), self._votes(test_id)
        path = self._folder(test_id) / "votes.csv"
        with whole_file(path) as temporary, temporary.open("w", encoding="utf-8") as file:
            table = csv.writer(file, lineterminator="\n")
            table.writerow(["pair", "prompt", "seed", "left", "right", "choice", "winner", "at"])
            for number, (choice, at) in sorted(votes.items()):
                pair = test.pairs[number]
                table.writerow([number, *asdict(pair).values(), choice, pair.winner(choice), at])
        return path

    def test(self, test_id: str) -> BlindTest:
        """The test with its hidden names; ArtifactError where there is none."""
        values = read_json(self._folder(test_id) / "test.json")
        if values is None:
            raise ArtifactError(f"There is no blind test {test_id!r}. Start one first.")
        pairs = tuple(Pair(**row) for row in values["pairs"])
        return BlindTest(values["id"], tuple(values["runs"]), pairs)

    def _write(
        self, test: BlindTest, drawn: Mapping[str, Mapping[Place, Path]], first: Run
    ) -> None:
        """Pictures first: a test is there when test.json is."""
        pictures = self._pictures(test.id)
        for number, pair in enumerate(test.pairs):
            place = pair.prompt, pair.seed
            _copy(drawn[pair.left][place], pictures / f"{number}-left.png")
            _copy(drawn[pair.right][place], pictures / f"{number}-right.png")
        _copy(first.photos / first.read_subject().photos[0].file, pictures / "photo.png")
        write_json(self._folder(test.id) / "test.json", asdict(test))

    def _votes(self, test_id: str) -> dict[int, tuple[Choice, float]]:
        """Choice and time of the vote that counts, by pair."""
        file = self._votes_file(test_id)
        lines = file.read_text("utf-8").splitlines() if file.exists() else []
        votes: dict[int, tuple[Choice, float]] = {}
        for line in lines:
            try:
                row = json.loads(line)
            except ValueError:
                continue
            votes[row["pair"]] = row["choice"], row["at"]
        return votes

    def _votes_file(self, test_id: str) -> Path:
        return self._folder(test_id) / "votes.jsonl"

    def _pictures(self, test_id: str) -> Path:
        return self._folder(test_id) / "pictures"

    def _folder(self, test_id: str) -> Path:
        return self._workspace.blind / check_name("The blind test", test_id)


def _age(file: Path) -> float:
    return -file.stat().st_mtime


def _scored_pictures(run: Run) -> dict[Place, Path]:
    """What scoring drew with the adapter, by prompt and seed, of what is still there."""
    scores = read_json(run.scores)
    if scores is None:
        raise StateError(
            f"{run.path.name} is not scored yet, so there are no pictures to compare. Score it."
        )
    entries = scores["pictures"]["adapter"]
    found = {(entry["prompt"], entry["seed"]): run.path / entry["path"] for entry in entries}
    return {place: path for place, path in found.items() if path.is_file()}


def _copy(picture: Path, to: Path) -> None:
    """The pixels alone: a picture's text says which adapter drew it."""
    with Image.open(picture) as opened, whole_file(to) as temporary:
        opened.convert("RGB").save(temporary)
