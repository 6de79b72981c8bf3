"""REST over the studio's verbs: FastAPI under /api, with OpenAPI at /api/docs. No torch.

Knows nothing of who may call it: `app.guard` stands in front. Whatever is sent, the answer is
either what was asked for or {"error": words}; the pages of the docs come from this machine.
"""

from __future__ import annotations

from pathlib import Path
from typing import cast

import fastapi_offline
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from app.jobs.database import DatabaseError
from app.routes import jobs, machine, results, subjects
from app.routes.common import PROBLEMS
from app.studio import Studio
from trainer.errors import ArtifactError, UserError

MAX_JSON_BYTES = 2**20
_DOCS_FILES = Path(fastapi_offline.__file__).parent / "static"


def build_api(studio: Studio) -> FastAPI:
    """The app to mount at /api."""
    api = FastAPI(
        title="Dashbooth",
        summary="Photos of a subject in, a LoRA-TSD adapter for SDXL out",
        docs_url=None,
        redoc_url=None,
        responses=PROBLEMS,
        max_body_size=MAX_JSON_BYTES,
        form_limits={"max_files": 200, "max_fields": 20, "max_part_size": 2**16},
        root_path_in_servers=True,
    )
    api.state.studio = studio
    for module in (subjects, jobs, results, machine):
        api.include_router(module.router)
    api.add_exception_handler(UserError, _user_error)
    api.add_exception_handler(RequestValidationError, _invalid)
    api.add_exception_handler(HTTPException, _http_error)
    api.add_exception_handler(UnicodeError, _not_unicode)
    api.add_exception_handler(RecursionError, _too_deep)
    api.add_exception_handler(DatabaseError, _no_database)
    api.mount("/docs/files", StaticFiles(directory=_DOCS_FILES))
    api.add_api_route("/docs", _docs, include_in_schema=False)
    return api


def _docs() -> HTMLResponse:
    return get_swagger_ui_html(
        openapi_url="/api/openapi.json",
        title="Dashbooth REST",
        swagger_js_url="/api/docs/files/swagger-ui-bundle.js",
        swagger_css_url="/api/docs/files/swagger-ui.css",
        swagger_favicon_url="/api/docs/files/favicon.png",
    )


def _user_error(_: Request, error: Exception) -> JSONResponse:
    return _problem(404 if isinstance(error, ArtifactError) else 422, str(error))


def _invalid(_: Request, error: Exception) -> JSONResponse:
    """Names the fields, never repeats what was sent: that could be anything."""
    rows = cast(RequestValidationError, error).errors()
    faults = [f"{'.'.join(map(str, row['loc']))}: {row['msg']}" for row in rows]
    return _problem(422, "\n".join(faults))


def _http_error(_: Request, error: Exception) -> JSONResponse:
    known = cast(HTTPException, error)
    return _problem(known.status_code, str(known.detail), known.headers)


def _not_unicode(_: Request, __: Exception) -> JSONResponse:
    return _problem(422, "The text holds half a character (a lone surrogate); send whole ones.")


def _too_deep(_: Request, __: Exception) -> JSONResponse:
    return _problem(422, "The objects are nested too deeply.")


def _no_database(_: Request, error: Exception) -> JSONResponse:
    return _problem(503, str(error))


def _problem(status: int, words: str, headers: object = None) -> JSONResponse:
    clean = words.encode("utf-8", "replace").decode("utf-8")
    return JSONResponse({"error": clean}, status, cast("dict[str, str] | None", headers))
