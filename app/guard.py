"""The door: an ASGI middleware in front of every route, Gradio's own included.

In this order: a name of ours as Host (against DNS rebinding), a request of our own page (against
cross-site requests), a token or a session. What passes gets the headers that keep a browser from
being used against its owner.
"""

from __future__ import annotations

import html
import ipaddress
import re
from collections.abc import Collection, Mapping
from string import Template
from urllib.parse import parse_qs, quote, urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.auth import SESSION_SECONDS, Access
from app.page_calls import PageCalls
from trainer.config import ASSETS

COOKIE = "dashbooth-session"
LOGIN, LOGOUT = "/login", "/logout"
STARTUP = "/gradio_api/startup-events"
"""What Gradio asks of itself, once, while it starts."""
LARGEST_LOGIN = 4096
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    # Gradio's page has inline scripts and evaluates; nothing may come from or go elsewhere.
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
        "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
        "media-src 'self' blob:; worker-src 'self' blob:; connect-src 'self' data: blob:; "
        "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
    ),
}
_PAGE = Template((ASSETS / "studio" / "login.html").read_text("utf-8"))
_NEXT = re.compile(r"/\?[\w=&.-]{1,200}")


class Guard:
    """Lets a request through to `app`, or answers it."""

    def __init__(
        self,
        app: ASGIApp,
        access: Access,
        hosts: Collection[str] | None = None,
        secure: bool = False,
    ) -> None:
        """`hosts`: names this server may be called by, any where None. `secure`: cookies only
        over https."""
        self._app = PageCalls(app)
        self._access = access
        self._hosts = hosts
        self._secure = secure
        self._starting = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        answer = await self._answer(scope, receive)
        if answer is None:
            await self._app(scope, receive, _with_headers(send))
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await answer(scope, receive, _with_headers(send))

    async def _answer(self, scope: Scope, receive: Receive) -> Response | None:
        """None to let it through."""
        connection = HTTPConnection(scope)
        headers = connection.headers
        path: str = scope["path"]
        if self._hosts is not None and _host_name(headers) not in self._hosts:
            return _refused(403, "This server is not called by that name. Use its own address.")
        if (token := _bearer(headers)) is not None:
            known = self._access.has_token(token)
            return None if known else _refused(401, "That API token is not known here.")
        if _is_from_elsewhere(headers):
            return _refused(403, "The request comes from another site's page.")
        if self._access.is_open:
            return None
        if path == LOGIN and scope["type"] == "http":
            return await self._log_in(Request(scope, receive))
        if self._starting and path == STARTUP:
            self._starting = False
            return None
        session = connection.cookies.get(COOKIE, "")
        if not self._access.has_session(session):
            return _unknown(connection)
        return self._log_out(session) if path == LOGOUT else None

    async def _log_in(self, request: Request) -> Response:
        target = _next_page(request.query_params.get("next", ""))
        if request.method in ("GET", "HEAD"):
            return _login_page(target)
        address = _address(request)
        wait = self._access.lockouts.wait(address)
        if wait:
            told = f"Too many wrong passwords. Try again in {wait:.0f} seconds."
            return _login_page(target, told, 429, {"Retry-After": f"{wait:.0f}"})
        session = self._access.log_in(await _password(request), address)
        if session is None:
            return _login_page(target, "That is not the password.", 401)
        answer = RedirectResponse(target, 303)
        answer.set_cookie(
            COOKIE, session, max_age=SESSION_SECONDS, httponly=True, samesite="strict",
            secure=self._secure,
        )  # fmt: skip
        return answer

    def _log_out(self, session: str) -> Response:
        self._access.log_out(session)
        answer = RedirectResponse(LOGIN, 303)
        answer.delete_cookie(COOKIE)
        return answer


def _host_name(headers: Mapping[str, str]) -> str | None:
    try:
        return urlsplit(f"//{headers.get('host', '')}").hostname
    except ValueError:
        return None


def _address(request: Request) -> str:
    """Whose tries are counted together: one who has an IPv6 address has a whole /64 of them."""
    host = request.client.host if request.client else ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    return host if address.version == 4 else str(ipaddress.ip_network(f"{address}/64", False))


def _bearer(headers: Mapping[str, str]) -> str | None:
    scheme, _, secret = headers.get("authorization", "").partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else None


def _is_from_elsewhere(headers: Mapping[str, str]) -> bool:
    """A browser says where a request comes from; what says nothing is no browser, and has no
    cookie that its owner did not give it. Another port of this machine is elsewhere as well."""
    origin, site = headers.get("origin"), headers.get("sec-fetch-site", "none")
    if origin is not None and origin.partition("://")[2] != headers.get("host"):
        return True
    is_visit = headers.get("sec-fetch-mode") == "navigate" and origin is None
    return site not in ("same-origin", "none") and not is_visit


def _unknown(connection: HTTPConnection) -> Response:
    """To the log-in for a person, a plain refusal for a program."""
    if "text/html" in connection.headers.get("accept", ""):
        target = quote(f"/?{connection.url.query}", safe="")
        return RedirectResponse(f"{LOGIN}?next={target}", 303)
    told = "Log in, or send an API token: Authorization: Bearer TOKEN."
    return _refused(401, told, {"WWW-Authenticate": "Bearer"})


def _refused(status: int, told: str, headers: Mapping[str, str] | None = None) -> Response:
    return JSONResponse({"error": told}, status, headers)


def _login_page(
    target: str, told: str = "", status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    page = _PAGE.substitute(told=html.escape(told), next=quote(target, safe=""))
    return HTMLResponse(page, status, {"Cache-Control": "no-store", **(headers or {})})


def _next_page(target: str) -> str:
    """Only our own page: a log-in must not send anybody elsewhere."""
    return target if _NEXT.fullmatch(target) else "/"


async def _password(request: Request) -> str:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > LARGEST_LOGIN:
            return ""
    return parse_qs(body.decode("utf-8", "replace")).get("password", [""])[0]


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value
        await send(message)

    return sending
