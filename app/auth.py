"""Who may use the studio: one account with a password, its sessions, and API tokens. No HTTP here.

Without a password (the default on loopback) whoever reaches the machine's own address is in.
"""

from __future__ import annotations

import hashlib
import hmac
import math
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
    """After some wrong passwords nobody may try for a while, then for twice as long, and so on."""

    FIRST_WAIT, LONGEST_WAIT = 30.0, 900.0

    def __init__(self, free_tries: int, forgets_after: float = math.inf) -> None:
        """`forgets_after`: seconds in which one wrong password is forgotten."""
        self._free_tries, self._forgets_after = free_tries, forgets_after
        self._failures, self._at = 0.0, time.monotonic()
        self._until = 0.0

    def wait(self) -> float:
        """Seconds until somebody may try again; 0 for now."""
        return max(0.0, self._until - time.monotonic())

    def failed(self) -> None:
        forgotten = (time.monotonic() - self._at) / self._forgets_after
        self._failures, self._at = max(0.0, self._failures - forgotten) + 1, time.monotonic()
        beyond = self._failures - self._free_tries
        if beyond >= 0:
            wait = min(self.LONGEST_WAIT, self.FIRST_WAIT * 2 ** min(beyond, 10))
            self._until = time.monotonic() + wait


class Lockouts:
    """One for each address, so that a stranger locks out themselves and not the owner; and a slower
    one over all, for addresses are cheap.

    Behind a tunnel all may have one address: there they share the first. A right password cannot go
    past a lock, or guessing would; a session that goes on and an API token are never asked for one.
    """

    FREE_TRIES, FREE_TRIES_OF_ALL = 5, 100
    FORGETS_AFTER = 300.0
    """Seconds; more than a single address gets to fail once it is locked, so that it alone never
    locks out all."""
    MOST_ADDRESSES = 1000

    def __init__(self) -> None:
        self._all = Lockout(self.FREE_TRIES_OF_ALL, self.FORGETS_AFTER)
        self._of: dict[str, Lockout] = {}
        self._changing = threading.Lock()

    def wait(self, address: str) -> float:
        """Seconds until somebody at this address may try again."""
        own = self._of.get(address)
        return max(self._all.wait(), own.wait() if own else 0.0)

    def failed(self, address: str) -> None:
        with self._changing:
            own = self._of.pop(address, None) or Lockout(self.FREE_TRIES)
            self._of[address] = own
            if len(self._of) > self.MOST_ADDRESSES:
                del self._of[next(iter(self._of))]
            own.failed()
            self._all.failed()

    def succeeded(self, address: str) -> None:
        with self._changing:
            self._of.pop(address, None)


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
        self.lockouts = Lockouts()

    @property
    def is_open(self) -> bool:
        """Whether no password is asked for."""
        return self._password is None

    def log_in(self, password: str, address: str = "") -> str | None:
        """A new session's secret for the right password, None for a wrong one or while locked."""
        if self._password is None or self.lockouts.wait(address):
            return None
        if not hmac.compare_digest(_digest(password), self._password):
            self.lockouts.failed(address)
            return None
        self.lockouts.succeeded(address)
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
