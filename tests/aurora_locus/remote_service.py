"""Another server on loopback with a did:web of its own. It records requests and answers as the test sets it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from at_protocol.crypto import jwt
from groundwork.http.server import serving

Answering = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True)
class Asked:
    """One request as it arrived."""

    method: str
    nsid: str
    query: str
    headers: dict[str, str]
    body: bytes

    @property
    def claims(self) -> Any:
        """The claims of the service token, which must be present."""
        scheme, _, token = self.headers["authorization"].partition(" ")
        assert scheme == "Bearer"
        return jwt.read(token).claims


@dataclass
class RemoteService:
    """The service; ``services`` are the names under which its DID document lists its URL."""

    services: tuple[str, ...] = ("bsky_appview", "notes")
    url: str = ""
    endpoint: str = ""
    asked: list[Asked] = field(default_factory=list)
    # How often its DID document was requested.
    resolved: int = 0
    answers: dict[str, Answering] = field(default_factory=dict)

    @property
    def did(self) -> str:
        return f"did:web:localhost%3A{self.url.rsplit(':', 1)[1]}"

    def answer(self, nsid: str, body: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        async def answering(_request: Request) -> Response:
            return JSONResponse(body, status, headers)

        self.answers[nsid] = answering

    async def _document(self, _request: Request) -> Response:
        self.resolved += 1
        services = [
            {"id": f"#{name}", "type": "Service", "serviceEndpoint": self.endpoint or self.url}
            for name in self.services
        ]
        return JSONResponse({"id": self.did, "service": services})

    async def _method(self, request: Request) -> Response:
        nsid = request.path_params["nsid"]
        self.asked.append(Asked(request.method, nsid, request.url.query, dict(request.headers), await request.body()))
        answering = self.answers.get(nsid)
        if answering is None:
            return JSONResponse({"error": "MethodNotImplemented", "message": "no such method"}, 501)
        return await answering(request)


@asynccontextmanager
async def open_remote_service(**about: Any) -> AsyncIterator[RemoteService]:
    """Serve inside the block."""
    stranger = RemoteService(**about)
    app = Starlette(
        routes=[
            Route("/.well-known/did.json", stranger._document),
            Route("/xrpc/{nsid}", stranger._method, methods=["GET", "POST", "HEAD"]),
        ]
    )
    async with serving(app) as served:
        stranger.url = served.url
        yield stranger
