"""Who may use the studio: one account with a password, its sessions, and API tokens. No HTTP here.

Without a password (the default on loopback) whoever reaches the machine's own address is in.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time

from app.tokens import Tokens
from trainer.errors import ConfigError

SESSION_SECONDS = 30 * 24 * 3600
MAX_SESSIONS = 1000
MIN_PASSWORD = 8


def new_password() -> str:
    """96 random bits, short enough to be typed on a phone."""
    return secrets.token_urlsafe(12)


class Lockout:
    """After some wrong passwords nobody may try for a while, then for twice as long, and so on.

    One count for the whole installation: behind a tunnel every visitor has the same address, and
    elsewhere addresses are cheap.
    """

    FREE_TRIES = 5
    FIRST_WAIT, LONGEST_WAIT = 30.0, 900.0

    def __init__(self) -> None:
        self._failures = 0
        self._until = 0.0

    def wait(self) -> float:
        """Seconds until somebody may try again; 0 for now."""
        return max(0.0, self._until - time.monotonic())

    def failed(self) -> None:
        self._failures += 1
        beyond = self._failures - self.FREE_TRIES
        if beyond >= 0:
            wait = min(self.LONGEST_WAIT, self.FIRST_WAIT * 2 ** min(beyond, 10))
            self._until = time.monotonic() + wait

    def succeeded(self) -> None:
        self._failures = 0


class Access:
    """Passwords in, sessions out; every comparison takes the same time for right and wrong."""

    def __init__(self, tokens: Tokens, password: str | None = None) -> None:
        if password is not None and len(password) < MIN_PASSWORD:
            raise ConfigError(
                f"The password has {len(password)} characters; it needs {MIN_PASSWORD} or more. "
                "Leave it out to have one made."
            )
        self._tokens = tokens
        self._password = None if password is None else _digest(password)
        self._sessions: dict[bytes, float] = {}
        self._changing = threading.Lock()
        self.lockout = Lockout()

    @property
    def is_open(self) -> bool:
        """Whether no password is asked for."""
        return self._password is None

    def log_in(self, password: str) -> str | None:
        """A new session's secret for the right password, None for a wrong one or while locked."""
        if self._password is None or self.lockout.wait():
            return None
        if not hmac.compare_digest(_digest(password), self._password):
            self.lockout.failed()
            return None
        self.lockout.succeeded()
        return self._new_session()

    def log_out(self, session: str) -> None:
        with self._changing:
            self._sessions.pop(_digest(session), None)

    def has_session(self, session: str) -> bool:
        """Whether this is the secret of a session that goes on. Only its hash is kept."""
        return self._sessions.get(_digest(session), 0) > time.time()

    def has_token(self, secret: str) -> bool:
        return self._tokens.accepts(secret)

    def _new_session(self) -> str:
        session = secrets.token_urlsafe(32)
        with self._changing:
            if len(self._sessions) >= MAX_SESSIONS:
                del self._sessions[min(self._sessions, key=self._sessions.__getitem__)]
            self._sessions[_digest(session)] = time.time() + SESSION_SECONDS
        return session


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
