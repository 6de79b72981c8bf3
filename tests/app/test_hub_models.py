"""Models of the hub's cache: shown, and deleted unless a job needs them."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from app.jobs.records import StateError
from app.requests import TrainRequest
from app.studio import Studio
from app.views import Upload
from trainer.config import SDXL_BASE
from trainer.errors import ArtifactError

SCORER = "someone/scorer"


def cached(hub: Path, repo: str, kind: str = "models", revisions: int = 1) -> Path:
    """A repository as huggingface_hub lays it out: blobs, and snapshots that link to them."""
    folder = hub / f"{kind}--{repo.replace('/', '--')}"
    for number in range(revisions):
        commit = f"{number:040x}"
        (folder / "snapshots" / commit).mkdir(parents=True)
        (folder / "blobs").mkdir(exist_ok=True)
        (folder / "blobs" / commit).write_bytes(b"x" * 1000)
        link = folder / "snapshots" / commit / "model.safetensors"
        link.symlink_to(Path("..", "..", "blobs", commit))
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text(f"{0:040x}")
    return folder


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache with SDXL, a scorer and a data set."""
    folder = tmp_path / "hub"
    monkeypatch.setattr("huggingface_hub.utils._cache_manager.HF_HUB_CACHE", str(folder))
    cached(folder, SDXL_BASE, revisions=2)
    cached(folder, SCORER)
    cached(folder, "someone/data", kind="datasets")
    return folder


def left(hub: Path) -> list[str]:
    return sorted(path.name.partition("--")[2] for path in hub.glob("*--*"))


def test_models_have_a_button_and_go_whole(studio: Studio, hub: Path) -> None:
    shown = {view.name: view.deletable for view in studio.system().caches}
    assert shown == {SDXL_BASE: True, SCORER: True, "someone/data": False}
    studio.delete_cache(SDXL_BASE)
    assert left(hub) == ["someone--data", "someone--scorer"]
    assert SDXL_BASE not in {view.name for view in studio.system().caches}


@pytest.mark.parametrize("name", ["someone/data", "someone/other", "someone", "../hub", ""])
def test_only_models_of_the_list_go(studio: Studio, hub: Path, name: str) -> None:
    with pytest.raises(ArtifactError, match=f"possible: {SCORER}, {SDXL_BASE}"):
        studio.delete_cache(name)
    assert len(left(hub)) == 3


def test_what_a_waiting_job_needs_stays(
    studio: Studio, hub: Path, duck: list[Upload], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.ordering.check_device", lambda *_: None)
    studio.create_subject("Duck", "duck", uploads=duck)
    for request in (TrainRequest("duck", base=SDXL_BASE), TrainRequest("duck", "low-vram")):
        job = studio.train(request)
        for name in (SDXL_BASE, SCORER):
            with pytest.raises(StateError, match=rf"the model {name} \({job.id}\)"):
                studio.delete_cache(name)
        studio.cancel(job.id)
    other = studio.train(TrainRequest("duck", "demo"))
    studio.delete_cache(SDXL_BASE)
    studio.cancel(other.id)
    studio.delete_cache(SCORER)
    assert left(hub) == ["someone--data"]


def test_by_rest_the_name_of_a_model_is_its_address(client: TestClient, hub: Path) -> None:
    assert client.delete(f"/api/caches/{SCORER}").status_code == 204
    assert client.delete(f"/api/caches/{SCORER}").status_code == 404
    assert len(left(hub)) == 2
