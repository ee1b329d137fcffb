"""Requests to the repository through the proxy, which records them and loses responses."""

import asyncio
import json

from aiohttp import web

from openmeet.domain.users.model import Caller
from openmeet.network.records.collections import EVENT
from tests.openmeet.deployment import Deployment, records_listed


class RequestWatch:
    """Records the requests that change the repository, in order. Loses the response to the n-th request, and kills the
    publisher that waits for it.
    """

    def __init__(self) -> None:
        self.writes: list[str] = []
        self.left: int | None = None
        self.victim: asyncio.Task[int] | None = None
        self.refuses = False

    def loses(self, request: web.Request) -> bool:
        method = request.path.rpartition(".")[2]
        if method in {"applyWrites", "putRecord", "deleteRecord"}:
            self.writes.append(method)
        # If the response to a refresh is lost for longer than the server's grace period, the session ends and the
        # person has to sign in again.
        if self.left is None or method == "refreshSession":
            return False
        self.left -= 1
        if self.left > 0:
            return False
        self.left = None
        if self.victim is not None:
            self.victim.cancel()
        return True

    def twists(self, request: web.Request, _answer: web.Response) -> web.Response | None:
        if not (self.refuses and request.path.endswith("applyWrites")):
            return None
        body = {"error": "InvalidRequest", "message": "not together"}
        return web.Response(status=400, body=json.dumps(body).encode(), content_type="application/json")


async def watch_requests(deployment: Deployment) -> RequestWatch:
    """Connect to the repository through the proxy, so that responses can be lost and counted."""
    async with deployment.db.transaction() as tx:
        await tx.execute("update repository_sessions set pds_url = :url", url=deployment.proxy.url)
    watch = RequestWatch()
    deployment.proxy.loses, deployment.proxy.twists = watch.loses, watch.twists
    return watch


async def event_names_of(deployment: Deployment, cleo: Caller) -> list[str]:
    """The names in all event records of Cleo's repository."""
    app = await deployment.stranger("cleo")
    did = (await deployment.identity(cleo.user_id)).did
    listed = await app.query("com.atproto.repo.listRecords", {"repo": did, "collection": EVENT, "limit": 100})
    return sorted(one["value"]["name"] for one in records_listed(listed))
