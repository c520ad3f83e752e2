"""What stands before the servers: own names only; before the page's, known paths only, not too much and too often.

gradio brings routes this page has no use for: files by path, a proxy, uploads to disk, monitoring. None answers.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from mcp.server.transport_security import RequestBodyLimitMiddleware
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fashionm3.rate import RateLimit
from fashionm3.session import FILE_BYTES
from fashionm3.uploads import MAX_BYTES, too_large_remedy

UPLOAD = "/picture/mine"
RATE, BURST = 40.0, 200  # requests of one client a second, and at once; a whole office may sit behind one address
UPLOAD_RATE, UPLOAD_BURST = 1.0, 20  # pictures of one client, as each is held in memory while it arrives

_OPEN = {
    "GET": re.compile(
        r"/|/(assets|static|svelte)/.*|/theme\.css|/favicon\.ico|/manifest\.json|/config|/robots\.txt"
        r"|/talk\.json|/picture/item|/picture/made/[\w-]{20,}"
        r"|/gradio_api/(info|startup-events|queue/data|heartbeat/\w+|call/\w+/\w+|app_id)"
    ),
    "POST": re.compile(rf"/gradio_api/(queue/join|call/\w+|cancel|reset)|{UPLOAD}"),
}
# All the page needs comes from where it came from; gradio builds its components with `Function`.
POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; "
    "script-src 'self' 'unsafe-inline' 'unsafe-eval'; connect-src 'self'; font-src 'self' data:; object-src 'none'; "
    "base-uri 'self'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


class OwnNames:
    """ASGI middleware: who calls this server by a name that is not its own gets nothing, nor does a page of another's.

    A web page can point its own name at any address and then read what is served there (DNS rebinding). Addresses and
    "localhost" cannot be pointed elsewhere, so they are always answered; other names where they are among `names`.
    """

    def __init__(self, app: ASGIApp, names: Iterable[str] = ()):
        self._app = app
        self.names = frozenset(map(str.lower, names))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refusal(Headers(scope=scope)) if scope["type"] == "http" else None
        return await (self._app if refusal is None else refusal)(scope, receive, send)

    def _refusal(self, headers: Headers) -> PlainTextResponse | None:
        host, origin = _name(headers.get("host", "")), headers.get("origin")
        if not (host == "localhost" or host in self.names or _is_address(host)):
            remedy = "start it with --allow-host and that name if it is its own"
            return PlainTextResponse(f"This server does not answer for {host[:80]!r}; {remedy}.", 421)
        if origin is not None and _name(urlsplit(origin).netloc) not in (host, *self.names):
            return PlainTextResponse("Another page may not ask here.", 403)
        return None


class Gate:
    """ASGI middleware of the page: its known paths and its own scripts alone, not too much and not too often."""

    def __init__(self, app: ASGIApp, limit: RateLimit | None = None):
        self.limit = RateLimit(RATE, BURST) if limit is None else limit  # an unused one counts as false
        self.uploads = RateLimit(UPLOAD_RATE, UPLOAD_BURST)
        self._app = app
        self._small = RequestBodyLimitMiddleware(app, FILE_BYTES + 2**16)
        self._upload = RequestBodyLimitMiddleware(app, MAX_BYTES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self._app(scope, receive, send)
        if scope["type"] != "http":  # no web sockets here
            return None

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", []), *_HEADERS]}
            await send(message)

        refusal = self._refusal(Request(scope))
        if refusal is not None:
            return await refusal(scope, receive, guarded)
        if scope["path"] == UPLOAD:
            declared = Headers(scope=scope).get("content-length", "")
            if declared.isdigit() and int(declared) > MAX_BYTES:
                large = f"The file is too large ({int(declared) / 2**20:.1f} MB); {too_large_remedy()}."
                return await PlainTextResponse(large, 413)(scope, receive, guarded)
            return await self._upload(scope, receive, guarded)
        return await self._small(scope, receive, guarded)

    def _refusal(self, request: Request) -> PlainTextResponse | None:
        method = "GET" if request.method == "HEAD" else request.method
        known = _OPEN.get(method)
        if known is None or not known.fullmatch(request.scope["path"]):
            return PlainTextResponse("There is nothing here.", 404)
        origin = request.headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
            return PlainTextResponse("Another page may not ask here.", 403)
        if method == "POST":
            limit = self.uploads if request.scope["path"] == UPLOAD else self.limit
            wait = limit.wait(request.client.host if request.client else "")
            if wait:
                seconds = str(int(wait) + 1)
                slow = f"Too many requests; try again in {seconds} s."
                return PlainTextResponse(slow, 429, headers={"retry-after": seconds})
        return None


def _name(host: str) -> str:
    """A Host header without its port."""
    return re.sub(r":\d+$", "", host.strip().lower())


def _is_address(host: str) -> bool:
    try:
        return bool(ipaddress.ip_address(host[1:-1] if host.startswith("[") and host.endswith("]") else host))
    except ValueError:
        return False
