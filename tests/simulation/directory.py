"""A DID directory that serves given documents: captured ones, or those of a simulated network."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from aiohttp import web


@dataclass
class Directory:
    """A read-only directory on loopback, which counts the requests per DID.

    It answers requests about the DIDs in ``failing`` with 503, and those about the DIDs in ``hanging`` only when it is
    closed.
    """

    documents: Mapping[str, Mapping[str, object]]
    url: str = ""
    asked: dict[str, int] = field(default_factory=dict)
    failing: set[str] = field(default_factory=set)
    hanging: set[str] = field(default_factory=set)
    _closing: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    _runner: web.AppRunner | None = field(default=None, repr=False)

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/{did}", self._document)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._closing.set()
        if self._runner:
            await self._runner.cleanup()

    async def _document(self, request: web.Request) -> web.Response:
        did = request.match_info["did"]
        self.asked[did] = self.asked.get(did, 0) + 1
        if did in self.hanging:
            await self._closing.wait()
        if did in self.failing:
            return web.json_response({"message": "The directory is overloaded."}, status=503)
        document = self.documents.get(did)
        if document is None:
            return web.json_response({"message": f"DID not registered: {did}"}, status=404)
        return web.json_response(document, content_type="application/did+ld+json")
