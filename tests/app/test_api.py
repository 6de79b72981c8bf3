"""REST: the verbs over HTTP; whatever is sent, the answer is a clear one and never a crash."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.jobs.records import JobKind
from app.studio import Studio
from app.views import Upload

Picture = Callable[..., bytes]
HOSTILE_NAMES = [
    "..%2f..%2fetc%2fpasswd", "%2e%2e", "..", "a%00b", "%ff%fe", "x" * 3000, "<script>", "C:%5cx",
    "%F0%9F%98%80", "'; DROP TABLE jobs;--", "http:%2f%2f127.0.0.1:22", " ", "con", "-rf", "1e999",
]  # fmt: skip
HOSTILE_BODIES = [
    b"", b"{", b"null", b"[]", b'"text"', b"\xff\xfe\x00", b"[" * 50_000,
    b'{"subject": "duck", "settings": ' + b'{"a":' * 900 + b"1" + b"}" * 901,
    b'{"subject": NaN}', b'{"subject": "\\ud800"}', b'{"subject": "a\\u0000b"}', b'{"subject": {}}',
    b'{"subject": "duck", "settings": {"optim": {"steps": 1e999}}}',
    b'{"subject": "duck", "settings": {"optim": {"steps": ' + b"9" * 4000 + b"}}}",
    b'{"adapters": [{"run": "../../etc"}], "prompts": ["x"]}',
    b'{"adapters": [], "prompts": [], "seeds": [-1], "width": 7}',
    b'{"runs": ["a", "a"], "null_draws": 1}', b'{"run": "x", "seeds": []}',
    b'{"full": "../..", "runs": [7], "layer": "\\u0000", "null_draws": 1e999}', b'{"full": "-"}',
    b'{"name": "\\ud83d"}', b'{"name": ""}', b'{"priority": 99999999999999999999}',
    b'{"wish": "rm"}',
    b'{"keep": "perhaps"}', b'{"changes": {"subject": 7}}', b'{"confirm": "yes"}', b'{"text": 7}',
]  # fmt: skip


def operations(client: TestClient) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Method, path template and description of everything in the OpenAPI but the endless stream."""
    for path, methods in client.get("/api/openapi.json").json()["paths"].items():
        for method, operation in methods.items():
            if path != "/events":
                yield method.upper(), f"/api{path}", operation


def filled(path: str, value: str) -> str:
    return re.sub(r"\{.*?\}", lambda _: value, path)


# --- the verbs ------------------------------------------------------------------------------------


def test_photos_go_up_and_come_back_with_verdicts(client: TestClient, duck: list[Upload]) -> None:
    files = [("photos", (upload.name, upload.data)) for upload in duck]
    files.append(("photos", ("evil.png", b"<svg></svg>")))
    made = client.post("/api/subjects", data={"name": "Duck", "class_token": "duck"}, files=files)
    assert made.status_code == 201
    subject = made.json()
    assert len(subject["photos"]) == 5 and "SVG" in subject["refused"][0]["reason"]
    file = subject["photos"][0]["file"]
    picture = client.get(f"/api/subjects/duck/photos/{file}")
    assert picture.headers["content-type"] == "image/png" and picture.content[:4] == b"\x89PNG"
    captioned = client.put(f"/api/subjects/duck/photos/{file}/caption", json={"text": "a duck"})
    assert "nowhere" in captioned.json()["photos"][0]["lint"][0]
    assert client.patch("/api/subjects/duck", json={"name": "Donald"}).json()["name"] == "Donald"
    held_out = client.put(f"/api/subjects/duck/photos/{file}/held_out", json={"held_out": True})
    assert [photo["file"] for photo in held_out.json()["held_out"]] == [file]
    assert len(client.delete(f"/api/subjects/duck/photos/{file}").json()["photos"]) == 4
    assert client.delete("/api/subjects/duck").status_code == 204
    assert client.get("/api/subjects").json() == []


def test_a_job_is_asked_for_watched_and_cancelled(
    client: TestClient, studio: Studio, duck: list[Upload]
) -> None:
    studio.create_subject("Duck", "duck", uploads=duck)
    request = {"subject": "duck", "preset": "demo", "settings": {"optim": {"steps": 8}}}
    assert client.post("/api/estimate", json=request).json()["steps"] == 8
    assert "--optim.steps 8" in client.post("/api/command", json=request).text
    job = client.post("/api/jobs/train", json=request).json()
    assert (job["state"], job["run"]) == ("queued", "duck-lora-tsd-1")
    assert (
        client.put(f"/api/jobs/{job['id']}/priority", json={"priority": 5}).json()["priority"] == 5
    )
    changes = {"settings": {"optim": {"seed": 7}}}
    other = client.post(f"/api/jobs/{job['id']}/duplicate", json={"changes": changes}).json()
    assert other["request"]["settings"]["optim"] == {"steps": 8, "seed": 7}
    assert [row["id"] for row in client.get("/api/jobs").json()] == [job["id"], other["id"]]
    cancelled = client.post(f"/api/jobs/{job['id']}/cancel").json()
    assert cancelled["state"] == "cancelled"
    early = client.delete(f"/api/jobs/{other['id']}")
    assert early.status_code == 409 and "cancel it before" in early.json()["error"]
    again = client.post(f"/api/jobs/{job['id']}/rerun").json()
    assert again["rerun_of"] == job["id"] and again["request"] == job["request"]
    assert client.post(f"/api/jobs/{job['id']}/retry").json()["state"] == "queued"
    client.post(f"/api/jobs/{job['id']}/cancel", json={})
    assert client.delete(f"/api/jobs/{job['id']}").status_code == 204
    assert client.get(f"/api/jobs/{job['id']}").status_code == 404


def test_events_are_told_to_the_end_and_go_on_where_a_client_was(
    client: TestClient, studio: Studio
) -> None:
    job = studio.queue.submit(JobKind.TRAIN, "t", {})
    studio.cancel(job.id)
    told = client.get("/api/events", params={"job": job.id})
    assert told.headers["content-type"].startswith("text/event-stream")
    ids = re.findall(r"^id: (\d+)$", told.text, re.MULTILINE)
    states = [
        json.loads(data)["data"]["state"] for data in re.findall(r"^data: (.*)$", told.text, re.M)
    ]
    assert states == ["queued", "cancelled"]
    rest = client.get("/api/events", params={"job": job.id}, headers={"last-event-id": ids[0]})
    assert re.findall(r"^id: (\d+)$", rest.text, re.MULTILINE) == ids[1:]


def test_tokens_are_made_listed_without_their_secret_and_revoked(client: TestClient) -> None:
    made = client.post("/api/tokens", json={"name": "script"}).json()
    assert client.get("/api/tokens").json() == [made["token"]]
    assert client.delete(f"/api/tokens/{made['token']['id']}").status_code == 204
    assert client.get("/api/tokens").json() == []


def test_everything_is_deleted_only_with_the_words(
    client: TestClient, studio: Studio, duck: list[Upload]
) -> None:
    studio.create_subject("Duck", "duck", uploads=duck)
    assert client.post("/api/delete-everything", json={"confirm": "yes"}).status_code == 422
    assert len(studio.subjects()) == 1
    words = {"confirm": "delete all my data"}
    assert client.post("/api/delete-everything", json=words).status_code == 204
    assert studio.subjects() == []


def test_system_and_report_name_versions_and_no_secret(client: TestClient, studio: Studio) -> None:
    _, secret = studio.create_token("script")
    system, report = client.get("/api/system"), client.get("/api/report")
    assert system.json()["versions"]["torch"] in report.text
    assert secret not in system.text + report.text


def test_the_docs_need_no_other_machine(client: TestClient) -> None:
    page = client.get("/api/docs").text
    addresses = re.findall(r'(?:src|href)="(.*?)"', page)
    assert addresses and all(client.get(address).status_code == 200 for address in addresses)
    assert client.get("/api/openapi.json").json()["servers"] == [{"url": "/api"}]


# --- attacks --------------------------------------------------------------------------------------


def test_every_operation_is_closed_without_credentials(
    client: TestClient, locked_client: TestClient
) -> None:
    asked = list(operations(client))
    assert len(asked) > 40
    for method, path, _ in [*asked, ("GET", "/api/events", {}), ("GET", "/api/docs", {})]:
        answer = locked_client.request(method, filled(path, "x"))
        assert answer.status_code == 401, f"{method} {path}"
    assert locked_client.get("/api/openapi.json").status_code == 401


def test_hostile_names_reach_nothing(client: TestClient) -> None:
    for method, path, _ in operations(client):
        for name in HOSTILE_NAMES if "{" in path else []:
            answer = client.request(method, filled(path, name), json={})
            assert 300 <= answer.status_code < 500, f"{method} {path} {name}: {answer.text}"


def test_hostile_bodies_are_refused_in_words(
    client: TestClient, studio: Studio, duck: list[Upload]
) -> None:
    studio.create_subject("Duck", "duck", uploads=duck[:1])
    for method, path, operation in operations(client):
        if "application/json" not in operation.get("requestBody", {}).get("content", {}):
            continue
        for body in HOSTILE_BODIES:
            answer = client.request(
                method, filled(path, "duck"), content=body,
                headers={"content-type": "application/json"},
            )  # fmt: skip
            assert answer.status_code < 500, f"{method} {path} {body[:60]!r}: {answer.text}"
            if answer.status_code >= 400:
                assert answer.json()["error"]
    assert studio.jobs() == [] and len(studio.subjects()) == 1


def test_ten_megabytes_of_json_are_too_large_everywhere(client: TestClient) -> None:
    body = b'{"name": "' + b"x" * 10_000_000 + b'"}'
    for method, path, operation in operations(client):
        if "application/json" in operation.get("requestBody", {}).get("content", {}):
            answer = client.request(
                method, filled(path, "x"), content=body,
                headers={"content-type": "application/json"},
            )  # fmt: skip
            assert answer.status_code == 413 and "larger" in answer.json()["error"], path


def test_json_is_only_taken_as_json(client: TestClient) -> None:
    """A form of another site can send text/plain without asking first."""
    for kind in ("text/plain", "application/x-www-form-urlencoded", None):
        headers = {"content-type": kind} if kind else {}
        answer = client.post("/api/tokens", content=b'{"name": "x"}', headers=headers)
        assert answer.status_code == 422


def test_too_many_files_and_fields_without_files_are_refused(client: TestClient) -> None:
    many = [("photos", (f"{n}.png", b"x")) for n in range(201)]
    form = {"name": "Dog", "class_token": "dog"}
    assert client.post("/api/subjects", data=form, files=many).status_code == 400
    assert client.post("/api/subjects", data={**form, "name": "x" * 70_000}).status_code == 400
    no_parts = {"content-type": "multipart/form-data"}
    assert client.post("/api/subjects", content=b"x", headers=no_parts).status_code in (400, 422)
    assert client.get("/api/subjects").json() == []


def test_errors_never_repeat_half_a_character(client: TestClient) -> None:
    answer = client.post("/api/jobs/train", content=b'{"subject": "\\ud800"}',
                         headers={"content-type": "application/json"})  # fmt: skip
    assert answer.status_code == 422 and "is no name" in answer.json()["error"]


def test_a_queue_that_does_not_answer_is_a_503(
    client: TestClient, studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.jobs.database import DatabaseError

    def away(*_: object, **__: object) -> None:
        raise DatabaseError("the queue's database does not answer")

    monkeypatch.setattr(studio.queue.store, "jobs", away)
    assert client.get("/api/jobs").status_code == 503
