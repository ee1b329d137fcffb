"""Discovery of accounts with a calendar on a host: by collection if the host supports it, otherwise account by account."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from groundwork.errors import TooMany
from openmeet.network.ingestion import discover
from openmeet.network.ingestion.discover import SearchedHost
from openmeet.network.ingestion.server_budgets import unlimited
from openmeet.network.records.collections import EVENT, RSVP
from tests.openmeet.deployment import Deployment
from tests.openmeet.ingestion.network import did, event_value


async def at_once(_seconds: float) -> None:
    """Stand in for a sleep function and return at once."""


async def test_accounts_are_discovered_by_collection(deployment: Deployment, monkeypatch: pytest.MonkeyPatch):
    """A real PDS lists the accounts in pages, and no account has to be described."""
    await deployment.connected("cleo")
    app = await deployment.stranger("cleo")
    author = (await app.query("com.atproto.server.getSession"))["did"]
    wish = {"repo": author, "collection": EVENT, "record": event_value("Tea")}
    await app.procedure("com.atproto.repo.createRecord", wish)
    await deployment.account("dora")
    monkeypatch.setattr(discover, "HOST_PAGE", 1)
    looked_at: list[None] = []
    host = SearchedHost(deployment.network, deployment.pds_url, unlimited, at_once, lambda: looked_at.append(None))
    assert [one async for one in host.authors([EVENT])] == [author]
    assert [one async for one in host.authors([RSVP])] == []
    assert looked_at == []


class Plain:
    """A host without ``listReposByCollection``. ``status`` is its response to that call."""

    def __init__(self, status: int, accounts: int) -> None:
        self.status, self.accounts, self.asked = status, accounts, 0

    async def by_collection(self, _request: web.Request) -> web.Response:
        return web.json_response({"error": "MethodNotImplemented", "message": "no"}, status=self.status)

    async def repositories(self, request: web.Request) -> web.Response:
        start = int(request.query.get("cursor", 0))
        found = [{"did": did(start + n), "active": (start + n) % 7 != 6} for n in range(min(4, self.accounts - start))]
        following = {"cursor": str(start + 4)} if start + 4 < self.accounts else {}
        return web.json_response({"repos": [*found, {"did": "nobody"}], **following})

    async def describe(self, request: web.Request) -> web.Response:
        self.asked += 1
        number = next(n for n in range(self.accounts) if did(n) == request.query["repo"])
        if number % 5 == 4:
            return web.json_response({"error": "InvalidRequest", "message": "not now"}, status=400)
        return web.json_response({"collections": [EVENT] if number % 2 else ["app.bsky.feed.post"]})


@asynccontextmanager
async def serving(plain: Plain) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_get("/xrpc/com.atproto.sync.listReposByCollection", plain.by_collection)
    app.router.add_get("/xrpc/com.atproto.sync.listRepos", plain.repositories)
    app.router.add_get("/xrpc/com.atproto.repo.describeRepo", plain.describe)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.01)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("status", [400, 401, 404, 501])
async def test_accounts_are_discovered_one_by_one_otherwise(deployment: Deployment, status: int):
    """All active accounts are found on all pages. An account that cannot be described or has an invalid DID does not
    stop the rest.
    """
    plain = Plain(status, accounts=12)
    async with serving(plain) as url:
        found = [one async for one in SearchedHost(deployment.network, url, unlimited, at_once).authors([EVENT])]
    assert found == [did(n) for n in range(12) if n % 7 != 6 and n % 5 != 4 and n % 2]
    assert plain.asked == 11


async def test_discovery_respects_the_hosts_budget(deployment: Deployment):
    """When the budget is used up the next call waits, and no account is left out."""
    waited: list[float] = []
    left = [3]

    async def spend(_host: str) -> None:
        if not left[0]:
            raise TooMany("enough", after_seconds=20.0)
        left[0] -= 1

    async def wait(seconds: float) -> None:
        waited.append(seconds)
        left[0] = 3

    async with serving(Plain(501, accounts=8)) as url:
        found = [one async for one in SearchedHost(deployment.network, url, spend, wait).authors([EVENT])]
    assert found == [did(n) for n in range(8) if n % 7 != 6 and n % 5 != 4 and n % 2]
    assert waited == [20.0] * 3
