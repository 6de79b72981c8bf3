"""REST over the studio's verbs: FastAPI under /api, with OpenAPI at /api/docs. No torch.

Knows nothing of who may call it: `app.guard` stands in front. Whatever is sent, the answer is
either what was asked for or {"error": words}; the pages of the docs come from this machine.
"""

from __future__ import annotations

from pathlib import Path

import fastapi_offline
from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles
from starlette.types import ASGIApp

from app.refusals import PROBLEMS, LimitInWords, refuse_in_words
from app.routes import blind_tests, directions, jobs, machine, results, subjects, texts
from app.studio import Studio

MAX_JSON_BYTES = 2**20
_DOCS_FILES = Path(fastapi_offline.__file__).parent / "static"


class Api(FastAPI):
    """FastAPI, except that a body beyond the limit is refused in our words too."""

    def build_middleware_stack(self) -> ASGIApp:
        # Only what is around the whole stack sees the answer of the limit's own middleware.
        return LimitInWords(super().build_middleware_stack())


def build_api(studio: Studio) -> FastAPI:
    """The app to mount at /api."""
    api = Api(
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
    for module in (subjects, jobs, results, blind_tests, texts, directions, machine):
        api.include_router(module.router)
    refuse_in_words(api)
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
