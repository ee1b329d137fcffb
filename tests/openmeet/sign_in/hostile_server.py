"""A hostile authorization server (and PDS) that sends the responses that a test wants and stores the requests."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, Router

from at_protocol.oauth.server_metadata import RESOURCE_PATH, SERVER_PATH, describe_resource, describe_server
from groundwork.http.server import serving


@dataclass
class Hostile:
    """``subject`` is the account that its tokens claim to be for, and ``status`` the status of its token endpoint.

    ``leaves_out`` is a field that its metadata omits.
    """

    url: str = ""
    subject: str = ""
    status: int = 200
    server: dict[str, object] = field(default_factory=dict)
    resource: dict[str, object] = field(default_factory=dict)
    leaves_out: str = ""
    asked: int = 0
    sent: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    @property
    def state(self) -> str:
        """The state of the newest pushed authorization request."""
        return next(form["state"] for path, form in reversed(self.sent) if path == "/oauth/par")

    def tokens_sent(self) -> list[str]:
        """All tokens that were sent back to this server."""
        return [form[name] for _, form in self.sent for name in ("refresh_token", "token") if name in form]

    async def tell_resource(self, _request: Request) -> Response:
        self.asked += 1
        return JSONResponse({**describe_resource(self.url, self.url), **self.resource})

    async def tell_server(self, _request: Request) -> Response:
        self.asked += 1
        said = {**describe_server(self.url, self.url), **self.server}
        said.pop(self.leaves_out, None)
        return JSONResponse(said)

    async def take(self, request: Request) -> Response:
        form = {name: str(value) for name, value in (await request.form()).items()}
        self.sent.append((request.url.path, form))
        match request.url.path:
            case "/oauth/par":
                return JSONResponse({"request_uri": "urn:x", "expires_in": 300}, 201)
            case "/oauth/token" if self.status != 200:
                return JSONResponse({"error": "server_error"}, self.status)
            case "/oauth/token":
                return JSONResponse(
                    {
                        "access_token": f"access-{len(self.sent)}",
                        "refresh_token": f"refresh-{len(self.sent)}",
                        "token_type": "DPoP",
                        "expires_in": 900,
                        "scope": "atproto",
                        "sub": self.subject,
                    }
                )
            case _:
                return JSONResponse({})


@asynccontextmanager
async def hostile_server() -> AsyncIterator[Hostile]:
    hostile = Hostile()
    paths = [Route(RESOURCE_PATH, hostile.tell_resource), Route(SERVER_PATH, hostile.tell_server)]
    taken = [Route(f"/oauth/{name}", hostile.take, methods=["POST"]) for name in ("par", "token", "revoke")]
    async with serving(Router([*paths, *taken])) as served:
        hostile.url = served.url
        yield hostile
