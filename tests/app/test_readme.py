"""The README's examples of REST run as they stand, but for the address and a shorter training."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from trainer.config import ASSETS

README = ASSETS.parent / "README.md"
ADDRESS = "http://127.0.0.1:7860"


def example(language: str, url: str) -> str:
    """The block of a language below the heading REST, for the studio at `url`."""
    _, _, section = README.read_text("utf-8").partition("\n### REST\n")
    found = re.search(rf"```{language}\n(.*?)```", section, re.DOTALL)
    assert found and ADDRESS in found[1], f"README has no {language} block below ### REST"
    assert '"steps": 200' in found[1]
    return found[1].replace(ADDRESS, url).replace('"steps": 200', '"steps": 10')


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder that looks like the checkout, so that the example writes beside nothing of ours."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    (folder / "assets").symlink_to(ASSETS)
    return folder


def test_the_examples_of_rest_work(start: Callable[..., Any], checkout: Path) -> None:
    studio = start()
    python = [sys.executable, "-c", example("python", studio.url)]
    done = subprocess.run(python, cwd=checkout, capture_output=True, text=True, timeout=250)
    assert done.returncode == 0, done.stderr + studio.printed()
    assert '"kind": "launch"' in done.stdout
    assert [path.read_bytes()[:4] for path in checkout.glob("*.png")] == [b"\x89PNG"] * 2

    bash = ["bash", "-e", "-c", example("bash", studio.url)]
    done = subprocess.run(bash, cwd=checkout, capture_output=True, text=True, timeout=60,
                          env={**os.environ, "no_proxy": "*"})  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "donald-lora-tsd-1" in done.stdout
    assert httpx.get(f"{studio.url}/api/subjects/donald").json()["photos"]
