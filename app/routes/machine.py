"""/bases, /system, /tokens: what there is to work with."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel

from app.routes.common import StudioNeeded
from app.views import BaseChoice, SystemView, Token

router = APIRouter(tags=["machine"])


class TokenName(BaseModel, extra="forbid"):
    name: str
    """What will use it."""


class NewToken(BaseModel):
    token: Token
    secret: str
    """Shown this once."""


class Sure(BaseModel, extra="forbid"):
    confirm: Literal["delete all my data"]


@router.get("/bases")
def list_bases(studio: StudioNeeded) -> list[BaseChoice]:
    """The bases that a training may name."""
    return studio.bases()


@router.get("/system")
def system(studio: StudioNeeded) -> SystemView:
    return studio.system()


@router.get("/report", response_class=PlainTextResponse)
def report(studio: StudioNeeded) -> str:
    """Text to copy into a bug report."""
    return studio.bug_report()


@router.delete("/caches/{name:path}", status_code=204)
def delete_cache(studio: StudioNeeded, name: str) -> None:
    studio.delete_cache(name)


@router.get("/tokens")
def list_tokens(studio: StudioNeeded) -> list[Token]:
    return studio.tokens()


@router.post("/tokens", status_code=201)
def create_token(studio: StudioNeeded, wanted: TokenName) -> NewToken:
    token, secret = studio.create_token(wanted.name)
    return NewToken(token=token, secret=secret)


@router.delete("/tokens/{token_id}", status_code=204)
def revoke_token(studio: StudioNeeded, token_id: str) -> None:
    studio.revoke_token(token_id)


@router.post("/delete-everything", status_code=204)
def delete_everything(studio: StudioNeeded, _sure: Sure) -> None:
    """Every subject, run, picture and job of this workspace."""
    studio.delete_everything()
