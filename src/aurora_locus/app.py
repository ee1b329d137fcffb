"""Aurora Locus as one application: opened from its settings, closed in reverse, readable top to bottom."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

from starlette.routing import Mount, Route, WebSocketRoute

from at_network.did_resolver import DidResolver, DidSettings
from at_network.handle_resolver import HandleResolver, HandleSettings
from at_network.plc_client import PlcClient
from at_protocol.crypto.did_key import PrivateKey
from at_protocol.crypto.k256 import PrivateKey as K256PrivateKey
from at_protocol.failures import Malformed
from at_protocol.identity.did_document import PDS_SERVICE
from at_protocol.lexicon.catalog import Catalog
from aurora_locus import well_known
from aurora_locus.accounts import deletion, email_tokens, sessions
from aurora_locus.accounts.credentials import Credentials
from aurora_locus.accounts.email_tokens import EmailTokens
from aurora_locus.accounts.letters import mail_payer
from aurora_locus.accounts.passwords import Passwords
from aurora_locus.accounts.registry import Registry
from aurora_locus.accounts.service_callers import ServiceCallers
from aurora_locus.accounts.session_tokens import SessionTokens
from aurora_locus.administration import federation_status
from aurora_locus.blobs.sweep import sweep as sweep_blobs
from aurora_locus.blobs.uploads import Blobs, Limits
from aurora_locus.debts import Debt
from aurora_locus.federation.crawl_requests import CrawlRequests, over_http
from aurora_locus.federation.jetstream import PATH as JETSTREAM
from aurora_locus.federation.jetstream import Jetstream
from aurora_locus.federation.standing import standing
from aurora_locus.federation.watching import Gauges, watch
from aurora_locus.identity import plc_updates
from aurora_locus.identity.network import Network
from aurora_locus.keys import server_keys
from aurora_locus.keys.signing_keys import SigningKeys
from aurora_locus.repository.repositories import open_repositories
from aurora_locus.sequencer import retention
from aurora_locus.sequencer.live import Live, open_live
from aurora_locus.settings import Settings
from aurora_locus.xrpc.callers import authenticator
from aurora_locus.xrpc.dispatch import dispatcher
from aurora_locus.xrpc.host import Host
from aurora_locus.xrpc.table import table
from groundwork.blobstore.disk import DiskBlobStore
from groundwork.cache.in_process import InProcessCache
from groundwork.clock import DAY, SECOND, Clock, Instant
from groundwork.database.migrate import migrate
from groundwork.database.open_ import open_database
from groundwork.database.transaction import Database
from groundwork.errors import Failure, InvalidInput
from groundwork.http.application import Application
from groundwork.http.client import HttpClient
from groundwork.http.cors import XRPC_EXPOSED, Cors
from groundwork.http.faults import by_path, render_problem, render_xrpc
from groundwork.http.operations import operations_routes
from groundwork.http.reach import DEVELOPMENT, PUBLIC
from groundwork.mail.address import parse_address
from groundwork.mail.contract import Mailer, Sender
from groundwork.mail.open_ import open_mailer
from groundwork.outbox import owe, pay
from groundwork.outbox.bell import bell
from groundwork.outbox.pay import Paying
from groundwork.rate_limit.in_process import InProcessCounters
from groundwork.sealing import Sealer
from groundwork.settings import SettingsRefused
from groundwork.telemetry.logs import log
from groundwork.telemetry.metrics import Metrics

# Often enough that nothing piles up, seldom enough to cost nothing.
HOUSEKEEPING_SECONDS = 600.0

# Debts of this process ring; those that wait for their time, or that another process left, are looked for.
DEBTS_IDLE_SECONDS = 5.0
# Longer than a step with a mail server lasts when all is well.
DEBTS_PATIENCE_SECONDS = 5.0

# The reference PDS's installer gives 16 random bytes in hexadecimal.
MIN_SECRET_BYTES = 16


@dataclass(frozen=True, slots=True)
class AuroraLocus:
    """A PDS that is open: its application, and what its program still needs to touch."""

    app: Application
    registry: Registry
    live: Live
    metrics: Metrics


@asynccontextmanager
async def open_server(
    settings: Settings, clock: Clock, *, version: str, access_log: bool = True
) -> AsyncIterator[AuroraLocus]:
    """Migrate, open, mend what a crash left, serve until the block ends. Raises ``SettingsRefused`` and database failures."""
    async with AsyncExitStack() as stack:
        await migrate(settings.database, "aurora_locus", "aurora_locus")
        db = await open_database(settings.database, schema="aurora_locus", clock=clock)
        stack.push_async_callback(db.close)
        sealer = Sealer(_sealing_keys(settings))
        http = HttpClient(DEVELOPMENT if settings.dev_mode else PUBLIC, user_agent=f"aurora-locus/{version}")
        stack.push_async_callback(http.close)
        dids = DidResolver(http, clock, DidSettings(settings.did_plc_url, is_development=settings.dev_mode))
        stack.push_async_callback(dids.close)

        handles = HandleResolver(http, dids, clock, HandleSettings(settings.dev_mode))
        stack.push_async_callback(handles.close)

        directory = PlcClient(http, settings.did_plc_url)
        registry = await _open_registry(settings, db, clock, sealer, directory, handles, stack)
        credentials = Credentials(registry.repositories, registry.tokens, settings.admin_password, clock)
        services = ServiceCallers(
            audiences=(settings.did, f"{settings.did}#{PDS_SERVICE}"),
            resolve=dids.resolve,
            refresh=dids.refresh,
            seen=InProcessCache(clock),
            clock=clock,
        )
        authenticate = authenticator(credentials, services)
        network = Network(dids.resolve, dids.refresh, handles.resolve, handles.refresh, dids.doubt)
        metrics = Metrics("aurora_locus")
        live = registry.repositories.live
        _measure(metrics, live)
        crawling = _crawling(settings, http, clock, live, metrics)
        host = Host(settings, db, clock, Catalog(), registry.repositories, authenticate, network, crawling)
        federation = partial(standing, db, live, clock, http, crawling, is_automatic=settings.announces_itself)
        operators = federation_status.routes(credentials, federation)
        app = _application(host, registry, metrics, version, operators, access_log=access_log)

        mailer = _mailer(settings, clock)
        if mailer is not None:
            stack.push_async_callback(mailer.close)
            await stack.enter_async_context(_paying(registry, mailer, settings.hostname))

        housekeeping = asyncio.create_task(_keep_house(settings, registry, clock), name="pds housekeeping")
        stack.push_async_callback(_end, housekeeping)
        watching = asyncio.create_task(
            watch(db, live, clock, crawling, Gauges(metrics), is_automatic=settings.announces_itself),
            name="pds federation",
        )
        stack.push_async_callback(_end, watching)
        yield AuroraLocus(app, registry, live, metrics)


async def _open_registry(
    settings: Settings,
    db: Database,
    clock: Clock,
    sealer: Sealer,
    directory: PlcClient,
    handles: HandleResolver,
    stack: AsyncExitStack,
) -> Registry:
    live = await open_live(db, max_frames=settings.firehose_buffer_frames, max_bytes=settings.firehose_buffer)
    store = DiskBlobStore(settings.data_directory / "blobs")
    blobs = Blobs(db, store, Limits(settings.blob_upload_limit, settings.blob_quota))
    stack.push_async_callback(blobs.settle)
    repositories = await open_repositories(
        db,
        live,
        SigningKeys(db, sealer),
        blobs,
        clock,
        # Random, so that two processes do not make the same TIDs in the same microsecond.
        clock_id=secrets.randbelow(1024),
        node_cache_bytes=settings.node_cache,
    )
    passwords = Passwords()
    stack.callback(passwords.close)
    return Registry(
        db=db,
        clock=clock,
        repositories=repositories,
        passwords=passwords,
        tokens=SessionTokens(await _session_secret(settings, db, sealer), settings.did),
        email_tokens=EmailTokens(await server_keys.find_or_make(db, sealer, server_keys.EMAIL_TOKENS)),
        sends_mail=bool(settings.mail_url),
        directory=directory,
        resolve_handle=handles.resolve,
        counters=InProcessCounters(),
        rotation_key=await _rotation_key(settings, db, sealer),
        url=settings.url,
        handle_domains=settings.service_handle_domains,
        is_development=settings.dev_mode,
        needs_invite=settings.invite_required,
    )


def _application(
    host: Host, registry: Registry, metrics: Metrics, version: str, operators: list[Route], *, access_log: bool
) -> Application:
    async def look() -> None:
        async with host.db.reader() as reader:
            await reader.fetch_one("select 1")

    methods = table(registry)
    return Application(
        [
            # Routes are tried in this order, and nearly every request is for a method: they stand before the rest.
            well_known.health_route(host.db, version),
            Mount("/xrpc", dispatcher(host, methods)),
            *well_known.routes(host.db, host.settings),
            *operations_routes(metrics, {"database": look}),
            *operators,
            WebSocketRoute(
                JETSTREAM,
                Jetstream(host.db, host.repositories.live, is_served=host.settings.serves_firehose),
            ),
        ],
        metrics,
        # A handle that nobody here has is a plain 404; only methods speak XRPC's errors.
        render=by_path({"/xrpc/": render_xrpc}, render_problem),
        translations={Malformed: _invalid},
        cors=[Cors(("/xrpc/", "/.well-known/"), exposed=XRPC_EXPOSED)],
        body_limit=methods.body_limit,
        trusted_proxy_hops=host.settings.trusted_proxy_hops,
        access_log=access_log,
    )


def _invalid(error: Exception) -> Failure:
    why = error.why if isinstance(error, Malformed) else str(error)
    return InvalidInput("", f"{why[:1].upper()}{why[1:]}.")


def _sealing_keys(settings: Settings) -> list[bytes]:
    try:
        return list(server_keys.sealing_keys(settings.sealing_keys.reveal(), settings.data_directory))
    except ValueError as error:
        raise SettingsRefused([f"PDS_SEALING_KEYS (or sealing.key in the data directory): {error}."]) from None


def _mailer(settings: Settings, clock: Clock) -> Mailer | None:
    """Where letters go; a folder on a laptop; None where the operator set nothing."""
    if not settings.mail_url:
        return None
    sender = Sender(settings.hostname, parse_address(settings.mail_from))
    return open_mailer(settings.mail_url, sender, clock)


@asynccontextmanager
async def _paying(registry: Registry, mailer: Mailer, hostname: str) -> AsyncIterator[None]:
    """Pay what is owed while the block lasts; what is being paid at its end gets a moment."""
    payings: dict[str, Paying] = {Debt.MAIL: Paying(mail_payer(registry.db, registry.email_tokens, mailer, hostname))}
    stop = asyncio.Event()
    task = asyncio.create_task(
        pay.run(registry.db, payings, stop, wake=bell(), idle_seconds=DEBTS_IDLE_SECONDS), name="pds debts"
    )
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait([task], timeout=DEBTS_PATIENCE_SECONDS)
        await _end(task)


async def _session_secret(settings: Settings, db: Database, sealer: Sealer) -> bytes:
    given = settings.jwt_secret.reveal()
    if given and len(given.encode()) < MIN_SECRET_BYTES:
        why = f"PDS_JWT_SECRET is too short: who guesses it is everybody. Give at least {MIN_SECRET_BYTES} characters."
        raise SettingsRefused([why])
    return given.encode() if given else await server_keys.find_or_make(db, sealer, server_keys.SESSION_SECRET)


async def _rotation_key(settings: Settings, db: Database, sealer: Sealer) -> PrivateKey:
    given = settings.plc_rotation_key_k256_private_key_hex.reveal()
    try:
        if given:
            return K256PrivateKey.from_bytes(bytes.fromhex(given))
    except (Malformed, ValueError):
        why = "PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX is not a private key of 32 bytes in hexadecimal."
        raise SettingsRefused([why]) from None
    return K256PrivateKey.from_bytes(await server_keys.find_or_make(db, sealer, server_keys.ROTATION_KEY))


def _crawling(settings: Settings, http: HttpClient, clock: Clock, live: Live, metrics: Metrics) -> CrawlRequests:
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
    metrics.gauge_of("sequencer_head_number", "Number of the newest event", lambda: live.ring.head)
    metrics.gauge_of("firehose_subscribers", "Open firehose connections", lambda: len(live.listeners))


async def _keep_house(settings: Settings, registry: Registry, clock: Clock) -> None:
    """What nobody waits for: unfinished identities, expired sessions, old events, uploads that nobody refers to."""
    repositories = registry.repositories
    # What is unfinished at start nobody is busy with.
    patience = 0

    async def retire() -> object:
        return await retention.retire(registry.db, _ago(clock, settings.firehose_retention))

    async def sweep() -> object:
        return await sweep_blobs(repositories.blobs, clock.now(), round(settings.blob_grace * SECOND))

    async def expire() -> object:
        return await registry.db.write(sessions.sweep)

    async def forget() -> object:
        await registry.db.write(email_tokens.sweep)
        await registry.db.write(repositories.keys.sweep_reserved)
        async with registry.db.transaction() as tx:
            return await owe.forget_paid(tx, Instant(tx.now - DAY))

    async def delete() -> object:
        return await deletion.delete_forgotten(registry)

    async def mend() -> object:
        return await plc_updates.mend(registry.db, registry.directory, registry.rotation_key, patience=patience)

    chores: dict[str, Callable[[], Awaitable[object]]] = {
        "identities": mend,
        "sessions": expire,
        "events": retire,
        "uploads": sweep,
        "what nobody waits for": forget,
        "deletions": delete,
    }
    while True:
        for name, chore in chores.items():
            try:
                await chore()
            except Exception as error:  # noqa: BLE001 - an edge: one chore that fails must not end the others
                log.error("chore.failed", chore=name, exc_info=error)
        patience = plc_updates.PATIENCE
        await asyncio.sleep(HOUSEKEEPING_SECONDS)


def _ago(clock: Clock, seconds: float) -> Instant:
    return Instant(clock.now() - round(seconds * SECOND))


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
