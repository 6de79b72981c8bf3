"""The list of bases says what is there, told by content."""

from __future__ import annotations

import json
import pickle
import shutil
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from app import gates
from app.bases import list_bases, resolve
from app.workspace import Workspace
from trainer.config import ASSETS, SDXL_BASE
from trainer.errors import BaseModelError


@pytest.fixture(autouse=True)
def empty_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A hub cache of our own."""
    hub = tmp_path / "hub"
    monkeypatch.setattr("huggingface_hub.utils._cache_manager.HF_HUB_CACHE", str(hub))
    return hub


def test_without_any_download_the_embedded_base_is_first_and_sdxl_is_offered(
    workspace: Workspace,
) -> None:
    choices = list_bases(workspace)
    assert (choices[0].id, choices[0].state) == ("embedded", "embedded")
    (sdxl,) = (choice for choice in choices if choice.id == SDXL_BASE)
    assert (sdxl.state, sdxl.gigabytes) == ("download", 7.0)


def test_what_the_hub_has_downloaded_is_told_apart(workspace: Workspace, empty_hub: Path) -> None:
    for repo, kind in (("stabilityai/stable-diffusion-xl-base-1.0", "StableDiffusionXLPipeline"),
                       ("someone/flux", "FluxPipeline"),
                       ("someone/own-xl", "StableDiffusionXLPipeline")):  # fmt: skip
        snapshot = empty_hub / f"models--{repo.replace('/', '--')}" / "snapshots" / "abc"
        (snapshot / "unet").mkdir(parents=True)
        (snapshot / "unet" / "w.safetensors").write_bytes(b"12345678")
        (snapshot / "model_index.json").write_text(json.dumps({"_class_name": kind}))
    states = {choice.id: choice.state for choice in list_bases(workspace)}
    assert states[SDXL_BASE] == states["someone/own-xl"] == "downloaded"
    assert "someone/flux" not in states
    assert resolve(workspace, "someone/own-xl") == "someone/own-xl"


class Hub(BaseHTTPRequestHandler):
    """A stand-in on loopback: drawings are closed, the rest is open."""

    def do_GET(self) -> None:
        assert self.path.endswith("/auth-check")
        if "animagine" in self.path:
            self.send_response(403)
            self.send_header("X-Error-Code", "GatedRepo")
        else:
            self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """No lines among the tests'."""


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        endpoint = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", endpoint)
        gates._asked.cache_clear()
        yield
        server.shutdown()
        thread.join()
    gates._asked.cache_clear()


def test_a_base_that_asks_for_a_licence_says_so_once_the_hub_has_answered(
    workspace: Workspace, hub: None
) -> None:
    states: dict[str, str] = {}
    deadline = time.monotonic() + 60
    while "gated" not in states.values() and time.monotonic() < deadline:
        states = {choice.id: choice.state for choice in list_bases(workspace)}
    assert states["cagliostrolab/animagine-xl-4.0"] == "gated"
    assert states[SDXL_BASE] == "download"


def test_without_the_hub_nothing_is_claimed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:1")
    closed: set[str] = set()
    gates._ask((SDXL_BASE,), closed)
    assert closed == set()


def test_a_checkpoint_of_ones_own_is_offered_and_resolves_to_its_file(workspace: Workspace) -> None:
    save_file({"x": np.zeros(1)}, workspace.bases / "mine.safetensors")
    shutil.copytree(ASSETS / "embedded_base", workspace.bases / "folder")
    ids = {choice.id for choice in list_bases(workspace)}
    assert {"bases/mine.safetensors", "bases/folder"} <= ids
    found = resolve(workspace, "bases/mine.safetensors")
    assert Path(found) == workspace.bases / "mine.safetensors"


def test_a_pickle_is_refused_by_content_whatever_its_name(workspace: Workspace) -> None:
    (workspace.bases / "model.safetensors").write_bytes(pickle.dumps({"x": [0.0]}))
    with pytest.raises(BaseModelError, match="not in the list"):
        resolve(workspace, "bases/model.safetensors")
