"""API tokens: made by chance, shown once, kept as hashes. No torch.

A secret has 256 random bits, so a plain SHA-256 of it cannot be searched backwards.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import threading
import time
from typing import Any

from app.views import Token
from app.workspace import Workspace
from trainer.errors import ArtifactError, ConfigError
from trainer.files import write_json

PREFIX = "dashbooth_"
MAX_NAME, MAX_TOKENS = 80, 100


class Tokens:
    """The tokens of an installation, in queue/tokens.json."""

    def __init__(self, workspace: Workspace) -> None:
        self._file = workspace.queue / "tokens.json"
        self._changing = threading.Lock()

    def all(self) -> list[Token]:
        return [Token(row["id"], row["name"], row["created_at"]) for row in self._rows()]

    def create(self, name: str) -> tuple[Token, str]:
        """A new token and its secret, which nothing can tell again."""
        name = " ".join(name.split()) if isinstance(name, str) else ""
        if not 0 < len(name) <= MAX_NAME or not name.isprintable():
            raise ConfigError(f"The token's name needs 1 to {MAX_NAME} characters: what uses it.")
        token, secret = Token(secrets.token_hex(4), name, time.time()), _new_secret()
        with self._changing:
            rows = self._rows()
            if len(rows) >= MAX_TOKENS:
                raise ConfigError(f"There are {MAX_TOKENS} tokens already: revoke some first.")
            write_json(self._file, [*rows, {**vars(token), "sha256": _hash(secret)}])
        return token, secret

    def revoke(self, token_id: str) -> None:
        with self._changing:
            rows = self._rows()
            kept = [row for row in rows if row["id"] != token_id]
            if len(kept) == len(rows):
                raise ArtifactError(f"There is no token {str(token_id)[:100]!r}.")
            write_json(self._file, kept)

    def accepts(self, secret: str) -> bool:
        """Whether this is the secret of a token. Takes as long for a wrong one."""
        given = _hash(secret)
        return any([hmac.compare_digest(row["sha256"], given) for row in self._rows()])

    def _rows(self) -> list[dict[str, Any]]:
        if not self._file.is_file():
            return []
        rows: list[dict[str, Any]] = json.loads(self._file.read_text("utf-8"))
        return rows


def _new_secret() -> str:
    return PREFIX + secrets.token_urlsafe(32)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
