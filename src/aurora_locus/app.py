"""Composition root of Aurora Locus: opens everything from the settings and closes it in reverse order."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from starlette.routing import Mount, Route, WebSocketRoute

from at_network.did_resolver import DidResolver, DidSettings
from at_network.handle_resolver import HandleResolver, HandleSettings
from at_network.lexicon_resolver import LexiconResolver
from at_network.plc_client import PlcClient
from at_network.service_callers import ServiceCallers
from at_protocol.crypto.k256 import K256PrivateKey
from at_protocol.failures import Malformed
from at_protocol.identity.did_document import PDS_SERVICE
from at_protocol.lexicon.catalog import Catalog
from at_protocol.syntax.did import Did
from aurora_locus import pages, well_known
from aurora_locus.account_migration.actions import MigrationContext
from aurora_locus.account_migration.handler import move_handler
from aurora_locus.accounts.credentials import CredentialReader
from aurora_locus.accounts.emails import email_handler, mailer_of
from aurora_locus.accounts.opening import open_registry
from aurora_locus.accounts.registry import Registry
from aurora_locus.administration import federation_status
from aurora_locus.administration.console import AdminConsole
from aurora_locus.administration.figures import BlobFigures
from aurora_locus.blobs.place import open_store
from aurora_locus.federation.crawl_requests import CrawlRequests, over_http
from aurora_locus.federation.jetstream import PATH as JETSTREAM
from aurora_locus.federation.jetstream import Jetstream
from aurora_locus.federation.monitor import FederationGauges, watch
from aurora_locus.federation.opening import open_proxying
from aurora_locus.federation.relay_accounts import AccountGauges, keep_asking
from aurora_locus.federation.status import subscribers_and_relays
from aurora_locus.federation.stream_slots import StreamSlots
from aurora_locus.federation.taken_down import TakenDown
from aurora_locus.i18n.language import by_request
from aurora_locus.i18n.sentences import explain
from aurora_locus.identity import plc_updates
from aurora_locus.identity.network import IdentityResolver
from aurora_locus.jobs import PdsJobKind
from aurora_locus.keys import server_keys
from aurora_locus.maintenance.schedule import before_migrating, keep_backups
from aurora_locus.maintenance.schedule import gauges as backup_gauges
from aurora_locus.moderation.labels import Labels
from aurora_locus.moderation.notices import notice_handler
from aurora_locus.oauth.callers import AppCallers
from aurora_locus.oauth.clients import over_http as over_guarded_http
from aurora_locus.oauth.opening import open_authorization
from aurora_locus.oauth.refusals import render_oauth
from aurora_locus.oauth.routes import FOR_APPS
from aurora_locus.oauth.routes import routes as oauth_routes
from aurora_locus.oauth.server import AuthorizationServer
from aurora_locus.repository.type_resolver import TypeResolver
from aurora_locus.scheduled import run_housekeeping, run_identity_repairs
from aurora_locus.sequencer.live import LiveEvents
from aurora_locus.sequencer.wakeup import run_wakeup
from aurora_locus.settings import PdsSettings
from aurora_locus.site.faults import pages_or
from aurora_locus.xrpc.callers import authenticator
from aurora_locus.xrpc.dispatch import dispatcher
from aurora_locus.xrpc.gate_opening import counters_of, gate_of
from aurora_locus.xrpc.host import XrpcHost
from aurora_locus.xrpc.table import table
from groundwork.blobstore.contract import BlobStore, try_writing
from groundwork.cache.in_process import InProcessCache
from groundwork.clock import Clock
from groundwork.database.durable_write import write_durably
from groundwork.database.migrate import migrate
from groundwork.database.open_ import open_database
from groundwork.database.transaction import Database
from groundwork.errors import Failure, InvalidInput
from groundwork.http.application import Application
from groundwork.http.client import HttpClient
from groundwork.http.cors import XRPC_EXPOSED, Cors
from groundwork.http.faults import by_path, render_problem, render_xrpc
from groundwork.http.operations import operations_routes
from groundwork.http.reach import DEVELOPMENT
from groundwork.mail.contract import Mailer
from groundwork.outbox import dispatcher as job_dispatcher
from groundwork.outbox.delivery import JobDelivery, one_by_one
from groundwork.outbox.wakeup import new_wakeup
from groundwork.sealing import Sealer
from groundwork.settings import SettingsRefused
from groundwork.telemetry.logs import log
from groundwork.telemetry.metrics import Metrics
from groundwork.telemetry.probes import Probe, Probes, probing
from groundwork.workers.pool import PoolLimits, WorkerPool

# This process wakes the dispatcher for its own jobs. Polling finds retries and the jobs of other processes.
JOBS_IDLE_SECONDS = 5.0
# Longer than a normal exchange with a mail server.
JOBS_PATIENCE_SECONDS = 5.0
# Longer than a normal migration step, because a whole repository is sent in one step.
MOVE_LEASE_SECONDS = 900.0
BLOBS_TRIED_EVERY_SECONDS = 30.0

# Each import sets its own limits by the size of its file. The CPU quota, per ten minutes, is an estimate: enough for a
# few of the largest repositories.
WORKER_LIMITS = PoolLimits(processes=2, queue=12, cpu_seconds_per_person=120.0)
_DATABASE = "database"


@dataclass(frozen=True, slots=True)
class AuroraLocus:
    """A running PDS: the ASGI application, and other objects that its program needs."""

    app: Application
    registry: Registry
    live: LiveEvents
    metrics: Metrics
    authorization: AuthorizationServer
    labels: Labels


@asynccontextmanager
async def open_server(
    settings: PdsSettings, clock: Clock, *, version: str, access_log: bool = True
) -> AsyncIterator[AuroraLocus]:
    """Migrate the database, open everything, repair what a crash left, and serve until the block ends. Raises
    ``SettingsRefused`` and database errors.
    """
    async with AsyncExitStack() as stack:
        await before_migrating(settings, partial(open_store, settings), clock, version=version)
        await migrate(settings.database, "aurora_locus", "aurora_locus")
        db = await open_database(
            settings.database, schema="aurora_locus", clock=clock, connections=settings.database_connections
        )
        stack.push_async_callback(db.close)
        sealer = Sealer(_sealing_keys(settings))
        network = _open_network(settings, clock, version, stack)
        registry = await stack.enter_async_context(
            open_registry(
                settings,
                db,
                clock,
                sealer,
                counters_of(settings),
                directory=PlcClient(network.chosen_http, settings.did_plc_url),
                network=network.identities,
            )
        )
        credentials = CredentialReader(
            registry.repositories,
            registry.tokens,
            settings.admin_password,
            clock,
            registry.counters,
            registry.guessing,
            peer_key=settings.rate_limit_bypass_key,
        )
        services = ServiceCallers(
            audiences=(settings.did, f"{settings.did}#{PDS_SERVICE}"),
            resolve=network.dids.resolve,
            refresh=network.dids.refresh,
            seen=InProcessCache(clock),
            clock=clock,
        )
        catalog = Catalog()
        authorization = await stack.enter_async_context(
            open_authorization(
                settings, registry, sealer, over_guarded_http(network.http), catalog, network.lexicons.document
            )
        )
        apps = AppCallers(authorization)
        authenticate = authenticator(credentials, services, settings.mod_service_did, apps)
        metrics = Metrics("aurora_locus")
        live = registry.repositories.live
        _measure(metrics, live)
        crawling = _crawling(settings, network.http, clock, live, metrics)
        workers = WorkerPool(WORKER_LIMITS, metrics)
        stack.push_async_callback(workers.close)
        proxying = await stack.enter_async_context(
            open_proxying(
                settings, network.dids.resolve, registry.repositories.keys, clock, user_agent=f"aurora-locus/{version}"
            )
        )
        type_resolver = (
            TypeResolver(catalog, network.lexicons.document) if settings.lexicon_resolution_enabled else None
        )
        gate = gate_of(settings, registry.counters, clock)
        stack.push_async_callback(registry.counters.close)
        host = XrpcHost(
            settings,
            db,
            clock,
            catalog,
            registry.repositories,
            authenticate,
            network.identities,
            crawling,
            # No limit in development and when rate limits are off, because all requests may then come from one address.
            StreamSlots(is_limited=settings.counts_requests and not settings.has_wide_limits),
            workers,
            proxying,
            authorization.nonces.newest,
            gate=gate,
            lexicons=network.lexicons,
            type_resolver=type_resolver,
        )
        federation = partial(
            subscribers_and_relays,
            db,
            live,
            clock,
            network.http,
            crawling,
            is_federated=settings.federation_enabled,
            is_automatic=settings.announces_itself,
        )
        site = await pages.open_pages(settings, db, sealer)
        operators = [
            *oauth_routes(authorization),
            *federation_status.routes(credentials, federation),
            *pages.routes(site, settings),
        ]
        label_key = K256PrivateKey.from_bytes(await server_keys.find_or_make(db, sealer, server_keys.LABELS))
        labels = Labels(db, Did(settings.did), label_key)
        probes = await stack.enter_async_context(probing(_probes(db, registry.repositories.blobs.store), metrics))
        app = _application(host, registry, labels, metrics, version, operators, probes, access_log=access_log)

        pages.attach(app, site, registry)
        app.state.authorization = authorization
        app.state.streams = host.streams
        app.state.look_up_both_ways = network.handles.look_up_both_ways
        app.state.console = AdminConsole(
            settings, registry, labels, crawling, federation, BlobFigures(registry), version, clock.now()
        )

        deliveries: dict[str, JobDelivery] = {}
        mailer = mailer_of(settings, clock)
        if mailer is not None:
            stack.push_async_callback(mailer.close)
            _run(stack, _check_mail(mailer), name="pds mail check")
            deliveries |= _email_deliveries(registry, mailer, settings.hostname)
        migration = MigrationContext(registry, network.http, sealer)
        app.state.migration = migration
        deliveries[PdsJobKind.MOVE] = one_by_one(move_handler(migration), batch=4, lease_seconds=MOVE_LEASE_SECONDS)
        await stack.enter_async_context(_dispatching(registry, deliveries))

        await _start_tasks(settings, registry, authorization, network.http, crawling, metrics, stack, version=version)
        yield AuroraLocus(app, registry, live, metrics, authorization, labels)


@dataclass(frozen=True, slots=True)
class _Network:
    """Clients for outgoing requests. ``http`` refuses private addresses; ``chosen_http`` is for addresses that the
    operator configured.
    """

    http: HttpClient
    chosen_http: HttpClient
    dids: DidResolver
    handles: HandleResolver
    lexicons: LexiconResolver
    identities: IdentityResolver


def _open_network(settings: PdsSettings, clock: Clock, version: str, stack: AsyncExitStack) -> _Network:
    user_agent = f"aurora-locus/{version}"
    http = HttpClient(settings.reach, user_agent=user_agent)
    stack.push_async_callback(http.close)
    chosen_http = HttpClient(DEVELOPMENT, user_agent=user_agent)
    stack.push_async_callback(chosen_http.close)
    did_settings = DidSettings(settings.did_plc_url, is_development=settings.dev_mode)
    dids = DidResolver(http, clock, did_settings, directory_http=chosen_http)
    stack.push_async_callback(dids.close)
    handles = HandleResolver(http, dids, clock, HandleSettings(settings.dev_mode))
    stack.push_async_callback(handles.close)
    lexicons = LexiconResolver(http, dids, clock)
    stack.push_async_callback(lexicons.close)
    identities = IdentityResolver(dids.resolve, dids.refresh, handles.resolve, handles.refresh, dids.recheck)
    return _Network(http, chosen_http, dids, handles, lexicons, identities)


async def _start_tasks(
    settings: PdsSettings,
    registry: Registry,
    authorization: AuthorizationServer,
    http: HttpClient,
    crawling: CrawlRequests,
    metrics: Metrics,
    stack: AsyncExitStack,
    *,
    version: str,
) -> None:
    """Start the background tasks, which run until the server closes."""
    db, clock, live = registry.db, registry.clock, registry.repositories.live
    left_over = await plc_updates.unfinished_at_start(db)
    announces_itself = settings.announces_itself
    tasks: dict[str, Coroutine[Any, Any, None]] = {
        "housekeeping": run_housekeeping(settings, registry, authorization, clock),
        "identities": run_identity_repairs(registry, left_over),
        "federation": watch(db, live, clock, crawling, FederationGauges(metrics), is_automatic=announces_itself),
        "backups": keep_backups(
            db, settings, registry.repositories.blobs.store, clock, backup_gauges(metrics, clock), version=version
        ),
        "log": run_wakeup(live, settings.database, "aurora_locus"),
    }
    account_gauges = AccountGauges(metrics)
    if announces_itself:
        relays = [relay.url for relay in crawling.relays]
        tasks["accounts at relays"] = keep_asking(db, http, clock, relays, account_gauges)
    for name, task in tasks.items():
        _run(stack, task, name=f"pds {name}")


def _run(stack: AsyncExitStack, coroutine: Coroutine[Any, Any, None], *, name: str) -> None:
    """Run a task until the exit stack is closed."""
    stack.push_async_callback(_end, asyncio.create_task(coroutine, name=name))


def _probes(db: Database, blobs: BlobStore) -> dict[str, Probe]:
    async def answers() -> None:
        async with db.reader() as reader:
            await reader.fetch_one("select 1")

    # A bucket service charges for each request, so it is probed less often.
    return {
        _DATABASE: Probe(answers),
        well_known.WRITES: Probe(lambda: write_durably(db, "aurora_locus")),
        well_known.BLOBS: Probe(lambda: try_writing(blobs, "pds"), every_seconds=BLOBS_TRIED_EVERY_SECONDS),
    }


def _application(
    host: XrpcHost,
    registry: Registry,
    labels: Labels,
    metrics: Metrics,
    version: str,
    operators: list[Route],
    probes: Probes,
    *,
    access_log: bool,
) -> Application:
    methods = table(registry, labels)
    return Application(
        [
            # Routes are tried in this order. Methods come first, because nearly every request calls one.
            well_known.health_route(probes, version),
            Mount("/xrpc", dispatcher(host, methods)),
            *well_known.routes(registry, host.settings, labels.key.public),
            *operations_routes(metrics, {}, probes=probes, serving=[(_DATABASE, well_known.WRITES)]),
            *operators,
            WebSocketRoute(
                JETSTREAM,
                Jetstream(
                    host.db,
                    host.repositories.live,
                    host.streams,
                    TakenDown(host.db, registry.clock),
                    is_served=host.settings.serves_firehose,
                ),
            ),
        ],
        metrics,
        # An unknown handle gets a plain 404. Only methods use XRPC errors, and page requests get HTML pages.
        render=by_path(
            {**dict.fromkeys(FOR_APPS, render_oauth), "/xrpc/": render_xrpc, "/.well-known/": render_problem},
            pages_or(render_problem),
        ),
        translations={Malformed: _invalid},
        cors=[Cors(("/xrpc/", "/.well-known/", *FOR_APPS), exposed=XRPC_EXPOSED)],
        body_limit=methods.body_limit,
        trusted_proxy_hops=host.settings.trusted_proxy_hops,
        trusted_private_proxies=host.settings.trusted_private_proxies,
        access_log=access_log,
        explain=explain,
        around=by_request,
    )


def _invalid(error: Exception) -> Failure:
    why = error.why if isinstance(error, Malformed) else str(error)
    return InvalidInput("", f"{why[:1].upper()}{why[1:]}.")


def _sealing_keys(settings: PdsSettings) -> list[bytes]:
    try:
        return list(server_keys.sealing_keys(settings.sealing_keys.reveal(), settings.data_directory))
    except ValueError as error:
        raise SettingsRefused([f"PDS_SEALING_KEYS (or sealing.key in the data directory): {error}."]) from None


async def _check_mail(mailer: Mailer) -> None:
    """Log a warning at start if e-mail cannot be sent, so that the operator notices before users wait for one."""
    try:
        await mailer.check()
    except Failure as failure:
        log.warning("mail.cannot_leave", reason=failure.why, advice="Check PDS_EMAIL_SMTP_URL; e-mails wait.")


def _email_deliveries(registry: Registry, mailer: Mailer, hostname: str) -> dict[str, JobDelivery]:
    return {
        PdsJobKind.MAIL: one_by_one(email_handler(registry.db, registry.email_tokens, mailer, hostname, registry.url)),
        PdsJobKind.NOTICE: one_by_one(notice_handler(registry.db, mailer, hostname)),
    }


@asynccontextmanager
async def _dispatching(registry: Registry, deliveries: Mapping[str, JobDelivery]) -> AsyncIterator[None]:
    """Run the dispatcher while the block runs. At the end, jobs in progress get a moment to finish."""
    stop = asyncio.Event()
    task = asyncio.create_task(
        job_dispatcher.run(registry.db, deliveries, stop, wake=new_wakeup(), idle_seconds=JOBS_IDLE_SECONDS),
        name="pds jobs",
    )
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait([task], timeout=JOBS_PATIENCE_SECONDS)
        await _end(task)


def _crawling(
    settings: PdsSettings, http: HttpClient, clock: Clock, live: LiveEvents, metrics: Metrics
) -> CrawlRequests:
    outcomes = metrics.counter("crawl_requests", "Crawl requests to relays, by outcome", ["outcome"])
    return CrawlRequests(
        over_http(http),
        clock,
        live,
        urls=settings.federation_relay_urls,
        hostname=urlsplit(settings.url).netloc.lower(),
        memory=settings.data_directory / "crawl_requests.json",
        count=lambda outcome: outcomes.labels(outcome).inc(),
    )


def _measure(metrics: Metrics, live: LiveEvents) -> None:
    metrics.gauge_of("sequencer_head_number", "Number of the newest event", lambda: live.buffer.head)
    metrics.gauge_of("firehose_subscribers", "Open firehose connections", lambda: len(live.listeners))


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
