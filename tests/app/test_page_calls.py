"""The page's own endpoints under hostile calls: always words, never a traceback, never a 500."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from app.page_calls import FAULT
from app.studio import Studio
from app.subjects import MAX_PHOTOS
from trainer.errors import UserError

FILE = {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}
HOSTILE: list[Any] = [None, 5, True, "../..", [], {"a": 1}, [[{"a": 1}]], FILE]
EVENTS: list[Any] = [None, 7, {"do": ["x"], "job": {}}, {"do": "delete", "file": 5}]


def is_clear(answer: Any) -> bool:
    """It was done, or refused by the page in words, or refused with words for a program."""
    if answer.status_code == 200:
        return "data" in answer.json()
    words = answer.json().get("error") or answer.json().get("detail")
    return 400 <= answer.status_code < 500 and bool(words) and "Traceback" not in answer.text


def test_no_handler_of_the_page_fails_without_words_whatever_it_is_sent(page: Any) -> None:
    unclear = []
    assert len(page.blocks.fns) > 100
    for number, handler in page.blocks.fns.items():
        inputs = len(handler.inputs)
        values = HOSTILE if inputs else [None]
        events = EVENTS if any(kind == "click" for _, kind in handler.targets) else [None]
        for data in [[value] * inputs for value in values] + [[0] * (inputs + 30)]:
            for event in events:
                answer = page.call(number, data, event)
                if not is_clear(answer):
                    unclear.append((handler.name, data, event, answer.status_code, answer.text))
    assert unclear == []


def test_a_call_of_no_handler_is_refused_in_words(page: Any) -> None:
    bodies: list[object] = [
        {"data": [], "fn_index": -1}, {"data": [], "fn_index": 10**9}, {"data": []},
        {"data": 5, "fn_index": 0}, {"data": [], "fn_index": "x"}, {}, [], 5,
        {"data": [1] * 9, "fn_index": 0, "event_data": [], "trigger_id": -4},
    ]  # fmt: skip
    for path in ("run/predict", "run/x/", "api/x", "call/x", "call/v2/x"):
        for body in bodies:
            answer = page.web.post(f"/gradio_api/{path}", json=body)
            assert is_clear(answer) and 400 <= answer.status_code < 500, (path, body, answer.text)


def test_the_queue_refuses_in_words_and_not_as_if_a_field_were_wrong(page: Any) -> None:
    body = {"data": [], "fn_index": 10**9, "session_hash": "s"}
    answer = page.web.post("/gradio_api/queue/join", json=body)
    assert (answer.status_code, answer.json()) == (400, {"error": FAULT})


def test_what_waits_in_the_queue_fails_in_words_too(page: Any) -> None:
    page.web.get("/gradio_api/startup-events")  # the queue begins to work
    (number,) = [n for n, fn in page.blocks.fns.items() if fn.name == "keep"]
    body = {"data": [FILE, 5, 5], "fn_index": number, "session_hash": "s"}
    assert page.web.post("/gradio_api/queue/join", json=body).status_code == 200
    with page.web.stream("GET", "/gradio_api/queue/data?session_hash=s") as stream:
        told = [json.loads(line[6:]) for line in stream.iter_lines() if line.startswith("data: ")]
    (ended,) = [row for row in told if row["msg"] == "process_completed"]
    assert ended["output"]["error"] == FAULT and not ended["success"]


def test_a_fault_of_ours_is_in_the_log_and_not_in_the_answer(
    page: Any, studio: Studio, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def broken(label: str) -> None:
        raise KeyError("lost")

    monkeypatch.setattr(studio, "create_token", broken)
    answer = page.press("make", ["script"])
    assert answer.status_code == 422 and "lost" not in answer.text
    assert re.search(r"Traceback.*KeyError: 'lost'", capfd.readouterr().err, re.DOTALL)


# --- uploads --------------------------------------------------------------------------------------


def upload(page: Any, count: int) -> Any:
    files = [("files", (f"{n}.jpg", b"-" * 70 + str(n).encode())) for n in range(count)]
    return page.web.post("/gradio_api/upload", files=files)


def test_as_many_files_as_a_subject_may_have_are_taken_at_once(page: Any) -> None:
    assert len(upload(page, MAX_PHOTOS).json()) == MAX_PHOTOS


def test_more_files_are_refused_and_none_of_them_stays(page: Any, studio: Studio) -> None:
    answer = upload(page, MAX_PHOTOS + 1)
    assert answer.status_code == 400 and f"At most {MAX_PHOTOS} files" in answer.text
    assert not [path for path in studio.workspace.cache.rglob("*") if path.is_file()]


@pytest.mark.parametrize("size", [1, 7, 64])
def test_files_are_counted_however_the_request_is_cut(page: Any, size: int) -> None:
    part = b'--cut\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\nx\r\n'
    kind = {"content-type": "multipart/form-data; boundary=cut"}
    for count, status in ((MAX_PHOTOS, 200), (MAX_PHOTOS + 1, 400)):
        body = part * count + b"--cut--\r\n"
        pieces = (body[at : at + size] for at in range(0, len(body), size))
        answer = page.web.post("/gradio_api/upload", content=pieces, headers=kind)
        assert answer.status_code == status, answer.text


@pytest.mark.parametrize(
    "kind", ["", "text/plain", "multipart/form-data", "multipart/mixed;;=\x7f"]
)
def test_an_upload_that_is_none_is_refused(page: Any, kind: str) -> None:
    answer = page.web.post("/gradio_api/upload", content=b"x", headers={"content-type": kind})
    assert 400 <= answer.status_code < 500


# --- where values enter ---------------------------------------------------------------------------


@pytest.mark.parametrize("sent", [None, 5, ["a"], {"a": 1}, b"a"])
def test_what_is_no_text_is_refused_where_text_belongs(studio: Any, sent: Any) -> None:
    takes: list[Callable[[Any], object]] = [
        studio.subject, studio.run, studio.delete_run, studio.create_token, studio.revoke_token,
        lambda text: studio.create_subject(text, "dog"),
        lambda text: studio.create_subject("Rex", text),
        lambda text: studio.create_subject("Rex", "dog", text or [5]),
        lambda text: studio.create_subject("Rex", "dog", alpha_color=text),
    ]  # fmt: skip
    for take in takes:
        with pytest.raises(UserError):
            take(sent)
    assert studio.subjects() == [] and studio.tokens() == []
