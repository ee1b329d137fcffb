"""Resources that all communities of an installation share: the HTTP client, the network database, and rate limit
counters.

Nothing in them depends on a community. Data that another server gives to one community stays in that community's
database and cache.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from yarl import URL

from at_network.did_resolver import DidResolver, DidSettings
from at_network.handle_resolver import HandleResolver, HandleSettings
from at_network.oauth_servers import OAuthServers
from groundwork.clock import Clock
from groundwork.database.migrate import migrate
from groundwork.database.open_ import open_database
from groundwork.database.transaction import Database
from groundwork.http.client import HttpClient
from groundwork.http.reach import DEVELOPMENT, PUBLIC
from groundwork.rate_limit.contract import Counters
from groundwork.rate_limit.open_ import open_counters
from groundwork.sealing import Sealer, keys_of_file, parse_keys
from groundwork.settings import Secret, SettingsRefused
from groundwork.telemetry.metrics import Metrics
from groundwork.workers.pool import WorkerPool
from openmeet.settings import PREFIX, Settings
from openmeet.tenants.names import DEFAULT_TENANT
from programs.running import VERSION

# Methods that take a password, or a token from an e-mail instead of a password.
_PROOFS = frozenset(f"/xrpc/com.atproto.server.{name}" for name in ("createSession", "deleteAccount", "resetPassword"))


@dataclass(frozen=True, slots=True)
class SharedResources:
    """Resources that all communities share. ``keys``: the sealing keys, newest first. ``network``: the database of
    sources and cursors.
    """

    clock: Clock
    keys: list[bytes]
    sealer: Sealer
    network: Database
    http: HttpClient
    dids: DidResolver
    handles: HandleResolver
    servers: OAuthServers
    metrics: Metrics
    counters: Counters
    pds_keys: Mapping[str, Secret]
    workers: WorkerPool


@asynccontextmanager
async def open_shared_resources(settings: Mapping[str, Settings], clock: Clock) -> AsyncIterator[SharedResources]:
    """Open the resources that all communities share. ``settings``: by community name. The first start creates keys and
    folders.
    """
    base = settings[DEFAULT_TENANT]
    async with AsyncExitStack() as stack:
        keys = _sealing_keys(base)
        url, schema = base.installation_database_url, base.network_database_schema
        await migrate(url, schema, "openmeet.network.firehose")
        network = await open_database(url, schema=schema, clock=clock, connections=base.database_connections)
        stack.push_async_callback(network.close)
        reach = DEVELOPMENT if base.allow_private_addresses else PUBLIC
        http = HttpClient(
            reach,
            user_agent=f"openmeet/{VERSION}",
            origin_headers=rate_limit_exemptions(settings),
            omits_origin_headers=proves_password,
        )
        stack.push_async_callback(http.close)
        dids = DidResolver(http, clock, DidSettings(base.plc_url, base.second_plc_url, is_development=base.dev_mode))
        stack.push_async_callback(dids.close)
        # On a laptop, handles end in .test, which has no DNS, so the development PDSes are queried instead.
        through = tuple(dict.fromkeys(one.pds_url for one in settings.values())) if base.dev_mode else ()
        handles = HandleResolver(http, dids, clock, HandleSettings(base.dev_mode, through))
        stack.push_async_callback(handles.close)
        servers = OAuthServers(http, clock, is_development=base.dev_mode)
        stack.push_async_callback(servers.close)
        # If the cache is shared, so are the rate limit counters, across all communities, because they count client
        # addresses.
        counters = open_counters(base.cache_url, prefix="openmeet:limits")
        stack.push_async_callback(counters.close)
        metrics = Metrics("openmeet")
        workers = WorkerPool(base.worker_limits, metrics)
        stack.push_async_callback(workers.close)
        yield SharedResources(
            clock=clock,
            keys=keys,
            sealer=Sealer(keys),
            network=network,
            http=http,
            dids=dids,
            handles=handles,
            servers=servers,
            metrics=metrics,
            counters=counters,
            pds_keys=pds_keys(settings),
            workers=workers,
        )


def _sealing_keys(base: Settings) -> list[bytes]:
    keys = base.sealing_keys.reveal()
    path = base.data_directory / "sealing.key"
    try:
        return parse_keys(keys) if keys else keys_of_file(path)
    except ValueError as error:
        raise SettingsRefused([f"{PREFIX}SEALING_KEYS, or {path}: {error}."]) from None


def rate_limit_exemptions(settings: Mapping[str, Settings]) -> dict[str, dict[str, str]]:
    """Headers that exempt our requests from the rate limits of our own PDSes, because everything that people publish
    comes from this address.

    A community that names a PDS without its key does not affect another community that has the key.
    """
    keyed = {
        one.pds_url: one.pds_rate_limit_bypass_key.reveal()
        for one in settings.values()
        if one.pds_rate_limit_bypass_key
    }
    return {url: {"x-ratelimit-bypass": key} for url, key in keyed.items()}


def pds_keys(settings: Mapping[str, Settings]) -> dict[str, Secret]:
    """Secrets shared with our own PDSes, by their URL."""
    return {
        one.pds_url.rstrip("/"): one.pds_rate_limit_bypass_key
        for one in settings.values()
        if one.pds_rate_limit_bypass_key
    }


def proves_password(target: URL, headers: Mapping[str, str]) -> bool:
    """Whether a request checks a password. Such requests are rate-limited as usual, because somebody may be guessing
    passwords through us.
    """
    is_basic = any(
        name.lower() == "authorization" and value.lower().startswith("basic ") for name, value in headers.items()
    )
    return is_basic or target.path in _PROOFS
