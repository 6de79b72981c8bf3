"""A studio in an empty workspace, pictures to give it, and REST over it behind its guard."""

from __future__ import annotations

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
