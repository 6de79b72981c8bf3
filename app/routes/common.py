"""What all routes share: the studio at hand, and files as answers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request
from fastapi.responses import FileResponse

from app.studio import Studio


def _studio(request: Request) -> Studio:
    studio: Studio = request.app.state.studio
    return studio


StudioNeeded = Annotated[Studio, Depends(_studio)]


def sent(path: Path, download: bool = False, name: str | None = None) -> FileResponse:
    """A file of the workspace as the answer; with `download`, to be saved and not shown, as `name`
    where its own name would say too little."""
    kind = "attachment" if download else "inline"
    return FileResponse(path, filename=name or path.name, content_disposition_type=kind)
