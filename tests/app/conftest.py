"""A studio in an empty workspace, pictures and runs for it, and REST over it behind its guard."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest
from PIL import Image, ImageDraw, PngImagePlugin
from safetensors.numpy import save_file
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount
from starlette.testclient import TestClient
from starlette.types import ASGIApp

from app.api import build_api
from app.auth import Access
from app.guard import Guard
from app.jobs.engine import Queue
from app.photos import MAX_FILE_BYTES
from app.studio import Studio
from app.text_comparisons import TextComparisons
from app.text_requests import TextMethodsRequest
from app.tokens import Tokens
from app.ui import build_ui
from app.views import Upload
from app.workspace import Workspace
from trainer.adapters.config import AdapterConfig
from trainer.config import ASSETS, DreamBoothConfig
from trainer.files import write_json
from trainer.run import KeptPhoto, Run, Subject
from trainer.text_run import TextRun

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


@pytest.fixture
def scored_run(workspace: Workspace) -> Callable[[str, int], Run]:
    """Make a scored run in the workspace: name, and shade of its pictures."""
    return partial(_scored_run, workspace)


def _scored_run(workspace: Workspace, name: str, shade: int, prompts: int = 3) -> Run:
    """A finished, scored run as its readers see it: pictures of one shade, seeds 0 and 1."""
    run = Run(workspace.run(name))
    run.write_config(DreamBoothConfig())
    run.write_subject(Subject("duck", "zwx", "duck", (KeptPhoto("1.png", "1.jpg", "", (8, 8)),)))
    run.native.touch()
    run.photos.mkdir()
    Image.new("RGB", (8, 8)).save(run.photos / "1.png")
    told = PngImagePlugin.PngInfo()
    told.add_text("dashbooth", name)
    entries: list[dict[str, Any]] = []
    for place in range(2 * prompts):
        path = run.images / "scored" / f"{place}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (shade, 0, 0)).save(path, pnginfo=told)
        prompt, seed = f"a zwx duck {place // 2}", place % 2
        entries.append({"path": f"images/scored/{place}.png", "prompt": prompt, "seed": seed})
    write_json(run.scores, {"pictures": {"adapter": entries}})
    return run


@pytest.fixture
def finished_run() -> Callable[[Path, str, float, float], Run]:
    """Make a finished run: folder, method, CLIP-I, seconds a step."""
    return _finished_run


def _finished_run(folder: Path, method: str, clip_i: float, seconds: float) -> Run:
    run = Run(folder)
    adapter = AdapterConfig(method=method)  # type: ignore[arg-type]
    run.write_config(dataclasses.replace(DreamBoothConfig(), adapter=adapter))
    tensors = {
        "attn.lora_A": np.zeros((2, 10)), "attn.lora_B": np.zeros((10, 2)),
        "attn.delta_sigma": np.zeros(4), "attn.direction_u": np.zeros((10, 4)),
    }  # fmt: skip
    save_file(tensors, run.native)
    steps = [{"kind": "step", "step": n, "seconds": seconds, "memory_gib": n} for n in (1, 2, 3)]
    rows = [*steps, {"kind": "checkpoint", "step": 3}]
    run.metrics.write_text("".join(json.dumps(row) + "\n" for row in rows))
    score = {"value": clip_i, "low": clip_i - 0.1, "high": clip_i + 0.1}
    write_json(run.scores, {"scores": [
        {"measure": "clip_i", "against": "photos", "adapter": score},
        {"measure": "clip_i", "against": "held-out photos", "adapter": {**score, "value": 0.1}},
        {"measure": "clip_i", "against": "photos", "adapter": {**score, "value": 9.0}},
    ]})  # fmt: skip
    write_json(run.status_file, {"state": "succeeded", "step": 3})
    return run


@pytest.fixture
def filled_comparison(workspace: Workspace) -> str:
    """Id of a comparison on the bundled sentences: LoRA with two seeds scored, LoRA-Dash of the
    bottom directions with one, the other still open."""
    asked = TextMethodsRequest("glue-demo", ("lora", "lora-dash:bottom"), (0, 1), steps=10,
                               rates=(1e-3,))  # fmt: skip
    comparison = TextComparisons(workspace).start(asked, lambda cell: None)
    folder = comparison.config.folder
    for name in ("lora", "lora-dash-bottom"):
        write_json(folder / "choosing" / f"{name}-0.001" / "loss.json", {"loss": 0.5})
    for name, accuracy, seconds in (("lora-0", 0.7, 0.5), ("lora-1", 0.8, 1.5),
                                    ("lora-dash-bottom-0", 0.75, 1.0)):  # fmt: skip
        _scored_cell(TextRun(folder / "cells" / name), accuracy, seconds)
    return comparison.id


def _scored_cell(run: TextRun, accuracy: float, seconds: float) -> None:
    """A cell as its readers see it: three steps of so many seconds, and two answers."""
    run.path.mkdir(parents=True)
    steps = [{"kind": "step", "step": n, "seconds": seconds, "memory_gib": n} for n in (1, 2, 3)]
    run.metrics.write_text("".join(json.dumps(row) + "\n" for row in steps))
    write_json(run.status_file, {"state": "succeeded", "step": 3, "parameters": 44,
                                 "head_parameters": 6})  # fmt: skip
    rows = [{"texts": [run.path.name], "label": "1", "prediction": label} for label in "10"]
    run.predictions.write_text("".join(json.dumps(row) + "\n" for row in rows))
    write_json(run.scores, {"scores": {}})
    write_json(run.path / "cell.json", {"scores": {"accuracy": accuracy}, "items": 2})


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


@dataclass(frozen=True)
class Served:
    """The whole page behind its guard, as on loopback, in this process."""

    blocks: Any
    web: TestClient

    def press(self, handler: str, data: list[Any]) -> Any:
        """Call a handler of the page by its name in the code."""
        (number,) = [n for n, fn in self.blocks.fns.items() if fn.name == handler]
        return self.call(number, data)

    def call(self, number: int, data: object, event: object = None) -> Any:
        body = {"data": data, "fn_index": number, "session_hash": "test", "event_data": event}
        return self.web.post("/gradio_api/run/predict", json=body)


@pytest.fixture
def page(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(studio.workspace.cache / "gradio"))

    async def build() -> tuple[gr.Blocks, ASGIApp]:
        """In a loop, without which Gradio makes some that it never closes."""
        blocks = build_ui(studio)
        blocks.max_file_size, blocks.has_launched, blocks.show_error = MAX_FILE_BYTES, True, False
        guard = Middleware(Guard, Access(Tokens(studio.workspace)), {"127.0.0.1"})
        return blocks, gr.routes.App.create_app(blocks, app_kwargs={"middleware": [guard]})

    blocks, app = asyncio.run(build())
    with TestClient(app, base_url=HOST, raise_server_exceptions=False) as web:
        yield Served(blocks, web)
