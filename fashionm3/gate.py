"""What stands before the page's server: known paths only, for this host only, not too much and not too often.

gradio brings routes this page has no use for: files by path, a proxy, uploads to disk, monitoring. None answers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from mcp.server.transport_security import RequestBodyLimitMiddleware
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fashionm3.rate import RateLimit
from fashionm3.session import FILE_BYTES
from fashionm3.uploads import MAX_BYTES, too_large_remedy

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
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


class Gate:
    """ASGI middleware. hosts: names this server is called by, without port; any where empty."""

    def __init__(self, app: ASGIApp, hosts: Sequence[str] = LOOPBACK, limit: RateLimit | None = None):
        self.hosts = frozenset(hosts)
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
        host = _name(request.headers.get("host", ""))
        if self.hosts and host not in self.hosts:
            return PlainTextResponse(f"This server does not answer for {host[:80]!r}.", 421)
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
