"""What generate and compare jobs have made, read from their result files. No torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from app.runs import read_json
from app.views import PictureView
from app.workspace import Workspace
from trainer.errors import ArtifactError


def pictures(workspace: Workspace, job_id: str) -> list[PictureView]:
    """The pictures of a generate job; none as long as it has not ended."""
    folder = workspace.job(job_id)
    result = read_json(folder / "result.json") or {}
    return [_view(folder, row) for row in result.get("pictures", ())]


def job_file(workspace: Workspace, job_id: str, name: str) -> Path:
    """A picture or table of a job by its relative path; only files that are there are known."""
    folder = workspace.job(job_id)
    return _known(folder, name, f"The job {job_id}")


def comparison_file(workspace: Workspace, job_id: str, name: str) -> Path:
    return _known(workspace.comparison(job_id), name, f"The comparison {job_id}")


def comparison(workspace: Workspace, job_id: str) -> dict[str, Any]:
    """overlap.json of a compare job, with the paths of its pictures."""
    folder = workspace.comparison(job_id)
    overlap = read_json(folder / "overlap.json")
    if overlap is None:
        raise ArtifactError(f"The job {job_id} has made no comparison yet.")
    return {
        **overlap,
        "heatmap": folder / "heatmap.png",
        "grids": sorted((folder / "grids").glob("*.png")),
    }


def _view(folder: Path, row: dict[str, Any]) -> PictureView:
    return PictureView(
        path=folder / row["file"],
        prompt=row["prompt"],
        seed=row["seed"],
        scale=row["scale"],
        checkpoint=row["checkpoint"],
        base=row["base"],
        scores=row["scores"],
    )


def _known(folder: Path, name: str, what: str) -> Path:
    shown = (path for path in folder.rglob("*") if path.suffix in (".png", ".csv", ".json"))
    known = {str(path.relative_to(folder)): path for path in shown}
    if name not in known:
        raise ArtifactError(f"{what} has no file {name[:100]!r}.")
    return known[name]
