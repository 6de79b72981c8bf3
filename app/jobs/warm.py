"""The slot's warm inference process: keeps a base loaded between generate jobs.

Started for the first of them, stopped before any other kind of job may need the memory. Where it
cannot be had, a generate job does the work by itself.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from app.jobs.processes import ROOT


class WarmProcess:
    """At most one process and its socket. It ends by itself when its stdin closes."""

    def __init__(self, module: str) -> None:
        self._module = module
        self._process: subprocess.Popen[bytes] | None = None
        self.socket: Path | None = None
        """Where it listens; None while it is not wanted."""

    @property
    def pid(self) -> int | None:
        """Of the process, if it lives."""
        alive = self._process is not None and self._process.poll() is None
        return self._process.pid if alive and self._process else None

    def start(self, environment: dict[str, str]) -> None:
        """Have it; it may take seconds before it listens."""
        if self.pid is None:
            self.stop()
            # Not in the workspace: the path of a socket may have 107 bytes.
            self.socket = Path(tempfile.mkdtemp(prefix="dashbooth-")) / "inference.sock"
            self._process = subprocess.Popen(
                [sys.executable, "-m", self._module, "--socket", str(self.socket)],
                stdin=subprocess.PIPE,
                cwd=ROOT,
                env={**os.environ, **environment},
                start_new_session=True,
            )

    def stop(self) -> None:
        """End it at once: it has nothing to save."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            if self._process.stdin is not None:
                self._process.stdin.close()
            self._process = None
        if self.socket is not None:
            shutil.rmtree(self.socket.parent, ignore_errors=True)
            self.socket = None
