"""/blind-tests: two pictures, no names, which is better? Names come with the tally only."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import FileResponse
from pydantic import BaseModel

from app.blind_pairs import Choice
from app.blind_test import Tally
from app.routes.common import StudioNeeded, sent

router = APIRouter(prefix="/blind-tests", tags=["blind tests"])

Number = Annotated[int, Path(ge=0, le=2**53, description="Of a pair, from 0")]


class NewTest(BaseModel, extra="forbid"):
    runs: list[str]
    """Two or more, of one subject, scored with the same prompts and seeds."""
    pairs: int = 25
    """At most; there are only as many as two runs drew in common."""
    seed: int = 0
    """Decides which pairs there are, their order and their sides."""


class StartedTest(BaseModel):
    id: str
    of: int
    """Pairs to answer."""


class BlindTestView(StartedTest):
    runs: list[str]
    """Which are held against each other; whose a picture is, only the tally says."""


class HiddenPair(BaseModel):
    """Two pictures of one prompt and seed; whose they are is not said."""

    number: int
    of: int
    prompt: str
    left: str
    """Addresses of the pictures, and of a photo of the subject to compare with."""
    right: str
    photo: str


class Answer(BaseModel, extra="forbid"):
    choice: Choice


@router.get("")
def list_tests(studio: StudioNeeded) -> list[BlindTestView]:
    """Every test, the newest first."""
    return [
        BlindTestView(id=test.id, of=len(test.pairs), runs=list(test.runs))
        for test in studio.blind_tests()
    ]


@router.post("", status_code=201)
def start(studio: StudioNeeded, wanted: NewTest) -> StartedTest:
    test = studio.start_blind_test(wanted.runs, wanted.pairs, wanted.seed)
    return StartedTest(id=test.id, of=len(test.pairs))


@router.get("/{test_id}/pair")
def next_pair(studio: StudioNeeded, test_id: str) -> HiddenPair | None:
    """The first pair without an answer; null when all have one."""
    shown = studio.blind_pair(test_id)
    if shown is None:
        return None
    left, right, photo = (
        f"/api/blind-tests/{test_id}/pictures/{path.name}"
        for path in (shown.left, shown.right, shown.photo)
    )
    return HiddenPair(
        number=shown.number, of=shown.of, prompt=shown.prompt, left=left, right=right, photo=photo
    )


@router.get("/{test_id}/pictures/{file}", response_class=FileResponse)
def picture(studio: StudioNeeded, test_id: str, file: str) -> FileResponse:
    return sent(studio.blind_picture(test_id, file))


@router.put("/{test_id}/votes/{number}", status_code=204)
def vote(studio: StudioNeeded, test_id: str, number: Number, answer: Answer) -> None:
    """Answer a pair; a later answer takes the place of an earlier one."""
    studio.vote(test_id, number, answer.choice)


@router.get("/{test_id}/tally")
def tally(studio: StudioNeeded, test_id: str) -> Tally:
    """Run against run, with Wilson's 95 % interval. It names what the test hides: for its end."""
    return studio.tally(test_id)


@router.get("/{test_id}/export", response_class=FileResponse)
def export(studio: StudioNeeded, test_id: str) -> FileResponse:
    """votes.csv: a line an answered pair, with the names."""
    return sent(studio.export_votes(test_id), download=True)
