"""What it costs the web process when many clients watch one job: its CPU time and its memory.

The studio is started as a person starts it, in a workspace of its own, and trains on the embedded
base in its worker. What workers and jobs use is not counted: they are other processes.
"""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Event, Thread
from typing import Any

import httpx2
import psutil
import torch

from benchmarks.machine import REPOSITORY, provenance
from trainer.config import ASSETS
from trainer.errors import ConfigError, DashboothError
from trainer.files import write_json

MIB = 2**20
STEPS = 1_000_000
"""Of the training that is watched; it is cancelled at the end."""
PATIENCE = 600.0
"""Seconds for the studio to answer, and for the training to do its first step."""


class StudioError(DashboothError):
    """The studio did not start, or a client was refused."""


@dataclass(frozen=True)
class PollingBenchmark:
    """CPU and memory of the web process while clients poll a running job over REST.

    Each client asks for the job and for what is new in its metrics, then waits.
    """

    clients: int = 10
    """Clients at once."""
    seconds: float = 300.0
    """How long they poll."""
    interval: float = 1.0
    """Seconds that a client waits between two looks."""
    note: str = ""
    """A remark that goes into the JSON, such as what else the machine was doing."""
    output: Path | None = None
    """JSON with the figures, settings, commit, versions and machine."""

    def run(self) -> None:
        """Measure, print, write."""
        if self.clients < 1 or self.seconds <= 0 or self.interval < 0:
            raise ConfigError("--clients at least 1, --seconds more than 0, --interval 0 or more.")
        figures = measure(self)
        print("\n".join(f"{name:24} {value}" for name, value in figures.items()))
        if self.output is not None:
            settings = {**asdict(self), "output": str(self.output)}
            machine = provenance(torch.device("cpu"))
            write_json(self.output, {"settings": settings, "figures": figures, **machine})
            print(f"\nWritten: {self.output}")


def measure(settings: PollingBenchmark) -> dict[str, Any]:
    """Start the studio and a training, let the clients poll, stop both."""
    with tempfile.TemporaryDirectory() as folder, _studio(Path(folder)) as (web, url):
        with httpx2.Client(base_url=url, timeout=60) as client:
            job = _training(client)
        with _polling(settings, url, job) as clients:
            time.sleep(settings.interval)  # everybody has begun
            start, before, started = web.memory_info().rss, _cpu_seconds(web), time.monotonic()
            time.sleep(settings.seconds / 2)
            middle = web.memory_info().rss
            time.sleep(settings.seconds / 2)
            seconds, used = time.monotonic() - started, _cpu_seconds(web) - before
            end = web.memory_info().rss
        return {
            "cpu_percent_of_a_core": round(100 * used / seconds, 2),
            "rss_mib_start": round(start / MIB, 1),
            "rss_mib_middle": round(middle / MIB, 1),
            "rss_mib_end": round(end / MIB, 1),
            "requests": sum(client.requests for client in clients),
            "slowest_request_seconds": round(max(client.slowest for client in clients), 3),
            "seconds": round(seconds, 1),
        }


@contextmanager
def _studio(folder: Path) -> Iterator[tuple[psutil.Process, str]]:
    """The web process of a studio that answers, and its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "launch.py", "--port", str(port), "--workspace", str(folder / "w")]
    with (folder / "log.txt").open("w") as log:
        studio = subprocess.Popen(command, cwd=REPOSITORY, stdout=log, stderr=log)
    try:
        until = time.monotonic() + PATIENCE
        while "Dashbooth: " not in (told := (folder / "log.txt").read_text("utf-8")):
            if studio.poll() is not None or time.monotonic() > until:
                raise StudioError(f"launch.py did not come up:\n{told}")
            time.sleep(0.1)
        yield psutil.Process(studio.pid), f"http://127.0.0.1:{port}"
    finally:
        studio.send_signal(signal.SIGINT)
        studio.wait()


def _training(client: httpx2.Client) -> dict[str, Any]:
    """A job that trains and has done its first step."""
    photos = sorted((ASSETS / "subjects" / "duck" / "photos").glob("*.png"))
    files = [("photos", (path.name, path.read_bytes())) for path in photos]
    _asked(client, "POST", "/api/subjects", data={"name": "Duck", "class_token": "duck"},
           files=files)  # fmt: skip
    settings = {"optim": {"steps": STEPS}}
    request = {"subject": "duck", "preset": "demo", "score": False, "settings": settings}
    job: dict[str, Any] = _asked(client, "POST", "/api/jobs/train", json=request).json()
    until = time.monotonic() + PATIENCE
    while not job["step"]:
        if job["state"] not in ("queued", "running") or time.monotonic() > until:
            raise StudioError(f"the training did not begin: {job['state']} {job['message']}")
        time.sleep(0.5)
        job = _asked(client, "GET", f"/api/jobs/{job['id']}").json()
    return job


class _Client:
    """Looks at the job until it is told to stop."""

    def __init__(self, url: str, job: dict[str, Any], interval: float, stop: Event) -> None:
        self.requests, self.slowest = 0, 0.0
        self.error: Exception | None = None
        self._url, self._job, self._interval, self._stop = url, job, interval, stop

    def poll(self) -> None:
        try:
            with httpx2.Client(base_url=self._url, timeout=60) as client:
                newest = -1
                while not self._stop.is_set():
                    self._ask(client, f"/api/jobs/{self._job['id']}")
                    at = f"/api/runs/{self._job['run']}/metrics?after_step={newest}"
                    newest = max([newest, *(row["step"] for row in self._ask(client, at))])
                    self._stop.wait(self._interval)
        except Exception as error:  # told by who waits for this thread
            self.error = error

    def _ask(self, client: httpx2.Client, path: str) -> Any:
        began = time.monotonic()
        answer = _asked(client, "GET", path).json()
        self.requests += 1
        self.slowest = max(self.slowest, time.monotonic() - began)
        return answer


@contextmanager
def _polling(settings: PollingBenchmark, url: str, job: dict[str, Any]) -> Iterator[list[_Client]]:
    """Clients that poll inside the block; an error of any is raised at its end."""
    stop = Event()
    clients = [_Client(url, job, settings.interval, stop) for _ in range(settings.clients)]
    threads = [Thread(target=client.poll) for client in clients]
    for thread in threads:
        thread.start()
    try:
        yield clients
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    for client in clients:
        if client.error is not None:
            raise client.error


def _asked(client: httpx2.Client, method: str, path: str, **more: Any) -> httpx2.Response:
    answer = client.request(method, path, **more)
    if answer.is_error:
        raise StudioError(f"{method} {path}: {answer.status_code} {answer.text[:200]}")
    return answer


def _cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
