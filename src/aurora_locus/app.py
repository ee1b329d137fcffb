"""Composition root of Aurora Locus: opens everything from the settings, closes it in reverse order."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

from starlette.routing import Mount, Route, WebSocketRoute

from at_network.did_resolver import DidResolver, DidSettings
from at_network.handle_resolver import HandleResolver, HandleSettings
from at_network.lexicon_resolver import LexiconResolver
from at_network.plc_client import PlcClient
from at_network.service_callers import ServiceCallers
from at_protocol.crypto.did_key import PrivateKey, parse_did_key
from at_protocol.crypto.k256 import K256PrivateKey
from at_protocol.failures import Malformed
from at_protocol.identity.did_document import PDS_SERVICE
from at_protocol.lexicon.catalog import Catalog
from at_protocol.syntax.did import Did
from aurora_locus import pages, well_known
from aurora_locus.account_migration.actions import MigrationContext
from aurora_locus.account_migration.handler import move_handler
from aurora_locus.accounts.credentials import CredentialReader
from aurora_locus.accounts.earned_invites import Earning
from aurora_locus.accounts.email_tokens import EmailTokens
from aurora_locus.accounts.emails import email_handler, mailer_of
from aurora_locus.accounts.passwords import Passwords
from aurora_locus.accounts.registry import Registry
from aurora_locus.accounts.second_factors.model import FactorKeys
from aurora_locus.accounts.session_tokens import MIN_SECRET_BYTES, SessionTokenSigner
from aurora_locus.administration import federation_status
from aurora_locus.administration.console import AdminConsole
from aurora_locus.administration.figures import BlobFigures
from aurora_locus.blobs.place import open_store
from aurora_locus.blobs.uploads import BlobService, UploadLimits
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
from aurora_locus.keys.signing_keys import SigningKeys
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
from aurora_locus.repository.repositories import open_repositories
from aurora_locus.repository.type_resolver import TypeResolver
from aurora_locus.scheduled import run_housekeeping, run_identity_repairs
from aurora_locus.sequencer.live import Live, open_live
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
from groundwork.clock import SECOND, Clock, Instant
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

# This process wakes the dispatcher for its own jobs; retries and jobs of other processes are polled.
JOBS_IDLE_SECONDS = 5.0
# Longer than a normal exchange with a mail server.
JOBS_PATIENCE_SECONDS = 5.0
# Longer than a normal migration step: a repository is sent in one.
MOVE_LEASE_SECONDS = 900.0
BLOBS_TRIED_EVERY_SECONDS = 30.0

# Each import sets limits by the size of its file. The quota, for ten minutes, is an estimate: a few of the largest repositories.
WORKER_LIMITS = PoolLimits(processes=2, queue=12, cpu_seconds_per_person=120.0)
_DATABASE = "database"
_ANY_ACCOUNT = "select 1 from accounts limit 1"


@dataclass(frozen=True, slots=True)
class AuroraLocus:
    """A running PDS: the ASGI application, and what its program needs beside it."""

    app: Application
    registry: Registry
    live: Live
    metrics: Metrics
    authorization: AuthorizationServer
    labels: Labels


@asynccontextmanager
async def open_server(
    settings: PdsSettings, clock: Clock, *, version: str, access_log: bool = True
) -> AsyncIterator[AuroraLocus]:
    """Migrate, open, repair what a crash left, serve until the block ends. Raises ``SettingsRefused`` and database
    errors.
    """
    async with AsyncExitStack() as stack:
        await before_migrating(settings, partial(open_store, settings), clock, version=version)
        await migrate(settings.database, "aurora_locus", "aurora_locus")
        db = await open_database(
            settings.database, schema="aurora_locus", clock=clock, connections=settings.database_connections
        )
        stack.push_async_callback(db.close)
        sealer = Sealer(_sealing_keys(settings))
        http = HttpClient(settings.reach, user_agent=f"aurora-locus/{version}")
        stack.push_async_callback(http.close)
        # Addresses configured by the operator may be private ones.
        chosen_http = HttpClient(DEVELOPMENT, user_agent=f"aurora-locus/{version}")
        stack.push_async_callback(chosen_http.close)
        did_settings = DidSettings(settings.did_plc_url, is_development=settings.dev_mode)
        dids = DidResolver(http, clock, did_settings, directory_http=chosen_http)
        stack.push_async_callback(dids.close)

        handles = HandleResolver(http, dids, clock, HandleSettings(settings.dev_mode))
        stack.push_async_callback(handles.close)

        directory = PlcClient(chosen_http, settings.did_plc_url)
        network = IdentityResolver(dids.resolve, dids.refresh, handles.resolve, handles.refresh, dids.recheck)
        registry = await _open_registry(settings, db, clock, sealer, directory, network, stack)
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
            resolve=dids.resolve,
            refresh=dids.refresh,
            seen=InProcessCache(clock),
            clock=clock,
        )
        lexicons = LexiconResolver(http, dids, clock)
        stack.push_async_callback(lexicons.close)
        catalog = Catalog()
        authorization = await stack.enter_async_context(
            open_authorization(settings, registry, sealer, over_guarded_http(http), catalog, lexicons.document)
        )
        apps = AppCallers(authorization)
        authenticate = authenticator(credentials, services, settings.mod_service_did, apps)
        metrics = Metrics("aurora_locus")
        live = registry.repositories.live
        _measure(metrics, live)
        crawling = _crawling(settings, http, clock, live, metrics)
        workers = WorkerPool(WORKER_LIMITS, metrics)
        stack.push_async_callback(workers.close)
        proxying = await stack.enter_async_context(
            open_proxying(
                settings, dids.resolve, registry.repositories.keys, clock, user_agent=f"aurora-locus/{version}"
            )
        )
        type_resolver = TypeResolver(catalog, lexicons.document) if settings.lexicon_resolution_enabled else None
        gate = gate_of(settings, registry.counters, clock)
        stack.push_async_callback(registry.counters.close)
        host = XrpcHost(
            settings,
            db,
            clock,
            catalog,
            registry.repositories,
            authenticate,
            network,
            crawling,
            # In development, and where rate limits are off, all requests may come from one address.
            StreamSlots(is_limited=settings.counts_requests and not settings.has_wide_limits),
            workers,
            proxying,
            authorization.nonces.newest,
            gate=gate,
            lexicons=lexicons,
            type_resolver=type_resolver,
        )
        federation = partial(
            subscribers_and_relays,
            db,
            live,
            clock,
            http,
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
        app.state.ask_both_ways = handles.ask_both_ways
        app.state.console = AdminConsole(
            settings, registry, labels, crawling, federation, BlobFigures(registry), version, clock.now()
        )

        deliveries: dict[str, JobDelivery] = {}
        mailer = mailer_of(settings, clock)
        if mailer is not None:
            stack.push_async_callback(mailer.close)
            checking = asyncio.create_task(_check_mail(mailer), name="pds mail check")
            stack.push_async_callback(_end, checking)
            deliveries |= _email_deliveries(registry, mailer, settings.hostname)
        migration = MigrationContext(registry, http, sealer)
        app.state.migration = migration
        deliveries[PdsJobKind.MOVE] = one_by_one(move_handler(migration), batch=4, lease_seconds=MOVE_LEASE_SECONDS)
        await stack.enter_async_context(_dispatching(registry, deliveries))

        housekeeping = asyncio.create_task(
            run_housekeeping(settings, registry, authorization, clock), name="pds housekeeping"
        )
        stack.push_async_callback(_end, housekeeping)
        left_over = await plc_updates.left_by_a_crash(db)
        identities = asyncio.create_task(run_identity_repairs(registry, left_over), name="pds identities")
        stack.push_async_callback(_end, identities)
        watching = asyncio.create_task(
            watch(db, live, clock, crawling, FederationGauges(metrics), is_automatic=settings.announces_itself),
            name="pds federation",
        )
        stack.push_async_callback(_end, watching)
        account_gauges = AccountGauges(metrics)
        if settings.announces_itself:
            relays = [relay.url for relay in crawling.relays]
            asking = keep_asking(db, http, clock, relays, account_gauges)
            stack.push_async_callback(_end, asyncio.create_task(asking, name="pds accounts at relays"))
        backups = keep_backups(
            db, settings, registry.repositories.blobs.store, clock, backup_gauges(metrics, clock), version=version
        )
        stack.push_async_callback(_end, asyncio.create_task(backups, name="pds backups"))
        awake = asyncio.create_task(run_wakeup(live, settings.database, "aurora_locus"), name="pds log")
        stack.push_async_callback(_end, awake)
        yield AuroraLocus(app, registry, live, metrics, authorization, labels)


async def _open_registry(
    settings: PdsSettings,
    db: Database,
    clock: Clock,
    sealer: Sealer,
    directory: PlcClient,
    network: IdentityResolver,
    stack: AsyncExitStack,
) -> Registry:
    live = await open_live(db, max_frames=settings.firehose_buffer_frames, max_bytes=settings.firehose_buffer)
    stack.push_async_callback(live.close)
    blobs = BlobService(db, open_store(settings), UploadLimits(settings.blob_upload_limit, settings.blob_quota))
    stack.push_async_callback(blobs.wait_for_removals)
    repositories = await open_repositories(
        db,
        live,
        SigningKeys(db, sealer),
        blobs,
        clock,
        # Random, so that two processes do not generate the same TID in the same microsecond.
        clock_id=secrets.randbelow(1024),
        node_cache_bytes=settings.node_cache,
        json_cache_bytes=settings.record_cache,
    )
    passwords = Passwords()
    stack.callback(passwords.close)
    return Registry(
        db=db,
        clock=clock,
        repositories=repositories,
        passwords=passwords,
        tokens=SessionTokenSigner(
            await _session_secret(settings, db, sealer), settings.did, settings.jwt_secret_previous.reveal().encode()
        ),
        email_tokens=EmailTokens(await server_keys.find_or_make(db, sealer, server_keys.EMAIL_TOKENS)),
        factor_keys=FactorKeys(sealer, await server_keys.find_or_make(db, sealer, server_keys.SECOND_FACTORS)),
        sends_mail=bool(settings.mail_url),
        directory=directory,
        network=network,
        counters=counters_of(settings),
        rotation_key=await _rotation_key(settings, db, sealer),
        url=settings.url,
        handle_domains=settings.service_handle_domains,
        is_development=settings.dev_mode,
        has_wide_limits=settings.has_wide_limits,
        shares_private_addresses=settings.shares_private_addresses,
        counts_requests=settings.counts_requests,
        needs_invite=settings.needs_invite,
        confirms_email=settings.confirms_email,
        operators_key=parse_did_key(settings.recovery_did_key) if settings.recovery_did_key else None,
        hosts_did_web=settings.did_web_accounts,
        handle_quarantine=round(settings.handle_quarantine * SECOND),
        reserved_names=frozenset(name.strip().lower() for name in settings.reserved_names),
        earning=Earning(settings.invite_interval * 1000, Instant(settings.invite_epoch * 1000)),
    )


def _probes(db: Database, blobs: BlobStore) -> dict[str, Probe]:
    async def answers() -> None:
        async with db.reader() as reader:
            await reader.fetch_one("select 1")

    # A bucket charges for each request.
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
            # Routes are tried in this order, and nearly every request calls a method: methods come first.
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
        # An unknown handle is a plain 404; only methods use XRPC errors, and pages answer with pages.
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
    """Log a warning at start if e-mail cannot be sent, before a person waits for one."""
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
    """Run the dispatcher while the block lasts; jobs in progress at its end get a moment to finish."""
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


async def _session_secret(settings: PdsSettings, db: Database, sealer: Sealer) -> bytes:
    given = settings.jwt_secret.reveal().encode()
    secret = given or await server_keys.find_or_make(db, sealer, server_keys.SESSION_SECRET)
    if len(secret) < MIN_SECRET_BYTES:
        why = (
            f"PDS_JWT_SECRET is too short: anyone who guesses it can sign in as anyone. Set one of at least {MIN_SECRET_BYTES} "
            "characters"
        )
        async with db.reader() as reader:
            if await reader.fetch_one(_ANY_ACCOUNT) is None:
                raise SettingsRefused([f"{why}."])
        # An existing installation, perhaps of the reference PDS: its sessions stay valid.
        log.warning(
            "session_secret.too_short", advice=f"{why}, and the old one as PDS_JWT_SECRET_PREVIOUS for 90 days."
        )
    return secret


async def _rotation_key(settings: PdsSettings, db: Database, sealer: Sealer) -> PrivateKey:
    given = settings.plc_rotation_key_k256_private_key_hex.reveal()
    try:
        if given:
            return K256PrivateKey.from_bytes(bytes.fromhex(given))
    except (Malformed, ValueError):
        why = "PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX is not a private key of 32 bytes in hexadecimal."
        raise SettingsRefused([why]) from None
    return K256PrivateKey.from_bytes(await server_keys.find_or_make(db, sealer, server_keys.ROTATION_KEY))


def _crawling(settings: PdsSettings, http: HttpClient, clock: Clock, live: Live, metrics: Metrics) -> CrawlRequests:
    outcomes = metrics.counter("crawl_requests", "Relays asked to read this server", ["outcome"])
    return CrawlRequests(
        over_http(http),
        clock,
        live,
        urls=settings.federation_relay_urls,
        hostname=urlsplit(settings.url).netloc.lower(),
        memory=settings.data_directory / "crawl_requests.json",
        count=lambda outcome: outcomes.labels(outcome).inc(),
    )


def _measure(metrics: Metrics, live: Live) -> None:
    metrics.gauge_of("sequencer_head_number", "Number of the newest event", lambda: live.buffer.head)
    metrics.gauge_of("firehose_subscribers", "Open firehose connections", lambda: len(live.listeners))


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
