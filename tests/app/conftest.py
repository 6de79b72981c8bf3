"""A studio in an empty workspace, pictures to give it, and REST over it behind its guard."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image, ImageDraw
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount
from starlette.testclient import TestClient

from app.api import build_api
from app.auth import Access
from app.guard import Guard
from app.jobs.engine import Queue
from app.studio import Studio
from app.tokens import Tokens
from app.views import Upload
from app.workspace import Workspace
from trainer.config import ASSETS

HOST = "http://127.0.0.1"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "workspace").make()


@pytest.fixture
def studio(workspace: Workspace) -> Iterator[Studio]:
    queue = Queue(workspace.root)
    yield Studio(workspace, queue)
    queue.close()


@pytest.fixture
def client(studio: Studio) -> TestClient:
    """REST as launch serves it on loopback, without a password."""
    return served(studio, None)


def served(studio: Studio, password: str | None) -> TestClient:
    access = Access(Tokens(studio.workspace), password)
    app = Starlette(
        routes=[Mount("/api", build_api(studio))],
        middleware=[Middleware(Guard, access, {"127.0.0.1"} if password is None else None)],
    )
    return TestClient(app, base_url=HOST, follow_redirects=False)


@pytest.fixture
def locked_client(studio: Studio) -> TestClient:
    """The same with the password `correct horse`."""
    return served(studio, "correct horse")


@pytest.fixture
def duck() -> list[Upload]:
    """The five photos of the bundled duck, 64 pixels wide."""
    photos = sorted((ASSETS / "subjects" / "duck" / "photos").glob("*.png"))
    return [Upload(path.name, path.read_bytes()) for path in photos]


Picture = Callable[..., bytes]


@pytest.fixture
def picture() -> Picture:
    """A sharp picture of any size, as the bytes of a file."""

    def draw(size: tuple[int, int] = (1200, 1000), fmt: str = "PNG", seed: int = 0) -> bytes:
        image = Image.new("RGB", size, (200, 60 + 20 * seed % 190, 90))
        pen = ImageDraw.Draw(image)
        for x in range(0, size[0], 16):
            pen.line([(x, 0), ((x * (seed + 3)) % size[0], size[1])], fill=(x % 255, 30, 220))
        file = BytesIO()
        image.save(file, fmt)
        return file.getvalue()

    return draw


class Launched:
    """`python launch.py` as a process, and what it prints."""

    def __init__(
        self, folder: Path, *arguments: str, program: str = "launch.py", **environment: str
    ) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = str(probe.getsockname()[1])
        self.url = f"http://127.0.0.1:{port}"
        self.log = folder / f"printed-{port}.txt"
        self.workspace = folder / "workspace"
        command = [sys.executable, program, "--port", port, "--workspace", str(self.workspace)]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [*command, *arguments], cwd=ASSETS.parent, stdout=log, stderr=subprocess.STDOUT,
                env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
            )  # fmt: skip
        deadline = time.monotonic() + 120
        while "Dashbooth: " not in self.printed():
            assert self.process.poll() is None and time.monotonic() < deadline, self.printed()
            time.sleep(0.1)

    def printed(self) -> str:
        return self.log.read_text()

    def stop(self, number: int) -> int:
        self.process.send_signal(number)
        return self.process.wait(90)


@pytest.fixture(scope="session")
def launching() -> type[Launched]:
    return Launched


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Launched]]:
    """Launches a studio; all are stopped at the end."""
    begun: list[Launched] = []

    def run(*arguments: str, **environment: str) -> Launched:
        begun.append(Launched(tmp_path, *arguments, **environment))
        return begun[-1]

    yield run
    for launched in begun:
        if launched.process.poll() is None:
            launched.stop(signal.SIGTERM)
