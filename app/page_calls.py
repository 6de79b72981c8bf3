"""Around the page's own endpoints, which are Gradio's: how much they take, and how they say no.

Of themselves they take a thousand files at once, and answer what they cannot read with a 500 that
says nothing. Here a call that fails is a 422 with words; its traceback is in the server's log.
"""

from __future__ import annotations

import json
import logging
from typing import Any

from python_multipart.multipart import parse_options_header
from starlette.datastructures import Headers
from starlette.formparsers import MultiPartException
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.subjects import MAX_PHOTOS

ROOT = "/gradio_api/"
UPLOAD, JOIN = f"{ROOT}upload", f"{ROOT}queue/join"
FAULT = (
    "The page sent something that the studio cannot use. Reload the page and try again; if it "
    "stays so, the server's log says what went wrong."
)
TOO_MANY = f"At most {MAX_PHOTOS} files at once: drop fewer, or in turns."
_WORDLESS = (b'{"error":null}', b'{"error": null}')


class PageCalls:
    """Passes every other request on as it is."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(ROOT):
            await self._app(scope, receive, send)
            return
        answer = _Answer(scope, receive, send)
        if answer.path == UPLOAD:
            receive = _Counted(scope, receive)
        try:
            await self._app(scope, receive, answer)
        except Exception:
            if answer.begun:
                raise
            logging.getLogger(__name__).exception("A call of %s failed", answer.path)
            await answer.refuse({})


class _Answer:
    """Sends on what Gradio answers, in words where it has none."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.path = scope["path"].rstrip("/")
        self.begun = False
        self._scope, self._receive, self._send = scope, receive, send
        self._fault: bytes | None = None
        self._is_stream = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            kind = Headers(raw=message["headers"]).get("content-type", "")
            self._is_stream = kind.startswith("text/event-stream")
            self._fault = b"" if message["status"] == 500 else None
        if self._fault is None:
            self.begun = True
            await self._send(self._told(message) if self._is_stream else message)
            return
        self._fault += message.get("body", b"")
        if message["type"] == "http.response.body" and not message.get("more_body"):
            await self.refuse(_read(self._fault))

    async def refuse(self, told: dict[str, Any]) -> None:
        """Say no, with what Gradio has told of it, such as how long the page is to show it."""
        answer: Response = JSONResponse(
            {**told, "error": told.get("error") or FAULT},
            # Of a 422 the page believes that single fields are at fault, where it joins the queue.
            400 if self.path == JOIN else 422,
        )
        self.begun = True
        await answer(self._scope, self._receive, self._send)

    def _told(self, message: Message) -> Message:
        body = message.get("body", b"")
        for wordless in _WORDLESS:
            body = body.replace(wordless, json.dumps({"error": FAULT}).encode())
        return {**message, "body": body} if "body" in message else message


def _read(body: bytes) -> dict[str, Any]:
    try:
        told = json.loads(body)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


class _Counted:
    """What a client uploads, unless it is more files than a subject may have: then it is read to
    its end, so that the answer arrives, and refused as Gradio itself refuses a file too large."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        _, options = parse_options_header(Headers(scope=scope).get("content-type", ""))
        self._mark = b"--" + options.get(b"boundary", b"")
        self._receive = receive
        self._marks, self._end = 0, b""

    async def __call__(self) -> Message:
        message = await self._receive()
        window = self._end + message.get("body", b"")
        self._marks += window.count(self._mark)
        # A mark may lie across two messages, never be counted twice.
        seen = window.rfind(self._mark) + len(self._mark) if self._mark in window else 0
        self._end = window[max(seen, len(window) - len(self._mark) + 1) :]
        if self._marks > MAX_PHOTOS + 1:  # one closes the last file
            while message.get("more_body"):
                message = await self._receive()
            raise MultiPartException(TOO_MANY)
        return message
