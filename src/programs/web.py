"""``openmeet web``: the pages and the JSON API of every community of the events platform (``OPENMEET_…``,
``[openmeet]``).
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final

import typer
from yarl import URL

from groundwork.cache.open_ import check_cache, open_cache
from groundwork.clock import SystemClock
from groundwork.database.transaction import Database
from groundwork.http.application import Application
from groundwork.http.client import HttpClient
from groundwork.http.reach import DEVELOPMENT, PUBLIC
from groundwork.http.server import serve
from groundwork.mail.folder import FolderMailbox
from groundwork.telemetry.health import log_fields
from groundwork.telemetry.logs import log
from groundwork.telemetry.probes import probing
from openmeet.app import create_app
from openmeet.domain.calendars import fetch
from openmeet.domain.calendars.fetch import CalendarFetcher
from openmeet.domain.events import town_positions
from openmeet.domain.events.queries import MISSING_POSITIONS
from openmeet.domain.media import pictures
from openmeet.domain.places.gazetteer import Gazetteer, places_path
from openmeet.domain.places.geocoder import Geocoder, GeocoderKind, GeocoderSettings
from openmeet.i18n import catalogue
from openmeet.network.ingestion.record_pictures import RecordPictures
from openmeet.network.publishing.consent import ConsentDependencies
from openmeet.network.status import SyncDependencies
from openmeet.tenants.health import ProgramHealth, check_name, checks_of
from openmeet.tenants.names import DEFAULT_TENANT
from openmeet.web.series import recurrence_form
from openmeet.web.site.chat_stream_feed import ChatStreamFeed
from openmeet.web.site.page_streams import PageStreams
from openmeet.web.site.services import Services
from openmeet.web.site.tenant_routing import SitesByHost
from openmeet.web.xrpc.call import service_callers
from programs.outbox_dispatcher import publishing_dependencies
from programs.platform import Installation, Platform, custodial_pds_of, open_installation
from programs.platform_settings import log_misspelt_names, read_installation_settings
from programs.probes import WEB, probes_of, serving_of
from programs.running import VERSION, run_until_stopped, wait_for_stop

_REDIS_ADVICE = (
    "Check OPENMEET_CACHE_URL and whether Redis is running; until it answers, each process counts requests on its own."
)
# Events per transaction whose towns are looked up. Each takes up to a millisecond, in which no request is answered.
_TOWNS_AT_ONCE: Final = 10


def serve_sites(settings_file: Path | None) -> None:
    """Serve the site, or several, until stopped."""
    settings_by_tenant = read_installation_settings(settings_file)

    async def run() -> None:
        log_misspelt_names()
        async with open_installation(settings_by_tenant, SystemClock()) as installation:
            settings = installation.default.settings
            async with open_sites(installation) as app:
                serving = await serve(
                    app,
                    settings.host,
                    settings.port,
                    connections=settings.client_connections,
                    connections_of_address=settings.client_connections_per_address,
                    is_proxy=lambda _: settings.trusted_proxy_hops > 0,
                )
                urls = ", ".join(one.public_url for one in settings_by_tenant.values())
                typer.echo(f"OpenMeet answers at {urls} (listening on {serving.url})")
                try:
                    await wait_for_stop()
                finally:
                    app.end_streams()
                    await serving.stop()

    run_until_stopped(run)


@asynccontextmanager
async def open_sites(installation: Installation) -> AsyncIterator[SitesByHost]:
    """Every community's site by its host name. Probes run until the block ends."""
    catalogue.read_all()
    # Communities share these workers, for jobs that people wait for: previews of forms, pictures, calendars.
    installation.default.workers.keep_ready([one.__name__ for one in (recurrence_form, pictures, fetch)])
    checks = checks_of(one.tenant for one in installation.platforms)
    await check_cache(installation.default.network.cache, _REDIS_ADVICE)
    async with probing(probes_of(installation, WEB), installation.default.metrics) as probes:
        health = ProgramHealth(checks, probes, serving_of(installation, WEB))
        chat_streams = {one.tenant.name: ChatStreamFeed() for one in installation.platforms}
        page_streams = {one.tenant.name: PageStreams() for one in installation.platforms}
        places = Gazetteer(places_path(installation.default.settings))
        deriving = [
            asyncio.create_task(derive_positions_when_written(one.db, places)) for one in installation.platforms
        ]
        try:
            async with open_geocoder(installation.default, places) as geocoder:
                yield SitesByHost(
                    {
                        one.tenant.name: await open_site(
                            one, health, chat_streams[one.tenant.name], page_streams[one.tenant.name], places, geocoder
                        )
                        for one in installation.platforms
                    },
                    {one.settings.public_host: one.tenant.name for one in installation.platforms},
                    proxies_name_tenant=installation.default.settings.proxies_name_tenant,
                    streams=[*chat_streams.values(), *page_streams.values()],
                )
        finally:
            for task in deriving:
                task.cancel()
            await asyncio.wait(deriving)
            await places.close()


async def derive_positions_when_written(db: Database, places: Gazetteer) -> None:
    """Derive the position of events from their town as soon as this process has written them, until cancelled. People
    search for their event immediately after they have created it.

    The scheduler derives the positions of all others: those that other processes wrote, and those that were written
    before the list of places was built.
    """
    written = MISSING_POSITIONS.new()
    while True:
        await written.wait()
        written.clear()
        try:
            await town_positions.derive_positions_and_zones(db, places, at_once=_TOWNS_AT_ONCE)
        except Exception as failure:  # noqa: BLE001 - the edge of a worker: the scheduler tries again
            log.error("positions.failed", **log_fields(failure))


@asynccontextmanager
async def open_geocoder(platform: Platform, places: Gazetteer) -> AsyncIterator[Geocoder | None]:
    """The geocoder that the operator chose; None if they chose none.

    If its URL is https on the usual port, it is called only at public addresses, like all servers of other people. With
    any other URL, the operator states that it is in their own network. Redirects are not followed.
    """
    settings = platform.settings
    if not settings.geocoder:
        yield None
        return
    address = URL(settings.geocoder_url)
    is_public = address.scheme == "https" and address.is_default_port() and not settings.allow_private_addresses
    geocoder_settings = GeocoderSettings(
        GeocoderKind(settings.geocoder),
        settings.geocoder_url,
        settings.geocoder_credit,
        f"OpenMeet/{VERSION} ({settings.public_url}; {settings.contact})",
        while_typing=settings.geocoder_while_typing,
    )
    async with AsyncExitStack() as stack:
        http = HttpClient(PUBLIC if is_public else DEVELOPMENT, connections=4, shares_connections=False)
        stack.push_async_callback(http.close)
        cache = open_cache(settings.cache_url, prefix="openmeet:geocoder", clock=platform.clock)
        stack.push_async_callback(cache.close)
        yield Geocoder(geocoder_settings, http, cache, platform.counters, platform.clock, places)


def show_streams(platform: Platform, chat_streams: ChatStreamFeed, page_streams: PageStreams) -> None:
    """Set the gauges of live streams: how many this process has open for a community, and its limit for each kind."""
    name, metrics = platform.tenant.name, platform.metrics
    open_now = metrics.gauge("live_streams", "Open live streams of chats", ["tenant"])
    open_now.labels(name).set_function(partial(_count_streams, chat_streams))
    pages = metrics.gauge("live_pages", "Open live streams of pages that are not chats", ["tenant"])
    pages.labels(name).set_function(lambda: page_streams.slots.count)
    most = metrics.gauge("live_streams_limit", "Maximum number of live streams of either kind per process", ["tenant"])
    most.labels(name).set(platform.settings.live_streams)


def _count_streams(chat_streams: ChatStreamFeed) -> float:
    return chat_streams.count


async def open_site(
    platform: Platform,
    health: ProgramHealth | None = None,
    chat_streams: ChatStreamFeed | None = None,
    page_streams: PageStreams | None = None,
    places: Gazetteer | None = None,
    geocoder: Geocoder | None = None,
) -> Application:
    """One community's site over an open platform.

    ``health``: the health checks of all communities that the program serves. ``chat_streams`` and ``page_streams``: its
    live streams, for the caller who ends them. ``places`` and ``geocoder``: shared by all communities.
    """
    checks = health.checks if health else {}
    own_name = check_name(platform.tenant.name)
    # The default community's operators run the installation. Only they are shown the names of other communities.
    others = {name: one for name, one in checks.items() if name != own_name and platform.tenant.name == DEFAULT_TENANT}

    chat_streams, page_streams = chat_streams or ChatStreamFeed(), page_streams or PageStreams()
    show_streams(platform, chat_streams, page_streams)
    services = Services(
        platform.settings,
        platform.tenant,
        platform.code_key,
        counters=platform.counters,
        pictures=platform.pictures,
        record_pictures=RecordPictures(platform.network, platform.pictures, platform.workers),
        network=platform.network,
        publishing=ConsentDependencies(platform.network, custodial_pds_of(platform.settings)),
        publishing_dependencies=publishing_dependencies(platform),
        calendar_fetcher=CalendarFetcher(platform.network.http, platform.network.sealer),
        sync_dependencies=SyncDependencies(platform.installation, platform.queue, platform.ingestion_context, others),
        service_callers=service_callers(platform.settings, platform.network),
        workers=platform.workers,
        chat_streams=chat_streams,
        page_streams=page_streams,
        places=places,
        geocoder=geocoder,
        dev_mailbox=platform.mailer if isinstance(platform.mailer, FolderMailbox) else None,
        probes=health.probes if health else None,
    )
    return create_app(services, platform.metrics, health=health)
