"""Passwords, sessions and tokens: who is let in, and what is kept of their secrets."""

from __future__ import annotations

import time

import pytest

from app.auth import Access, Lockout, new_password
from app.tokens import Tokens
from app.workspace import Workspace
from trainer.errors import ArtifactError, ConfigError

PASSWORD = "correct horse"


@pytest.fixture
def access(workspace: Workspace) -> Access:
    return Access(Tokens(workspace), PASSWORD)


def test_only_the_password_opens_a_session(access: Access) -> None:
    session = access.log_in(PASSWORD)
    assert session is not None and access.has_session(session)
    assert access.log_in("correct horsf") is None
    assert not access.has_session("") and not access.has_session(session + "x")


def test_a_session_ends_when_logged_out(access: Access) -> None:
    session = access.log_in(PASSWORD) or ""
    access.log_out(session)
    assert not access.has_session(session)


def test_a_session_ends_by_itself(access: Access, monkeypatch: pytest.MonkeyPatch) -> None:
    session = access.log_in(PASSWORD) or ""
    month_later = time.time() + 31 * 24 * 3600
    monkeypatch.setattr(time, "time", lambda: month_later)
    assert not access.has_session(session)


def test_no_secret_is_kept_in_the_clear(access: Access) -> None:
    session = access.log_in(PASSWORD) or ""
    assert PASSWORD not in repr(vars(access)) and session not in repr(vars(access))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, to be moved on."""
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_guessing_locks_its_address_out_for_longer_each_time(
    clock: list[float], access: Access
) -> None:
    waits = []
    for _ in range(8):
        clock[0] += access.lockouts.wait("mallory") + 0.1
        access.log_in("wrong", "mallory")
        waits.append(round(access.lockouts.wait("mallory")))
    assert waits == [0, 0, 0, 0, 30, 60, 120, 240]
    assert access.log_in(PASSWORD, "mallory") is None, "locked, for the right one as well"
    assert access.log_in(PASSWORD, "owner") is not None, "a stranger keeps nobody else out"
    clock[0] += 241
    assert access.log_in(PASSWORD, "mallory") is not None
    assert access.log_in("wrong", "mallory") is None and access.lockouts.wait("mallory") == 0


def test_one_address_never_locks_out_all_however_long_it_guesses(
    clock: list[float], access: Access
) -> None:
    for _ in range(2000):
        clock[0] += access.lockouts.wait("mallory")
        access.log_in("wrong", "mallory")
    assert access.lockouts.wait("owner") == 0


def test_guessing_from_ever_new_addresses_is_slow_too(clock: list[float], access: Access) -> None:
    session = access.log_in(PASSWORD, "owner") or ""
    begin, guesses = clock[0], 0
    while clock[0] < begin + 24 * 3600:
        clock[0] += access.lockouts.wait(f"{guesses}")
        assert access.log_in("wrong", f"{guesses}") is None
        guesses += 1
    assert guesses < 500
    assert access.has_session(session), "who is in stays in"


def test_nobody_waits_longer_than_the_longest_wait(access: Access) -> None:
    for number in range(10_000):
        access.lockouts.failed(f"{number}")
    assert access.lockouts.wait("owner") <= Lockout.LONGEST_WAIT
    assert len(vars(access.lockouts)["_of"]) <= 1000


def test_a_short_password_is_refused(workspace: Workspace) -> None:
    with pytest.raises(ConfigError, match="needs 8"):
        Access(Tokens(workspace), "hunter2")


def test_made_passwords_are_long_and_never_the_same() -> None:
    made = {new_password() for _ in range(50)}
    assert len(made) == 50 and min(map(len, made)) >= 16


def test_a_token_is_stored_as_a_hash_and_works_until_revoked(workspace: Workspace) -> None:
    tokens = Tokens(workspace)
    token, secret = tokens.create("my script")
    stored = (workspace.queue / "tokens.json").read_text()
    assert secret not in stored and secret.removeprefix("dashbooth_") not in stored
    assert tokens.all() == [token]
    assert tokens.accepts(secret) and not tokens.accepts(secret[:-1]) and not tokens.accepts("")
    tokens.revoke(token.id)
    assert not tokens.accepts(secret)
    with pytest.raises(ArtifactError, match="no token"):
        tokens.revoke(token.id)


@pytest.mark.parametrize("name", ["", " ", "x" * 81, "a\0b", "\ud800"])
def test_a_token_needs_a_name_that_can_be_shown(workspace: Workspace, name: str) -> None:
    with pytest.raises(ConfigError, match="name"):
        Tokens(workspace).create(name)
