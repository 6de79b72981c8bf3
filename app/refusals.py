"""How REST says no: always {"error": words}, with a status that a program can act upon."""

from __future__ import annotations

from typing import Any, cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.jobs.database import DatabaseError
from app.jobs.records import StateError
from trainer.errors import ArtifactError, UserError

TOO_LARGE = 413


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
        409: "Not in the state that a job or run is in now; later, or after another step",
        TOO_LARGE: "Too large",
        422: "Understood, but not possible",
        503: "The queue's database does not answer",
    }.items()
}


def refuse_in_words(api: FastAPI) -> None:
    """Have every error that is not a fault of ours answered as a Problem."""
    api.add_exception_handler(UserError, _user_error)
    api.add_exception_handler(RequestValidationError, _invalid)
    api.add_exception_handler(HTTPException, _http_error)
    api.add_exception_handler(UnicodeError, _not_unicode)
    api.add_exception_handler(RecursionError, _too_deep)


class LimitInWords:
    """Put around the whole app: Starlette's limit of a body answers in plain text from outside of
    every handler of errors."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refused = False

        async def sending(message: Message) -> None:
            nonlocal refused
            if message["type"] == "http.response.start" and message["status"] == TOO_LARGE:
                refused = True
                answer = _problem(TOO_LARGE, "That is larger than this address takes; send less.")
                await answer(scope, receive, send)
            elif not refused:
                await send(message)

        await self._app(scope, receive, sending)


def _user_error(_: Request, error: Exception) -> JSONResponse:
    return _problem(_status_of(error), str(error))


def _status_of(error: Exception) -> int:
    match error:
        case ArtifactError():
            return 404
        case StateError():
            return 409
        case DatabaseError():
            return 503
    return 422


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


def _problem(status: int, words: str, headers: object = None) -> JSONResponse:
    clean = words.encode("utf-8", "replace").decode("utf-8")
    return JSONResponse({"error": clean}, status, cast("dict[str, str] | None", headers))
