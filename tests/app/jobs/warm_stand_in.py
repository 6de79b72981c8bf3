"""Stands where app.jobs.inference stands, without a base: listens, and ends with its worker."""

from __future__ import annotations

import socket
import sys

with socket.socket(socket.AF_UNIX) as listening:
    listening.bind(sys.argv[sys.argv.index("--socket") + 1])
    listening.listen()
    sys.stdin.read()
