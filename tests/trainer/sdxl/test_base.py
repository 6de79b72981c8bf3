"""What `--base` names is checked before gigabytes are read; each fault says what to do.

The hub is a stand-in on loopback that answers as the real one does: status and X-Error-Code.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from trainer.config import ASSETS, ModelConfig
from trainer.errors import BaseModelError, ConfigError
from trainer.sdxl.base import find_base
from trainer.sdxl.load import load_sdxl

EMBEDDED = ASSETS / "embedded_base"


class Hub(BaseHTTPRequestHandler):
    """owner/gated, owner/other (not SDXL), owner/sdxl; everything else does not exist."""

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        body = b""
        if "/owner/gated/" in self.path:
            self.send_response(403)
            self.send_header("X-Error-Code", "GatedRepo")
        elif self.path.startswith("/api/models/owner/sdxl"):
            half = {"rfilename": "unet/diffusion_pytorch_model.fp16.safetensors"}
            body = json.dumps({"id": "owner/sdxl", "siblings": [half]}).encode()
            self.send_response(200)
        elif self.path.startswith(("/owner/other/resolve", "/owner/sdxl/resolve")):
            kind = "StableDiffusionXLPipeline" if "sdxl" in self.path else "StableDiffusionPipeline"
            body = json.dumps({"_class_name": kind}).encode()
            self.send_response(200)
            self.send_header("ETag", '"0123456789"')
            self.send_header("X-Repo-Commit", "a" * 40)
        else:
            self.send_response(404)
            self.send_header("X-Error-Code", "RepoNotFound")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """No lines among the tests'."""


@pytest.fixture(scope="module")
def hub() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def ask(base: str, endpoint: str, home: Path, **environment: str) -> str:
    """`find_base` in a process of its own: the hub's address is read at import."""
    code = (
        "import sys; from trainer.sdxl.base import find_base\n"
        "from trainer.errors import BaseModelError\n"
        "try: print(find_base(sys.argv[1]))\n"
        "except BaseModelError as error: print(error)"
    )
    variables = {"HF_ENDPOINT": endpoint, "HF_HOME": str(home), "PATH": "", **environment}
    done = subprocess.run(
        [sys.executable, "-c", code, base], env=variables, capture_output=True, text=True,
        timeout=120, cwd=Path(__file__).parents[3],
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("base", "says"),
    [
        ("owner/missing", "does not exist on the Hugging Face hub"),
        ("owner/gated", "accept its licence"),
        ("owner/other", "is not SDXL: it is a StableDiffusionPipeline"),
    ],
)
def test_each_answer_of_the_hub_has_its_own_message(
    hub: str, tmp_path: Path, base: str, says: str
) -> None:
    message = ask(base, hub, tmp_path)
    assert says in message and base in message


def test_a_downloaded_base_is_found_again_without_network(hub: str, tmp_path: Path) -> None:
    assert "kind='hub'" in ask("owner/sdxl", hub, tmp_path) and "variant='fp16'" in ask(
        "owner/sdxl", hub, tmp_path
    )
    assert "kind='hub'" in ask("owner/sdxl", "http://127.0.0.1:9", tmp_path, HF_HUB_OFFLINE="1")


def test_no_network_says_so_and_what_works_without(tmp_path: Path) -> None:
    message = ask("owner/name", "http://127.0.0.1:9", tmp_path, HF_HUB_OFFLINE="1")
    assert "cannot be reached" in message and "--base embedded" in message


@pytest.mark.parametrize("base", ["./nowhere", "model.safetensors", "a/b/c", "~/sdxl", "two words"])
def test_a_path_that_is_not_there_is_never_asked_of_the_hub(base: str) -> None:
    with pytest.raises(BaseModelError, match="no such file or folder"):
        find_base(base)


def test_a_folder_that_is_no_pipeline_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BaseModelError, match=r"model_index\.json"):
        find_base(str(tmp_path))


def test_another_pipeline_is_refused_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "model_index.json").write_text('{"_class_name": "FluxPipeline"}')
    with pytest.raises(BaseModelError, match="is a FluxPipeline"):
        find_base(str(tmp_path))


def test_a_pickle_is_refused_by_content_whatever_its_name(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    torch.save({"a": torch.zeros(1)}, file)
    with pytest.raises(BaseModelError, match="not a safetensors file"):
        find_base(str(file))


def test_a_lora_file_is_no_base(tmp_path: Path) -> None:
    file = tmp_path / "lora.safetensors"
    save_file({"lora_unet_x.alpha": torch.zeros(1)}, file)
    with pytest.raises(BaseModelError, match="not a whole SDXL checkpoint"):
        find_base(str(file))


def test_a_folder_loads_as_sdxl_frozen_and_without_the_hub(tmp_path: Path) -> None:
    shutil.copytree(EMBEDDED, tmp_path / "base")
    sdxl = load_sdxl(str(tmp_path / "base"), ModelConfig(device="cpu"))
    assert sdxl.resolution == 64 and sdxl.dtype == torch.float32
    assert not any(p.requires_grad for p in sdxl.unet.parameters())


def test_a_damaged_folder_is_a_message(tmp_path: Path) -> None:
    shutil.copytree(EMBEDDED, tmp_path / "base")
    shutil.rmtree(tmp_path / "base" / "vae")
    with pytest.raises(BaseModelError, match="cannot be loaded as SDXL"):
        load_sdxl(str(tmp_path / "base"), ModelConfig(device="cpu"))


def test_a_gpu_that_is_not_there_is_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match=r"--model\.device cpu"):
        load_sdxl("embedded", ModelConfig(device="cuda"))


def test_xformers_that_cannot_run_here_names_both_versions() -> None:
    import xformers

    with pytest.raises(ConfigError) as caught:
        load_sdxl("embedded", ModelConfig(device="cpu", attention="xformers"))
    assert xformers.__version__ in str(caught.value) and torch.__version__ in str(caught.value)
