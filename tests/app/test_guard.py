"""The door: names, origins, sessions, tokens, headers, as browsers and attackers meet them."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from app.guard import COOKIE, HEADERS
from app.studio import Studio

HOST, PASSWORD = "http://127.0.0.1", "correct horse"


def logged_in(client: TestClient) -> TestClient:
    assert client.post("/login", data={"password": PASSWORD}).status_code == 303
    return client


# --- host names: DNS rebinding --------------------------------------------------------------------


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "", "[", "a@b:80", "::1"]
)
def test_a_loopback_studio_answers_to_no_other_name(client: TestClient, host: str) -> None:
    assert client.get("/api/subjects", headers={"host": host}).status_code == 403
    assert client.get("/api/subjects").status_code == 200


# --- other sites' pages: CSRF ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:3000"},
        {"origin": "http://127.0.0.1.evil.example"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {
            "sec-fetch-site": "cross-site",
            "origin": "http://evil.example",
            "sec-fetch-mode": "navigate",
        },
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_a_page_of_another_site_can_do_nothing(
    client: TestClient, headers: dict[str, str], method: str
) -> None:
    assert client.request(method, "/api/subjects", headers=headers).status_code == 403


def test_our_own_page_and_programs_can(client: TestClient) -> None:
    ours = {"origin": "http://127.0.0.1", "sec-fetch-site": "same-origin"}
    for headers in (ours, {}):
        made = client.post("/api/tokens", json={"name": "a"}, headers=headers)
        assert made.status_code == 201


def test_a_link_from_elsewhere_opens_the_page(client: TestClient) -> None:
    visit = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert client.get("/api/subjects", headers=visit).status_code == 200


# --- sessions and tokens --------------------------------------------------------------------------


def test_without_a_session_a_person_is_sent_to_the_log_in_and_a_program_told_so(
    locked_client: TestClient,
) -> None:
    page = locked_client.get("/?job=abc", headers={"accept": "text/html"})
    assert (page.status_code, page.headers["location"]) == (303, "/login?next=%2F%3Fjob%3Dabc")
    program = locked_client.get("/api/subjects")
    assert program.status_code == 401 and program.headers["www-authenticate"] == "Bearer"


def test_after_the_log_in_the_page_that_was_asked_for_opens(locked_client: TestClient) -> None:
    form = locked_client.get("/login?next=%2F%3Fjob%3Dabc")
    assert form.status_code == 200 and "%2F%3Fjob%3Dabc" in form.text
    answer = locked_client.post("/login?next=%2F%3Fjob%3Dabc", data={"password": PASSWORD})
    assert (answer.status_code, answer.headers["location"]) == (303, "/?job=abc")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=strict" in cookie and PASSWORD not in cookie
    assert locked_client.get("/api/subjects").status_code == 200
    locked_client.get("/logout")
    assert locked_client.get("/api/subjects").status_code == 401


@pytest.mark.parametrize(
    "target",
    ["https://evil.example", "//evil.example", "/\\evil.example", "/?a=b\r\nX: y", "/?a=<b>"],
)
def test_the_log_in_sends_nobody_elsewhere(locked_client: TestClient, target: str) -> None:
    answer = locked_client.post("/login", params={"next": target}, data={"password": PASSWORD})
    assert answer.headers["location"] == "/"
    assert "evil" not in locked_client.get("/login", params={"next": target}).text


@pytest.mark.parametrize("body", [b"", b"password=", b"password=wrong", b"\xff\xfe", b"x" * 10**6])
def test_a_log_in_that_is_none_is_refused(locked_client: TestClient, body: bytes) -> None:
    form = {"content-type": "application/x-www-form-urlencoded"}
    answer = locked_client.post("/login", content=body, headers=form)
    assert answer.status_code == 401 and COOKIE not in answer.headers.get("set-cookie", "")


def test_guessing_is_answered_with_how_long_to_wait(locked_client: TestClient) -> None:
    statuses = [
        locked_client.post("/login", data={"password": f"{n}"}).status_code for n in range(7)
    ]
    assert statuses == [401] * 5 + [429] * 2
    answer = locked_client.post("/login", data={"password": PASSWORD})
    assert answer.status_code == 429 and 0 < int(answer.headers["retry-after"]) <= 30


def test_a_token_is_enough_and_a_wrong_one_is_not_even_with_a_session(
    locked_client: TestClient, studio: Studio
) -> None:
    token, secret = studio.create_token("script")
    bearer = {"authorization": f"Bearer {secret}", "origin": "http://elsewhere.example"}
    assert locked_client.get("/api/subjects", headers=bearer).status_code == 200
    wrong = {"authorization": f"Bearer {secret}x"}
    assert logged_in(locked_client).get("/api/subjects", headers=wrong).status_code == 401
    studio.revoke_token(token.id)
    assert locked_client.get("/api/subjects", headers=bearer).status_code == 401


@pytest.mark.parametrize("cookie", ["", "x", "../..", "a" * 5000])
def test_a_made_up_cookie_opens_nothing(locked_client: TestClient, cookie: str) -> None:
    headers = {"cookie": f"{COOKIE}={cookie}"}
    assert locked_client.get("/api/subjects", headers=headers).status_code == 401


def test_every_answer_has_the_headers_that_protect_a_browser(locked_client: TestClient) -> None:
    answers = [
        locked_client.get("/login"),
        locked_client.get("/api/subjects"),
        logged_in(locked_client).get("/api/subjects"),
        locked_client.get("/nowhere"),
    ]
    for answer in answers:
        assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS


def test_a_stranger_who_guesses_does_not_lock_the_owner_out(
    studio: Studio, locked_client: TestClient
) -> None:
    def post(address: str, password: str) -> int:
        client = TestClient(locked_client.app, HOST, client=(address, 1), follow_redirects=False)
        return client.post("/login", data={"password": password}).status_code

    assert [post("10.0.0.7", "wrong") for _ in range(6)] == [401] * 5 + [429]
    assert post("10.0.0.8", PASSWORD) == 303
    many = [post(f"2001:db8::{n}", "wrong") for n in range(1, 7)]
    assert many == [401] * 5 + [429], "a whole /64 is one visitor"
    assert post("2001:db8:0:1::1", PASSWORD) == 303
