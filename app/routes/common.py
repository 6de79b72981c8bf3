"""What all routes share: the studio at hand, the shape of errors, files and deletions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.responses import FileResponse
from pydantic import BaseModel

from app.studio import Studio


class Problem(BaseModel):
    """What every refusal looks like."""

    error: str
    """What was given, what is possible, what to do next."""


_AS_JSON = {"application/json": {"schema": Problem.model_json_schema()}}
PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"description": words, "content": _AS_JSON}
    for status, words in {
        400: "Not understood",
        401: "No session and no token",
        403: "From another site, or by a wrong host name",
        404: "Not there",
        413: "Too large",
        422: "Understood, but not possible",
        503: "The queue's database does not answer",
    }.items()
}


def _studio(request: Request) -> Studio:
    studio: Studio = request.app.state.studio
    return studio


StudioNeeded = Annotated[Studio, Depends(_studio)]


def sent(path: Path, download: bool = False) -> FileResponse:
    """A file of the workspace as the answer; with `download`, to be saved and not shown."""
    kind = "attachment" if download else "inline"
    return FileResponse(path, filename=path.name, content_disposition_type=kind)
