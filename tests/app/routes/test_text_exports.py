"""What a run on texts is taken away as: PEFT's folder, transformers', or the bundle alone."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from starlette.testclient import TestClient

from app.studio import Studio
from app.tabs.language_scores import file_links
from tests.text_bases import glue_recipe
from trainer import glue


def train(studio: Studio, bert: Path, instead: Any) -> str:
    recipe = glue_recipe(bert, studio.workspace.root)
    return glue.train(replace(recipe, instead=instead)).path.name


def in_zip(content: bytes) -> set[str]:
    with ZipFile(io.BytesIO(content)) as folder:
        return set(folder.namelist())


@pytest.mark.parametrize(
    ("instead", "library", "held", "other"),
    [
        ("dora", "peft", "adapter_model.safetensors", "transformers"),
        ("bitfit", "transformers", "model.safetensors", "peft"),
    ],
)
def test_a_rival_goes_to_the_library_that_loads_it(
    client: TestClient,
    studio: Studio,
    bert: Path,
    instead: str,
    library: str,
    held: str,
    other: str,
) -> None:
    run = train(studio, bert, instead)
    assert client.get(f"/api/text-runs/{run}").json()["library"] == library
    files = in_zip(client.get(f"/api/runs/{run}/export/{library}").content)
    assert f"{run}-{library}/{held}" in files
    refused = client.get(f"/api/runs/{run}/export/{other}")
    assert refused.status_code == 404
    assert refused.json()["error"].endswith(f"take it away as {library} or bundle.")
    links = file_links(studio, run)
    assert f"api/runs/{run}/export/{library}" in links and f"/{other}" not in links


def test_of_a_method_that_neither_has_there_is_the_bundle_and_a_word(
    client: TestClient, studio: Studio, bert: Path
) -> None:
    run = train(studio, bert, "spectral")
    assert client.get(f"/api/text-runs/{run}").json()["library"] is None
    refused = client.get(f"/api/runs/{run}/export/peft")
    assert refused.json()["error"].endswith("take it away as bundle.")
    assert f"{run}/native.safetensors" in in_zip(
        client.get(f"/api/runs/{run}/export/bundle").content
    )
    links = file_links(studio, run)
    assert "nothing for PEFT or transformers" in links and "/peft" not in links
