"""Read repositories from another PDS: those of a thousand unknown people, a few at a time, and that of somebody who
signs in.

The PDS is a separate process on this machine. The benchmark measures the worker that delivers the jobs: from the row
for a repository that has to be read until everything in it is in the database and the row is delivered.
"""

import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from time import perf_counter, process_time
from typing import Final

from aiohttp import web

from at_network.did_resolver import DidResolver, DidSettings
from at_network.handle_resolver import HandleResolver, HandleSettings
from at_network.oauth_servers import OAuthServers
from at_protocol.crypto.did_key import format_multikey
from at_protocol.lexicon.catalog import Catalog
from at_protocol.syntax.nsid import Nsid
from at_protocol.syntax.tid import from_microseconds
from aurora_locus.accounts.registry import Registry
from aurora_locus.repository.commit import commit
from aurora_locus.repository.model import WriteAction
from aurora_locus.repository.prepare import prepare_record
from groundwork.cache.in_process import InProcessCache
from groundwork.clock import SystemClock
from groundwork.database.transaction import Database
from groundwork.http.client import HttpClient
from groundwork.http.reach import DEVELOPMENT
from groundwork.outbox import dispatcher
from groundwork.outbox.delivery import one_job_per_call
from groundwork.outbox.jobs import enqueue_many
from groundwork.sealing import Sealer
from openmeet.domain.identities import actions as identities
from openmeet.domain.identities import backfill_progress
from openmeet.network.ingestion.backfill import AT_A_TIME, backfill_handler
from openmeet.network.ingestion.context import IngestionContext
from openmeet.network.repositories.clients import NetworkClients
from openmeet.outbox.kinds import JobKind
from tests.bench.captured import EVENT
from tests.bench.figure import Figure, check
from tests.bench.loop import run
from tests.bench.pds import Account, Pds, make_accounts
from tests.bench.stores import on_postgresql, on_sqlite
from tests.bench.timing import progress
from tests.external_dependencies import is_available
from tests.simulation.processes import free_port
from tests.worker_pool import POOL

STRANGERS: Final = 1_000
RECORDS_EACH: Final = 20
OWN_EVENTS: Final = 500
# The time in the first record key, 2026-03-01T12:00Z.
FIRST_KEY_US: Final = 1_772_366_400_000_000
RSVP: Final = "community.lexicon.calendar.rsvp"
HERE: Final = IngestionContext("https://meet.example")


def measure() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory(prefix="openmeet-bench-") as folder:
        # If asked which collections a repository has, the PDS also returns its DID document.
        directory_port = free_port()
        pds = Pds(Path(folder), directory=f"http://127.0.0.1:{directory_port}")
        progress(f"committing {RECORDS_EACH} records each to {STRANGERS:,} repositories")
        accounts = pds.fill(_fill)
        with pds.running() as server:
            yield from _figures("SQLite", run(_read_in(on_sqlite(), server.url, directory_port, accounts)))
            if is_available("postgresql"):
                store = on_postgresql("bench_repositories")
                yield from _figures("PostgreSQL", run(_read_in(store, server.url, directory_port, accounts)))


def _figures(engine: str, found: tuple[float, float, float]) -> Iterator[Figure]:
    seconds, busy, own = found
    name = f"{STRANGERS:,} repositories of {RECORDS_EACH} records read in, {engine}"
    note = f"{busy / (STRANGERS * RECORDS_EACH) * 1000:.2f} ms of our processor time for a record"
    yield Figure(name, seconds, "s", 60, less_is_better=True, note=note)
    yield Figure(f"{OWN_EVENTS} events of a person who signs in, {engine}", own, "s", 5, less_is_better=True)


async def _fill(registry: Registry) -> list[Account]:
    """Create unknown people with a number of events each, and as many answers to the events of the previous person;
    then one person with many events.
    """
    accounts = await make_accounts(registry, STRANGERS + 1)
    catalog, repositories = Catalog(), registry.repositories

    async def put(account: Account, collection: str, values: Sequence[dict[str, object]], keys: Sequence[str]) -> None:
        writes = [
            prepare_record(
                catalog,
                WriteAction.CREATE,
                Nsid(collection),
                key,
                value,
                validate=None,
                fresh_key=repositories.fresh_record_key(),  # type: ignore[arg-type]
            )
            for key, value in zip(keys, values, strict=True)
        ]
        await commit(repositories, account.did, writes)

    names = [from_microseconds(FIRST_KEY_US + number, 1) for number in range(OWN_EVENTS)]
    for number, account in enumerate(accounts[:-1]):
        before = accounts[number - 1 if number else STRANGERS - 1]
        events = [{**EVENT, "name": f"Board games {number} {place}"} for place in range(RECORDS_EACH // 2)]
        about = [f"at://{before.did}/{EVENT['$type']}/{name}" for name in names[: RECORDS_EACH // 2]]
        cid = "bafyreieovfuizojpw3zresz7sx3nk4trm2by23pt5rxbey3jme4uo5ogiu"
        answers = [
            {
                "$type": RSVP,
                "subject": {"uri": uri, "cid": cid},
                "status": f"{RSVP}#going",
                "createdAt": EVENT["createdAt"],
            }
            for uri in about
        ]
        await put(account, str(EVENT["$type"]), events, names[: len(events)])
        await put(account, RSVP, answers, names[: len(answers)])
    for start in range(0, OWN_EVENTS, 100):
        some = [{**EVENT, "name": f"An evening {number}"} for number in range(start, start + 100)]
        await put(accounts[-1], str(EVENT["$type"]), some, names[start : start + 100])
    return accounts


async def _read_in(
    store: AbstractAsyncContextManager[Database], pds_url: str, directory_port: int, accounts: Sequence[Account]
) -> tuple[float, float, float]:
    """Seconds and processor seconds for the unknown people, and seconds for the person who signs in."""
    async with store as db, _network(pds_url, directory_port, accounts) as network:
        # As in the publisher.
        handlers = {
            JobKind.BACKFILL: one_job_per_call(
                backfill_handler(db, network, HERE), jobs_per_lease=AT_A_TIME, lease_seconds=1800.0
            )
        }
        progress("reading the unknown people's repositories")
        async with db.transaction() as tx:
            await enqueue_many(tx, JobKind.BACKFILL, [(one.did, 1, tx.now) for one in accounts[:-1]])
        begun, busy = perf_counter(), process_time()
        while await dispatcher.run_once(db, handlers):
            pass
        seconds, busy = perf_counter() - begun, process_time() - busy
        progress("somebody signs in")
        own = accounts[-1]
        async with db.transaction() as tx:
            await identities.connect(tx, own.did, handle="ana.test", pds_url=pds_url)
            await backfill_progress.track(tx, own.did)
            await enqueue_many(tx, JobKind.BACKFILL, [(own.did, 1, tx.now)])
        begun = perf_counter()
        while await dispatcher.run_once(db, handlers):
            pass
        taken = perf_counter() - begun
        async with db.reader() as reader:
            events = (await reader.fetch("select count(*) from events"))[0][0]
            answers = (await reader.fetch("select count(*) from attendances"))[0][0]
        wanted = (STRANGERS * RECORDS_EACH // 2 + OWN_EVENTS, STRANGERS * RECORDS_EACH // 2)
        check((events, answers) == wanted, f"{events} events and {answers} answers instead of {wanted}")
        return seconds, busy, taken


@asynccontextmanager
async def _network(pds_url: str, directory_port: int, accounts: Sequence[Account]) -> AsyncIterator[NetworkClients]:
    """The services that reading needs, with a directory that names this PDS for each of the accounts."""
    keys = {account.did: format_multikey(account.key.public) for account in accounts}

    async def document(request: web.Request) -> web.Response:
        did = request.match_info["did"]
        return web.json_response(
            {
                "id": did,
                "verificationMethod": [
                    {"id": f"{did}#atproto", "type": "Multikey", "controller": did, "publicKeyMultibase": keys[did]}  # type: ignore[index]
                ],
                "service": [{"id": "#atproto_pds", "type": "AtprotoPersonalDataServer", "serviceEndpoint": pds_url}],
            }
        )

    async with AsyncExitStack() as stack:
        app = web.Application()
        app.router.add_get("/{did}", document)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", directory_port).start()
        directory = f"http://127.0.0.1:{directory_port}"
        clock, http = SystemClock(), HttpClient(DEVELOPMENT)
        stack.push_async_callback(http.close)
        dids = DidResolver(http, clock, DidSettings(directory, is_development=True))
        stack.push_async_callback(dids.close)
        handles = HandleResolver(http, dids, clock, HandleSettings(is_development=True, through_pds=(pds_url,)))
        stack.push_async_callback(handles.close)
        servers = OAuthServers(http, clock, is_development=True)
        stack.push_async_callback(servers.close)
        network = NetworkClients(http, clock, dids, handles, Sealer([bytes(32)]), servers, InProcessCache(clock), POOL)
        stack.push_async_callback(network.wait_for_refreshes)
        yield network
