"""A worker in its own process: opens the database, waits for the start signal, and makes one request for a DID.

    python -m tests.openmeet.identities.refresher DATABASE SCHEMA PLC NOW DID FAULT

``FAULT`` is ``none`` or ``dies``. With ``dies`` the process ends, as by ``kill -9``, when its server has responded and
nothing is stored yet. ``NOW`` is an instant or ``real``. The worker prints ``ready``, reads one line, and prints the
DID or the kind of the failure after the word ``said``.
"""

import asyncio
import os
import sys

from at_network.did_resolver import DidResolver, DidSettings
from at_network.handle_resolver import HandleResolver, HandleSettings
from at_network.oauth_servers import OAuthServers
from groundwork.cache.in_process import InProcessCache
from groundwork.clock import Clock, HandClock, Instant, SystemClock
from groundwork.database.open_ import open_database
from groundwork.errors import Failure
from groundwork.http.client import HttpClient
from groundwork.http.reach import DEVELOPMENT
from groundwork.sealing import Sealer
from openmeet.domain.identities import queries, session_queries
from openmeet.network.repositories import agents
from openmeet.network.repositories.clients import NetworkClients
from tests.worker_pool import POOL


async def main(database: str, schema: str, plc: str, now: str, did: str, fault: str) -> None:
    clock: Clock = SystemClock() if now == "real" else HandClock(Instant(int(now)))
    db = await open_database(database, schema=schema, clock=clock)
    http = HttpClient(DEVELOPMENT)
    dids = DidResolver(http, clock, DidSettings(plc, is_development=True))
    handles = HandleResolver(http, dids, clock, HandleSettings(is_development=True))
    servers = OAuthServers(http, clock, is_development=True)
    network = NetworkClients(http, clock, dids, handles, Sealer([bytes(32)]), servers, InProcessCache(clock), POOL)
    if fault == "dies":

        async def die(*_args: object, **_more: object) -> bool:
            os._exit(9)

        session_queries.replace = die  # type: ignore[assignment]
    async with db.reader() as reader:
        identity = await queries.find(reader, did)
    assert identity is not None
    print("said ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    try:
        agent = await agents.agent_for(db, network, identity)
        print("said", (await agent.query("com.atproto.server.getSession"))["did"], flush=True)
    except Failure as failure:
        print("said", type(failure).__name__, failure.name, flush=True)
    await network.wait_for_refreshes()
    for part in (servers, handles, dids, http, db):
        await part.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
