"""The events platform, opened for any role: the database, queue and mail of every community. Closed in reverse order."""

import hashlib
import hmac
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from email.utils import parseaddr
from pathlib import Path

from prometheus_client import Counter

from groundwork.blobstore.contract import BlobStore
from groundwork.cache.open_ import open_cache
from groundwork.clock import Clock, SystemClock
from groundwork.database.deferred import DeferredDatabase
from groundwork.database.transaction import Database
from groundwork.mail.address import parse_address
from groundwork.mail.contract import Mailer, Sender
from groundwork.mail.open_ import open_mailer
from groundwork.queue.contract import Queue
from groundwork.rate_limit.contract import Counters
from groundwork.settings import SettingsRefused
from groundwork.signing_key import SigningKey
from groundwork.telemetry.metrics import Metrics
from groundwork.workers.pool import WorkerPool
from openmeet.domain.media.store import open_pictures
from openmeet.network.ingestion.context import IngestionContext
from openmeet.network.ingestion.intake import origin_of
from openmeet.network.records.metrics import results_of
from openmeet.network.repositories.clients import NetworkClients, app_of
from openmeet.network.repositories.custodial import CustodialPds, admin_authorization, mail_domain_of
from openmeet.settings import PREFIX, Settings
from openmeet.tenants.configured import Tenant
from openmeet.tenants.names import DEFAULT_TENANT
from programs.community_databases import CommunityDatabases, open_databases
from programs.community_queues import queue_over
from programs.erasure_ledger import catch_up
from programs.platform_settings import community_named, read_installation_settings
from programs.running import run_command
from programs.shared_resources import SharedResources, open_shared_resources


@dataclass(frozen=True, slots=True)
class Platform:
    """One community's site: everything that a role needs to work for it. ``installation``: the database that all
    communities share.

    ``queue_tables``: the database of an embedded queue; None if the queue is on a broker.
    """

    settings: Settings
    clock: Clock
    tenant: Tenant
    installation: Database
    queue: Queue
    queue_tables: Database | None
    network: NetworkClients
    mailer: Mailer
    pictures: BlobStore
    metrics: Metrics
    rsvp_operations: Counter
    results: Counter
    counters: Counters
    code_key: SigningKey
    ingestion_context: IngestionContext
    workers: WorkerPool

    @property
    def db(self) -> Database:
        """The community's database."""
        return self.tenant.database

    @property
    def keeps_messages(self) -> bool:
        """Whether its queue stores messages. It does not if the queue was unavailable at start and has not come back."""
        return not isinstance(self.queue_tables, DeferredDatabase) or self.queue_tables.is_open.is_set()


@dataclass(frozen=True, slots=True)
class Installation:
    """Every community of an installation, the default one first."""

    platforms: tuple[Platform, ...]

    @property
    def default(self) -> Platform:
        """The default community. Its settings say where a program listens."""
        return self.platforms[0]


@asynccontextmanager
async def open_installation(settings: Mapping[str, Settings], clock: Clock) -> AsyncIterator[Installation]:
    """Migrate and open everything. ``settings``: by community name, the default one first.

    A community whose database does not answer is included and refuses requests until it does; if no database answers,
    opening fails. A database that was restored from a backup is first updated with the deletions of people since then.
    """
    async with AsyncExitStack() as stack:
        shared = await stack.enter_async_context(open_shared_resources(settings, clock))
        databases = await stack.enter_async_context(open_databases(settings, clock, shared.metrics, catch_up))
        platforms = [
            await stack.enter_async_context(_open_site(name, one, shared, databases[name]))
            for name, one in settings.items()
        ]
        yield Installation(tuple(platforms))


@asynccontextmanager
async def _open_site(
    name: str, settings: Settings, shared: SharedResources, stores: CommunityDatabases
) -> AsyncIterator[Platform]:
    clock = shared.clock
    async with AsyncExitStack() as stack:
        queue = await queue_over(name, settings, stores.queue_tables, clock)
        if stores.queue_tables is None:
            stack.push_async_callback(queue.close)
        cache = open_cache(settings.cache_url, prefix=name, clock=clock)
        stack.push_async_callback(cache.close)
        network = NetworkClients(
            shared.http,
            clock,
            shared.dids,
            shared.handles,
            shared.sealer,
            shared.servers,
            cache,
            shared.workers,
            app=app_of(settings.public_url, settings.site_name),
            tenant=name,
            pds_keys=shared.pds_keys,
        )
        stack.push_async_callback(network.wait_for_refreshes)
        mailer = _mailer(settings, clock)
        stack.push_async_callback(mailer.close)
        tenant = Tenant(name, stores.db)
        yield Platform(
            settings=settings,
            clock=clock,
            tenant=tenant,
            installation=shared.network,
            queue=queue,
            queue_tables=stores.queue_tables,
            network=network,
            mailer=mailer,
            pictures=open_pictures(settings, name),
            metrics=shared.metrics,
            # Both web and publisher deliver records. Under `openmeet up`, they are one process.
            rsvp_operations=shared.metrics.counter_called(
                "bluesky_rsvp_operations", "RSVP records written", ["tenant", "operation", "status"]
            ),
            results=results_of(shared.metrics),
            counters=shared.counters,
            code_key=_code_key(shared.keys, name),
            ingestion_context=IngestionContext(
                settings.public_url,
                tuple(_derived(key, "openmeet/records/erased", name) for key in shared.keys),
                trusted_origins=_trusted_origins(settings),
                flags=tenant.flags,
            ),
            workers=shared.workers,
        )


def _code_key(keys: list[bytes], name: str) -> SigningKey:
    newest, *before = (_derived(key, "openmeet/sign_in/codes", name) for key in keys)
    return SigningKey(newest, tuple(before))


def _derived(key: bytes, purpose: str, name: str) -> bytes:
    """A key for one purpose of one community. For compatibility, the default community's label is the purpose alone."""
    label = purpose if name == DEFAULT_TENANT else f"{purpose}/{name}"
    return hmac.digest(key, label.encode(), hashlib.sha256)


def _trusted_origins(settings: Settings) -> frozenset[str]:
    """Origins of the PDSes that the operator named as trusted sources."""
    trusted = (settings.pds_url, *(url.partition("=")[2] or url for url in settings.firehose_urls))
    return frozenset(map(origin_of, trusted))


def run_on_platform(settings_file: Path | None, tenant: str, work: Callable[[Platform], Awaitable[None]]) -> None:
    """Run an operator's command for the community with this name. The site sends the e-mails that it enqueues. Raises
    NotFound, and SettingsRefused if there is no database and no settings say that there should be one.
    """
    settings_by_tenant = read_installation_settings(settings_file, sends_mail=False)
    settings = community_named(settings_by_tenant, tenant)
    if settings_file is None:
        _require_installation(settings)

    async def run() -> None:
        clock = SystemClock()
        async with (
            open_shared_resources(settings_by_tenant, clock) as shared,
            open_databases({tenant: settings}, clock, shared.metrics) as databases,
            _open_site(tenant, settings, shared, databases[tenant]) as platform,
        ):
            await work(platform)

    run_command(run)


def _require_installation(settings: Settings) -> None:
    """Refuse to create an empty database in the current folder, because the command would say that nothing waits."""
    default_folder = Path("var/openmeet")
    is_default = settings.data_directory == default_folder and not settings.database_url
    if is_default and not (default_folder / "openmeet.db").exists():
        raise SettingsRefused(
            [
                (
                    f"There is no database in {default_folder.absolute()}. Name the settings of your site with "
                    "--settings FILE."
                )
            ]
        )


def mailbox_folder(settings: Settings) -> Path:
    """The folder of the development mailbox."""
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


def custodial_pds_of(settings: Settings) -> CustodialPds:
    """The PDS for custodial accounts."""
    return CustodialPds(
        pds_url=settings.pds_url,
        admin_authorization=admin_authorization(settings.pds_admin_password.reveal()),
        handle_domain=settings.pds_handle_domain,
        mail_domain=mail_domain_of(settings.public_url),
    )
