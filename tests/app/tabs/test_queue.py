"""Duplicate with changes: the new job asks for what stands in the editor, or is not made."""

from __future__ import annotations

import json

import pytest

from app.jobs.records import Job, JobKind
from app.studio import Studio
from app.tabs.queue import changed_copy
from app.views import Upload
from trainer.errors import ConfigError


@pytest.fixture
def job(studio: Studio, duck: list[Upload]) -> Job:
    studio.create_subject("Duck", "duck", uploads=duck)
    request = {"subject": "duck", "preset": "demo", "score": False,
               "settings": {"optim": {"steps": 9, "seed": 1}}}  # fmt: skip
    return studio.submit(JobKind.TRAIN, request)


def test_what_is_taken_out_of_the_editor_is_not_in_the_copy(studio: Studio, job: Job) -> None:
    edited = {"subject": "duck", "preset": "demo", "settings": {"optim": {"seed": 2}}}
    copy = changed_copy(studio, job.id, json.dumps(edited))
    assert copy.kind is job.kind and copy.id != job.id
    assert copy.request["settings"] == {"optim": {"seed": 2}}
    assert copy.request["score"] is True  # its default


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"run": 5}', "subject: Field required"),
        ('{"subject": 5}', "subject: Input should be a valid string"),
        ('{"subject": "duck", "settings": []}', "settings: Input should be a valid dictionary"),
        ('{"subject": "duck", "settings": {"optim": 5}}', "optim: is 5"),
        ("subject: duck", "This is not JSON"),
        ("[" * 100_000, "This is not JSON"),
        ("", "This is not JSON"),
        (None, "This is not JSON"),
        ("[5]", "an object in braces"),
        ("null", "an object in braces"),
    ],
)
def test_a_request_that_cannot_be_is_told_in_words_and_nothing_is_queued(
    studio: Studio, job: Job, text: str | None, words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        changed_copy(studio, job.id, text)
    assert [one.id for one in studio.jobs()] == [job.id]
