"""/runs, /history, /comparisons, /method-tables: what jobs have made."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query
from fastapi.responses import FileResponse
from pydantic import BaseModel

from app.jobs.records import Job, JobState
from app.routes.common import StudioNeeded, sent
from app.runs import Export
from app.views import RunView

router = APIRouter(tags=["results"])


class Picture(BaseModel):
    """A picture that a generate job drew."""

    url: str
    prompt: str
    seed: int
    scale: float
    checkpoint: int | None
    base: bool
    scores: dict[str, float]


class Spread(BaseModel):
    """Over the runs of a method, which differ in their seed."""

    mean: float
    sd: float | None
    n: int


class ScoreSpread(Spread):
    low: float | None
    """95 % interval over prompts, where there is one run."""
    high: float | None


class MethodRow(BaseModel):
    method: str
    n: int
    runs: list[str]
    seeds: list[int]
    scores: dict[str, ScoreSpread]
    """By measure; `<measure>_held_out` is against held-out photos."""
    parameters: int
    """Trained numbers."""
    steps: int
    seconds: Spread
    """Of all steps together."""
    memory_gib: Spread


class FailedTraining(BaseModel):
    run: str
    method: str
    seed: int
    state: JobState
    message: str


class MethodTable(BaseModel):
    rows: list[MethodRow]
    unfinished: list[str]
    """Runs without an adapter yet."""
    failed: list[FailedTraining]
    """Those that will have none unless their job is tried again."""


@router.get("/runs")
def list_runs(studio: StudioNeeded) -> list[RunView]:
    return studio.runs()


@router.get("/runs/{name}")
def get_run(studio: StudioNeeded, name: str) -> RunView:
    return studio.run(name)


@router.delete("/runs/{name}", status_code=204)
def delete_run(studio: StudioNeeded, name: str) -> None:
    studio.delete_run(name)


@router.get("/runs/{name}/metrics")
def metrics(
    studio: StudioNeeded, name: str, after_step: Annotated[int, Query(ge=-1, le=2**53)] = -1
) -> list[dict[str, Any]]:
    """Rows of metrics.jsonl: losses, the launch, previews, checkpoints."""
    return studio.metrics(name, after_step)


@router.get("/runs/{name}/previews")
def previews(studio: StudioNeeded, name: str) -> list[str]:
    """Addresses of the pictures drawn while training."""
    return [f"/api/runs/{name}/files/samples/{path.name}" for path in studio.previews(name)]


@router.get("/runs/{name}/scores")
def scores(studio: StudioNeeded, name: str) -> dict[str, Any] | None:
    """The scorecard; null while the run is not scored."""
    return studio.scores(name)


@router.get("/runs/{name}/curve")
def curve(studio: StudioNeeded, name: str) -> dict[str, Any] | None:
    """Fidelity against editability, a point a checkpoint; null while not scored so."""
    return studio.curve(name)


@router.get("/runs/{name}/files/{path:path}", response_class=FileResponse)
def run_picture(studio: StudioNeeded, name: str, path: str) -> FileResponse:
    return sent(studio.run_picture(name, path))


@router.get("/runs/{name}/export/{what}", response_class=FileResponse)
def export(studio: StudioNeeded, name: str, what: Export) -> FileResponse:
    """diffusers: for load_lora_weights. kohya: for ComfyUI and A1111. peft, transformers: a zip of
    the folder that they load. bundle: a zip of the run."""
    return sent(studio.export(name, what), download=True)


@router.get("/layers")
def layers(studio: StudioNeeded, run: Annotated[list[str], Query()]) -> list[str]:
    """Layers in which all of these runs have launched directions: what a comparison can draw."""
    return studio.layers(run)


@router.get("/history")
def history(studio: StudioNeeded, limit: Annotated[int, Query(ge=1, le=1000)] = 50) -> list[Job]:
    """Jobs that drew pictures, the newest first, each with the request to use again."""
    return studio.history(limit)


@router.get("/jobs/{job_id}/pictures")
def pictures(studio: StudioNeeded, job_id: str) -> list[Picture]:
    """What a generate job drew, with addresses to fetch it from."""
    folder = studio.workspace.job(job_id)
    return [
        Picture(
            url=f"/api/jobs/{job_id}/files/{_address(view.path, folder)}",
            prompt=view.prompt,
            seed=view.seed,
            scale=view.scale,
            checkpoint=view.checkpoint,
            base=view.base,
            scores=view.scores,
        )
        for view in studio.pictures(job_id)
    ]


@router.get("/comparisons/{job_id}")
def comparison(studio: StudioNeeded, job_id: str) -> dict[str, Any]:
    """Which directions the runs share, layer by layer, with the null beside."""
    folder, found = studio.workspace.comparison(job_id), studio.comparison(job_id)
    files = [found.pop("heatmap"), *found.pop("grids")]
    urls = [f"/api/comparisons/{job_id}/files/{_address(path, folder)}" for path in files]
    return {**found, "pictures": urls}


@router.get("/comparisons/{job_id}/files/{name:path}", response_class=FileResponse)
def comparison_file(studio: StudioNeeded, job_id: str, name: str) -> FileResponse:
    return sent(studio.comparison_file(job_id, name))


@router.get("/method-tables/{group}")
def methods_side_by_side(studio: StudioNeeded, group: str) -> MethodTable:
    """The runs of a comparison of methods, a row a method: scores, parameters, time, memory."""
    return MethodTable.model_validate(studio.method_table(group))


def _address(path: Path, folder: Path) -> str:
    return quote(str(path.relative_to(folder)))
