"""The events platform opened for whichever role runs: databases, network, mail. Read top to bottom; closed in reverse."""

import hashlib
import hmac
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from email.utils import parseaddr
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from prometheus_client import Counter

from at_network.did_resolver import DidResolver, DidSettings
from at_network.handle_resolver import HandleResolver, HandleSettings
from at_network.oauth_servers import OAuthServers
from groundwork.blobstore.contract import BlobStore
from groundwork.blobstore.open_ import open_folder
from groundwork.cache.open_ import open_cache
from groundwork.clock import Clock, SystemClock
from groundwork.dangerous_starts import dangers_of
from groundwork.database.migrate import migrate
from groundwork.database.open_ import SQLITE, open_database, sqlite_path
from groundwork.database.transaction import Database
from groundwork.errors import Failure, Refused
from groundwork.http.client import HttpClient
from groundwork.http.reach import DEVELOPMENT, PUBLIC
from groundwork.mail.address import parse_address
from groundwork.mail.contract import Mailer, Sender
from groundwork.mail.open_ import open_mailer
from groundwork.queue.contract import Queue
from groundwork.queue.open_ import open_queue
from groundwork.rate_limit.contract import Counters
from groundwork.rate_limit.open_ import open_counters
from groundwork.sealing import Sealer, keys_of_file, parse_keys
from groundwork.settings import SettingsRefused, read_file, read_settings
from groundwork.telemetry.metrics import Metrics
from openmeet.identities.custodial import Keeper, admin_authorization, mail_domain_of, offered_domain
from openmeet.identities.network import DEFAULT_TENANT, Network
from openmeet.identities.oauth_app import app_of
from openmeet.ingestion.events import Here
from openmeet.ingestion.intake import origin_of
from openmeet.records.results import results_of
from openmeet.settings import PREFIX, Settings, contradictions, dangers
from openmeet.tenants.model import Tenant, Tenants
from programs.running import VERSION, run_command


@dataclass(frozen=True, slots=True)
class Platform:
    """What every role of the platform stands on."""

    settings: Settings
    clock: Clock
    tenants: Tenants
    installation: Database
    queue: Queue
    network: Network
    mailer: Mailer
    pictures: BlobStore
    metrics: Metrics
    rsvp_operations: Counter
    results: Counter
    counters: Counters
    code_key: bytes
    here: Here

    @property
    def db(self) -> Database:
        """The database of the one tenant."""
        return self.tenants.default.database


def read_platform_settings(
    file: Path | None = None, environment: Mapping[str, str] = os.environ, *, sends_mail: bool = True
) -> Settings:
    """Settings from the environment and the ``[openmeet]`` table; contradictory and dangerous ones are refused.

    ``sends_mail``: an operator's command does not, and asks for no mail server.
    """
    table: Mapping[str, Any] | None = read_file(file).get("openmeet")
    return checked(read_settings(Settings, prefix=PREFIX, environment=environment, table=table), sends_mail=sends_mail)


def read_settings_of_installation(file: Path | None, environment: Mapping[str, str] = os.environ) -> Settings:
    """Settings for operators' commands, which serve nobody and send nothing: only what is needed to find the data.

    Raises Refused where there is none yet.
    """
    table: Mapping[str, Any] | None = read_file(file).get("openmeet")
    settings = read_settings(Settings, prefix=PREFIX, environment=environment, table=table)
    url = settings.tenant_database_url
    if url.startswith(SQLITE) and not sqlite_path(url).exists():
        why = f"There is no installation at {sqlite_path(url)}."
        raise Refused(
            f"{why} Name its settings file: --settings FILE (`openmeet up` keeps settings.toml in its folder)."
        )
    return settings


def checked(settings: Settings, *, sends_mail: bool = True) -> Settings:
    """The same settings. Raises ``SettingsRefused`` with a sentence per problem."""
    problems = contradictions(settings, sends_mail=sends_mail) + dangers_of([settings.public_host], dangers(settings))
    if problems:
        raise SettingsRefused(problems)
    return settings


@asynccontextmanager
async def open_platform(settings: Settings, clock: Clock) -> AsyncIterator[Platform]:
    """Migrate and open everything; the first start makes keys and folders."""
    async with AsyncExitStack() as stack:
        keys = _sealing_keys(settings)
        url, schema = settings.tenant_database_url, settings.database_schema
        await migrate(url, schema, "openmeet")
        db = await open_database(url, schema=schema, clock=clock)
        stack.push_async_callback(db.close)
        url, schema = settings.installation_database_url, settings.network_database_schema
        await migrate(url, schema, "openmeet.firehose")
        installation = await open_database(url, schema=schema, clock=clock)
        stack.push_async_callback(installation.close)
        queue = await open_queue_alone(settings, clock)
        stack.push_async_callback(queue.close)

        reach = DEVELOPMENT if settings.allow_private_addresses else PUBLIC
        http = HttpClient(reach, user_agent=f"openmeet/{VERSION}", origin_headers=_uncounted(settings))
        stack.push_async_callback(http.close)
        dids = DidResolver(http, clock, DidSettings(settings.plc_url, is_development=settings.dev_mode))
        stack.push_async_callback(dids.close)
        # On a laptop handles end in .test and no name server knows them: the development PDS is asked instead.
        through = (settings.pds_url,) if settings.dev_mode else ()
        handles = HandleResolver(http, dids, clock, HandleSettings(settings.dev_mode, through))
        stack.push_async_callback(handles.close)
        servers = OAuthServers(http, clock, is_development=settings.dev_mode)
        stack.push_async_callback(servers.close)
        cache = open_cache(settings.cache_url, prefix=DEFAULT_TENANT, clock=clock)
        stack.push_async_callback(cache.close)
        network = Network(
            http,
            clock,
            dids,
            handles,
            Sealer(keys),
            servers,
            cache,
            app=app_of(settings.public_url, settings.site_name),
            tenant=DEFAULT_TENANT,
        )
        stack.push_async_callback(network.settle)

        tenant = Tenant(DEFAULT_TENANT, db)
        metrics = Metrics("openmeet")
        # Where the cache is shared, so is the counting of requests; of all tenants, since addresses are.
        counters = open_counters(settings.cache_url, prefix="openmeet:limits")
        stack.push_async_callback(counters.close)
        mailer = _mailer(settings, clock)
        stack.push_async_callback(mailer.close)
        yield Platform(
            settings=settings,
            clock=clock,
            tenants=Tenants(tenant),
            installation=installation,
            queue=queue,
            network=network,
            mailer=mailer,
            pictures=open_folder(settings.data_directory / "media"),
            metrics=metrics,
            # Both the web and the publisher pay; under `openmeet up` they are one process.
            rsvp_operations=metrics.counter_called(
                "bluesky_rsvp_operations", "Records of answers written", ["tenant", "operation", "status"]
            ),
            results=results_of(metrics),
            counters=counters,
            code_key=hmac.digest(keys[0], b"openmeet/sign_in/codes", hashlib.sha256),
            here=Here(
                settings.public_url,
                tuple(hmac.digest(key, b"openmeet/records/erased", hashlib.sha256) for key in keys),
                believed=_believed(settings),
                flags=tenant.flags,
            ),
        )


def _believed(settings: Settings) -> frozenset[str]:
    """Origins of the PDSes that the operator named: what comes from there is nobody's surprise."""
    named = (settings.pds_url, *(url.partition("=")[2] or url for url in settings.firehose_urls))
    return frozenset(map(origin_of, named))


def run_on_platform(settings_file: Path | None, work: Callable[[Platform], Awaitable[None]]) -> None:
    """Do an operator's work on the platform that the settings name; what it owes by mail, the site sends."""
    settings = read_platform_settings(settings_file, sends_mail=False)

    async def run() -> None:
        async with open_platform(settings, SystemClock()) as platform:
            await work(platform)

    run_command(run)


def _sealing_keys(settings: Settings) -> list[bytes]:
    given = settings.sealing_keys.reveal()
    path = settings.data_directory / "sealing.key"
    try:
        return parse_keys(given) if given else keys_of_file(path)
    except ValueError as error:
        raise SettingsRefused([f"{PREFIX}SEALING_KEYS, or {path}: {error}."]) from None


async def open_queue_alone(settings: Settings, clock: Clock) -> Queue:
    """The queue of the one tenant. An embedded one keeps its tables apart from everything else, because its writes come in bursts."""
    url = settings.installation_database_url
    if url.startswith(SQLITE):
        url = f"{SQLITE}{(settings.data_directory / 'queue.db').absolute()}"
    try:
        return await open_queue(
            settings.broker_url, database_url=url, schema="openmeet_queue", clock=clock, name=settings.broker_name
        )
    except ValueError as error:
        raise SettingsRefused([f"{PREFIX}BROKER_URL: {error}."]) from None


def mailbox_folder(settings: Settings) -> Path:
    """Where the development mailbox keeps what would have been sent."""
    return (settings.data_directory / "mail").absolute()


def _mailer(settings: Settings, clock: Clock) -> Mailer:
    name, address = parseaddr(settings.mail_from)
    try:
        reply_to = parse_address(settings.mail_reply_to) if settings.mail_reply_to else None
        sender = Sender(name or settings.site_name, parse_address(address), reply_to)
        url = f"folder:{mailbox_folder(settings)}" if settings.dev_mailbox else settings.mail_url.reveal()
        return open_mailer(url, sender, clock)
    except ValueError as error:
        raise SettingsRefused([f"{PREFIX}MAIL_FROM, {PREFIX}MAIL_REPLY_TO or {PREFIX}MAIL_URL: {error}"]) from None


async def keeper_of(platform: Platform) -> Keeper:
    """Where repositories of people are kept; asks that PDS for its domain where no setting says it."""
    settings, network = platform.settings, platform.network
    domain = settings.pds_handle_domain
    if not domain:
        try:
            domain = await offered_domain(network, settings.pds_url)
        except Failure:
            # The PDS is away at the moment: the site works without it, and this is what most of them offer.
            domain = f".{urlsplit(settings.pds_url).hostname}"
    return Keeper(
        pds_url=settings.pds_url,
        admin_authorization=admin_authorization(settings.pds_admin_password.reveal()),
        handle_domain=domain,
        mail_domain=mail_domain_of(settings.public_url),
    )


def _uncounted(settings: Settings) -> dict[str, dict[str, str]]:
    """What keeps our own PDS from counting us as one person: all that people publish comes from this address."""
    key = settings.pds_rate_limit_bypass_key.reveal()
    return {settings.pds_url: {"x-ratelimit-bypass": key}} if key else {}
