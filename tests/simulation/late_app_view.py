"""A small app view that is always behind: it reads a PDS, except for what was written recently.

It gets its answers from the PDS's own methods, as an index would, and reports in ``atproto-repo-rev`` how far it has
read.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from at_protocol.crypto import jwt
from at_protocol.syntax import tid
from at_protocol.syntax.datetime import format_datetime
from groundwork.clock import SECOND, Clock
from groundwork.http.server import serving
from tests.plain_http import NO_TLS

POST = "app.bsky.feed.post"


@dataclass
class LateAppView:
    """An app view ``lag_seconds`` behind the PDS at ``pds_url``. ``callers``: the accounts of the tokens that it has
    received.
    """

    clock: Clock
    lag_seconds: int
    did: str = "did:web:view.example.org"
    url: str = ""
    pds_url: str = ""
    callers: list[str] = field(default_factory=list)

    @property
    def read_until(self) -> str:
        """Everything before this TID has been read."""
        return tid.from_microseconds(self.clock.now() - self.lag_seconds * SECOND, 0)

    async def _posts(self, did: str) -> list[dict[str, Any]]:
        async with httpx.AsyncClient(verify=NO_TLS, base_url=self.pds_url, trust_env=False) as http:
            answer = await http.get("/xrpc/com.atproto.repo.listRecords", params={"repo": did, "collection": POST})
        shown = []
        for record in answer.json()["records"]:
            key = tid.parse_tid(record["uri"].rsplit("/", 1)[1])
            if key < self.read_until:
                at = format_datetime(tid.to_microseconds(key))
                shown.append(
                    {
                        "uri": record["uri"],
                        "cid": record["cid"],
                        "record": record["value"],
                        "author": {"did": did, "handle": "handle.invalid"},
                        "indexedAt": at,
                    }
                )
        return shown

    async def _answer(self, request: Request) -> Response:
        claims = jwt.read(request.headers["authorization"].removeprefix("Bearer ")).claims
        nsid = request.path_params["nsid"]
        assert (claims["aud"], claims["lxm"]) == (self.did, nsid)
        did = str(claims["iss"])
        self.callers.append(did)
        headers = {"atproto-repo-rev": self.read_until}
        match nsid:
            case "app.bsky.feed.getAuthorFeed" | "app.bsky.feed.getTimeline":
                return JSONResponse({"feed": [{"post": post} for post in await self._posts(did)]}, headers=headers)
            case "app.bsky.actor.getProfile":
                view = {"did": did, "handle": "handle.invalid", "followersCount": 7}
                return JSONResponse(view, headers=headers)
            case "app.bsky.feed.getPostThread":
                uri = request.query_params["uri"]
                found = [post for post in await self._posts(did) if post["uri"] == uri]
                if not found:
                    return JSONResponse({"error": "NotFound", "message": "Post not found"}, 400, headers)
                thread = {"$type": "app.bsky.feed.defs#threadViewPost", "post": found[0], "replies": []}
                return JSONResponse({"thread": thread}, headers=headers)
            case _:
                return JSONResponse({"error": "MethodNotImplemented", "message": "not here"}, 501, headers)


@asynccontextmanager
async def open_late_app_view(clock: Clock, lag_seconds: int) -> AsyncIterator[LateAppView]:
    """Serve for the duration of the block. Set ``pds_url`` before the first request."""
    view = LateAppView(clock, lag_seconds)
    async with serving(Starlette(routes=[Route("/xrpc/{nsid}", view._answer, methods=["GET", "POST"])])) as served:
        view.url = served.url
        yield view
