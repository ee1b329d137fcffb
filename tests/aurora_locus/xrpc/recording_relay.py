"""A relay that records crawl requests, and the settings of a PDS that sends them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from groundwork.http.server import serving

SYNC = "com.atproto.sync"
FEDERATED_SETTINGS = {
    "federation_enabled": True,
    "federation_firehose_enabled": True,
    "federation_crawl_enabled": True,
}


class RecordingRelay:
    """A relay that records crawl requests."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.looked_up: list[str] = []
        self.asked_once = asyncio.Event()
        self.url = ""
        # Its responses about single accounts; other accounts are unknown to it.
        self.says: dict[str, dict[str, Any]] = {}
        # The HTTP status of its responses about accounts that it has trouble with.
        self.fails: dict[str, int] = {}

    async def request_crawl(self, request: Request) -> JSONResponse:
        self.asked.append((await request.json())["hostname"])
        self.asked_once.set()
        return JSONResponse({})

    async def repo_status(self, request: Request) -> JSONResponse:
        did = request.query_params["did"]
        if did in self.fails:
            return JSONResponse({"error": "InternalServerError", "message": "Sorry"}, self.fails[did])
        if did not in self.says:
            return JSONResponse({"error": "RepoNotFound", "message": "Who?"}, 400)
        return JSONResponse({"did": did, **self.says[did]})

    async def status(self, request: Request) -> JSONResponse:
        self.looked_up.append(request.query_params["hostname"])
        status = {"hostname": request.query_params["hostname"], "seq": 3, "accountCount": 1, "status": "throttled"}
        return JSONResponse(status)


@asynccontextmanager
async def open_relay() -> AsyncIterator[RecordingRelay]:
    relay = RecordingRelay()
    routes = [
        Route(f"/xrpc/{SYNC}.requestCrawl", relay.request_crawl, methods=["POST"]),
        Route(f"/xrpc/{SYNC}.getHostStatus", relay.status),
        Route(f"/xrpc/{SYNC}.getRepoStatus", relay.repo_status),
    ]
    async with serving(Starlette(routes=routes)) as served:
        relay.url = served.url
        yield relay
