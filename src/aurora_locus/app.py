"""Composition root of Aurora Locus: opens everything from the settings and closes it in reverse order."""

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from starlette.routing import Mount, Route, WebSocketRoute
from starlette.types import Scope

from at_network.plc_client import PlcClient
from at_network.service_callers import ServiceCallers
from at_protocol.crypto.k256 import K256PrivateKey
from at_protocol.failures import Malformed
from at_protocol.identity.did_document import PDS_SERVICE
from at_protocol.lexicon.catalog import Catalog
from at_protocol.syntax.did import Did
from aurora_locus import well_known
from aurora_locus.account_migration.actions import MigrationContext
from aurora_locus.account_migration.handler import move_handler
from aurora_locus.accounts.credentials import CredentialReader
from aurora_locus.accounts.emails import branding_of, email_handler, mailer_of
from aurora_locus.accounts.registry import Registry
from aurora_locus.accounts.setup import open_registry
from aurora_locus.administration import federation_status
from aurora_locus.administration.queries import CachedBlobTotals
from aurora_locus.background_tasks import run_jobs, start_task
from aurora_locus.blobs.place import open_store
from aurora_locus.federation.crawl_requests import CrawlRequests, over_http
from aurora_locus.federation.jetstream import PATH as JETSTREAM
from aurora_locus.federation.jetstream import Jetstream, TakedownIndex
from aurora_locus.federation.proxying import open_proxying
from aurora_locus.federation.relay_accounts import AccountGauges, keep_asking
from aurora_locus.federation.status import FederationGauges, FederationSources, watch
from aurora_locus.federation.stream_slots import StreamSlots
from aurora_locus.i18n.language import by_request
from aurora_locus.i18n.sentences import explain
from aurora_locus.identity import plc_updates
from aurora_locus.jobs import PdsJobKind
from aurora_locus.keys import server_keys
from aurora_locus.maintenance.schedule import before_migrating, keep_backups
from aurora_locus.maintenance.schedule import gauges as backup_gauges
from aurora_locus.moderation.labels import Labels
from aurora_locus.moderation.notices import notice_handler
from aurora_locus.oauth.callers import AppCallers
from aurora_locus.oauth.clients import over_http as over_guarded_http
from aurora_locus.oauth.refusals import render_oauth
from aurora_locus.oauth.routes import FOR_APPS
from aurora_locus.oauth.routes import routes as oauth_routes
from aurora_locus.oauth.server import AuthorizationServer
from aurora_locus.oauth.setup import open_authorization
from aurora_locus.outgoing_clients import OutgoingClients, open_clients
from aurora_locus.repository.type_resolver import TypeResolver
from aurora_locus.scheduled import run_housekeeping, run_identity_repairs
from aurora_locus.sequencer.live_events import LiveEvents, run_wakeup
from aurora_locus.settings import PACKAGE, SCHEMA, PdsSettings
from aurora_locus.web import pages
from aurora_locus.web.site.faults import page_renderer
from aurora_locus.web.site.services import PdsServices
from aurora_locus.xrpc.callers import XrpcAuthenticator
from aurora_locus.xrpc.dispatch import dispatcher
from aurora_locus.xrpc.gate import build_gate, network_of_caller, open_configured_counters
from aurora_locus.xrpc.host import XrpcHost
from aurora_locus.xrpc.table import table
from groundwork.blobstore.contract import BlobStore, try_writing
from groundwork.cache.open_ import EMBEDDED, check_cache, open_cache
from groundwork.clock import Clock
from groundwork.database.durable_write import write_durably
from groundwork.database.migrate import migrate
from groundwork.database.open_ import open_database
from groundwork.database.transaction import Database
from groundwork.errors import Failure, InvalidInput
from groundwork.http.application import Application
from groundwork.http.cors import XRPC_EXPOSED, Cors
from groundwork.http.faults import by_path, render_problem, render_xrpc
from groundwork.http.operations import operations_routes
from groundwork.mail.open_ import check_mailer
from groundwork.outbox.delivery import JobDelivery, one_job_per_call
from groundwork.sealing import Sealer
from groundwork.settings import SettingsRefused
from groundwork.telemetry.metrics import Metrics
from groundwork.telemetry.probes import Probe, Probes, probing
from groundwork.threads import ClientComputations
from groundwork.workers.pool import PoolLimits, WorkerPool

# Longer than a normal migration step, because a whole repository is sent in one step.
MOVE_LEASE_SECONDS = 900.0
BLOBS_TRIED_EVERY_SECONDS = 30.0
_REDIS_ADVICE = (
    "Check PDS_REDIS_SCRATCH_ADDRESS and whether Redis is running; until it answers, apps that signed in with OAuth and "
    "services that call with a token get errors, and each process counts requests on its own."
)
_BLOBS_ADVICE = "Check the settings PDS_BLOBSTORE_…, and the credentials if it is a bucket; until then, uploads fail."

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
        db = await _open_database(settings, clock, version, stack)
        sealer = Sealer(_sealing_keys(settings))
        clients = open_clients(settings, clock, version, stack)
        registry = await _open_accounts(settings, db, clock, sealer, clients, stack)
        catalog = Catalog()
        authorization = await stack.enter_async_context(
            open_authorization(
                settings, registry, sealer, over_guarded_http(clients.http), catalog, clients.lexicons.document
            )
        )
        start_task(stack, check_cache(authorization.replays, _REDIS_ADVICE), name="pds cache check")
        metrics = Metrics("aurora_locus")
        _add_firehose_gauges(metrics, registry.repositories.live)
        core = _Core(settings, version, registry, sealer, clients, catalog, authorization, metrics)
        crawl_requests = _crawl_requests(core)

        credentials = _credential_reader(settings, registry)
        labels = await _open_labels(settings, db, sealer)
        host = await _open_xrpc_host(core, labels, credentials, crawl_requests, stack)
        federation = _federation_sources(core, crawl_requests)
        site = await pages.open_pages(settings, registry, sealer)
        routes = [
            *oauth_routes(authorization),
            *federation_status.routes(credentials, federation),
            *pages.routes(site, settings),
        ]
        probes = await stack.enter_async_context(probing(_probes(db, registry.repositories.blobs.store), metrics))
        app = _application(core, host, labels, routes, probes, access_log=access_log)

        migration = MigrationContext(registry, clients.http, sealer)
        app.state.services = PdsServices(
            settings,
            version,
            clock.now(),
            site,
            registry,
            authorization,
            clients.handles,
            migration,
            labels,
            crawl_requests,
            federation,
            CachedBlobTotals(registry),
        )

        deliveries = {**_email_deliveries(core, stack), **_migration_deliveries(migration)}
        await stack.enter_async_context(run_jobs(registry.db, deliveries))
        await _start_tasks(core, crawl_requests, stack)
        yield AuroraLocus(app, registry, registry.repositories.live, metrics, authorization, labels)


@dataclass(frozen=True, slots=True)
class _Core:
    """What most subsystems are opened with."""

    settings: PdsSettings
    version: str
    registry: Registry
    sealer: Sealer
    clients: OutgoingClients
    catalog: Catalog
    authorization: AuthorizationServer
    metrics: Metrics

    @property
    def db(self) -> Database:
        return self.registry.db

    @property
    def clock(self) -> Clock:
        return self.registry.clock

    @property
    def live(self) -> LiveEvents:
        return self.registry.repositories.live


async def _open_database(settings: PdsSettings, clock: Clock, version: str, stack: AsyncExitStack) -> Database:
    """Migrate the database, after a backup if that changes its schema, and open it."""
    await before_migrating(settings, partial(open_store, settings), clock, version=version)
    await migrate(settings.database, SCHEMA, PACKAGE)
    db = await open_database(settings.database, schema=SCHEMA, clock=clock, connections=settings.database_connections)
    stack.push_async_callback(db.close)
    return db


async def _open_accounts(
    settings: PdsSettings, db: Database, clock: Clock, sealer: Sealer, clients: OutgoingClients, stack: AsyncExitStack
) -> Registry:
    counters = open_configured_counters(settings)
    stack.push_async_callback(counters.close)
    directory = PlcClient(clients.configured_http, settings.did_plc_url)
    return await stack.enter_async_context(
        open_registry(settings, db, clock, sealer, counters, directory=directory, network=clients.handles.identities)
    )


def _credential_reader(settings: PdsSettings, registry: Registry) -> CredentialReader:
    return CredentialReader(
        registry.repositories,
        registry.tokens,
        settings.admin_password,
        registry.clock,
        registry.counters,
        registry.guess_context,
        peer_key=settings.rate_limit_bypass_key,
    )


async def _open_xrpc_host(
    core: _Core, labels: Labels, credentials: CredentialReader, crawl_requests: CrawlRequests, stack: AsyncExitStack
) -> XrpcHost:
    """Open what methods need: authentication, worker processes, service proxying, rate limits."""
    settings, clients, repositories, clock = core.settings, core.clients, core.registry.repositories, core.clock
    # Used service tokens, until they expire.
    seen = open_cache(settings.scratch_url or EMBEDDED, prefix=f"{settings.hostname}:service_tokens", clock=clock)
    stack.push_async_callback(seen.close)
    services = ServiceCallers(
        audiences=(settings.did, f"{settings.did}#{PDS_SERVICE}"),
        resolve=clients.dids.resolve,
        refresh=clients.dids.refresh,
        resolve_current=clients.dids.resolve_current,
        seen=seen,
        clock=clock,
    )
    workers = WorkerPool(WORKER_LIMITS, core.metrics)
    stack.push_async_callback(workers.close)
    proxying = await stack.enter_async_context(
        open_proxying(settings, clients.dids.resolve, repositories.keys, clock, user_agent=clients.user_agent)
    )
    has_lexicons = settings.lexicon_resolution_enabled
    return XrpcHost(
        settings=settings,
        registry=core.registry,
        labels=labels,
        db=core.db,
        clock=clock,
        catalog=core.catalog,
        repositories=repositories,
        authenticate=XrpcAuthenticator(credentials, services, settings.mod_service_did, AppCallers(core.authorization)),
        network=clients.handles.identities,
        crawl_requests=crawl_requests,
        # No limit in development and when rate limits are off, because all requests may then come from one address.
        streams=StreamSlots(is_limited=settings.counts_requests and not settings.has_wide_limits),
        workers=workers,
        proxying=proxying,
        authorization=core.authorization,
        gate=build_gate(settings, core.registry.counters, clock),
        lexicons=clients.lexicons,
        type_resolver=TypeResolver(core.catalog, clients.lexicons.resolve) if has_lexicons else None,
    )


async def _open_labels(settings: PdsSettings, db: Database, sealer: Sealer) -> Labels:
    key = K256PrivateKey.from_bytes(await server_keys.find_or_make(db, sealer, server_keys.LABELS))
    return Labels(db, Did(settings.did), key)


def _federation_sources(core: _Core, crawl_requests: CrawlRequests) -> FederationSources:
    return FederationSources(
        core.db,
        core.live,
        core.clock,
        core.clients.http,
        crawl_requests,
        is_federated=core.settings.federation_enabled,
        is_automatic=core.settings.announces_itself,
    )


def _probes(db: Database, blobs: BlobStore) -> dict[str, Probe]:
    async def answers() -> None:
        async with db.reader() as reader:
            await reader.fetch_one("select 1")

    # A bucket service charges for each request, so it is probed less often.
    return {
        _DATABASE: Probe(answers),
        well_known.WRITES: Probe(lambda: write_durably(db, PACKAGE)),
        well_known.BLOBS: Probe(
            lambda: try_writing(blobs, "pds"), every_seconds=BLOBS_TRIED_EVERY_SECONDS, advice=_BLOBS_ADVICE
        ),
    }


def _application(
    core: _Core, host: XrpcHost, labels: Labels, page_routes: list[Route], probes: Probes, *, access_log: bool
) -> Application:
    methods, settings = table(core.registry), core.settings
    jetstream = Jetstream(
        core.db,
        core.live,
        host.streams,
        TakedownIndex(core.db, core.clock),
        host.computations,
        host.count_stream,
        is_served=settings.serves_firehose,
    )
    return Application(
        [
            # Routes are tried in this order. Methods come first, because nearly every request calls one.
            well_known.health_route(probes, core.version),
            Mount("/xrpc", dispatcher(host, methods)),
            *well_known.routes(core.registry, settings, labels.key.public),
            *operations_routes(core.metrics, {}, probes=probes, serving=[(_DATABASE, well_known.WRITES)]),
            *page_routes,
            WebSocketRoute(JETSTREAM, jetstream),
        ],
        core.metrics,
        # An unknown handle gets a plain 404. Only methods use XRPC errors, and page requests get HTML pages.
        render=by_path(
            {**dict.fromkeys(FOR_APPS, render_oauth), "/xrpc/": render_xrpc, "/.well-known/": render_problem},
            page_renderer(render_problem),
        ),
        translations={Malformed: _invalid},
        cors=[Cors(("/xrpc/", "/.well-known/", *FOR_APPS), exposed=XRPC_EXPOSED)],
        body_limit=methods.body_limit,
        trusted_proxy_hops=settings.trusted_proxy_hops,
        trusted_private_proxies=settings.trusted_private_proxies,
        access_log=access_log,
        explain=explain,
        around=_around(host.computations),
    )


def _around(computations: ClientComputations) -> Callable[[Scope], AbstractContextManager[None]]:
    """Return what every request is handled in: its language, and the client for whom large records are decoded."""

    @contextmanager
    def around(scope: Scope) -> Iterator[None]:
        client = scope.get("client")
        with by_request(scope), computations.used_by(network_of_caller(client[0] if client else "")):
            yield

    return around


def _invalid(error: Exception) -> Failure:
    why = error.why if isinstance(error, Malformed) else str(error)
    return InvalidInput("", f"{why[:1].upper()}{why[1:]}.")


def _sealing_keys(settings: PdsSettings) -> list[bytes]:
    try:
        return list(server_keys.sealing_keys(settings.sealing_keys.reveal(), settings.data_directory))
    except ValueError as error:
        raise SettingsRefused([f"PDS_SEALING_KEYS (or sealing.key in the data directory): {error}."]) from None


def _email_deliveries(core: _Core, stack: AsyncExitStack) -> dict[str, JobDelivery]:
    """Open the mailer. Without a mail server there are no deliveries."""
    mailer = mailer_of(core.settings, core.clock)
    if mailer is None:
        return {}
    stack.push_async_callback(mailer.close)
    start_task(stack, check_mailer(mailer, "PDS_EMAIL_SMTP_URL"), name="pds mail check")
    branding, tokens = branding_of(core.settings), core.registry.email_tokens
    return {
        PdsJobKind.MAIL: one_job_per_call(email_handler(core.db, tokens, mailer, branding)),
        PdsJobKind.NOTICE: one_job_per_call(notice_handler(core.db, mailer, branding)),
    }


def _migration_deliveries(migration: MigrationContext) -> dict[str, JobDelivery]:
    return {
        PdsJobKind.MOVE: one_job_per_call(move_handler(migration), jobs_per_lease=4, lease_seconds=MOVE_LEASE_SECONDS)
    }


async def _start_tasks(core: _Core, crawl_requests: CrawlRequests, stack: AsyncExitStack) -> None:
    """Start the background tasks, which run until the server closes."""
    settings, db, clock, live, metrics = core.settings, core.db, core.clock, core.live, core.metrics
    registry, blobs = core.registry, core.registry.repositories.blobs.store
    announces_itself = settings.announces_itself
    unfinished_updates = await plc_updates.unfinished_at_start(db)
    tasks: dict[str, Coroutine[Any, Any, None]] = {
        "housekeeping": run_housekeeping(settings, registry, core.authorization, clock),
        "identities": run_identity_repairs(registry, unfinished_updates),
        "federation": watch(db, live, clock, crawl_requests, FederationGauges(metrics), is_automatic=announces_itself),
        "backups": keep_backups(db, settings, blobs, clock, backup_gauges(metrics, clock), version=core.version),
        "log": run_wakeup(live, settings.database, SCHEMA),
    }
    account_gauges = AccountGauges(metrics)
    if announces_itself:
        relays = [relay.url for relay in crawl_requests.relays]
        tasks["accounts at relays"] = keep_asking(db, core.clients.http, clock, relays, account_gauges)
    for name, task in tasks.items():
        start_task(stack, task, name=f"pds {name}")


def _crawl_requests(core: _Core) -> CrawlRequests:
    outcomes = core.metrics.counter("crawl_requests", "Crawl requests to relays, by outcome", ["outcome"])
    return CrawlRequests(
        over_http(core.clients.http),
        core.clock,
        core.live,
        urls=core.settings.federation_relay_urls,
        hostname=urlsplit(core.settings.url).netloc.lower(),
        memory=core.settings.data_directory / "crawl_requests.json",
        count=lambda outcome: outcomes.labels(outcome).inc(),
    )


def _add_firehose_gauges(metrics: Metrics, live: LiveEvents) -> None:
    metrics.gauge_of("sequencer_head_number", "Number of the newest event", lambda: live.buffer.head)
    metrics.gauge_of("firehose_subscribers", "Open firehose connections", lambda: len(live.listeners))
