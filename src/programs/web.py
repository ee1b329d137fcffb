"""``openmeet web``: the pages and the JSON API of every community of the events platform (``OPENMEET_…``, ``[openmeet]``)."""

from collections.abc import Mapping, Sequence

import typer
from starlette.routing import Route

from at_protocol.syntax.did import Did
from groundwork.clock import SystemClock
from groundwork.database.transaction import Database, Reader, Transaction
from groundwork.http.application import Application
from groundwork.http.server import serve
from groundwork.mail.folder import FolderMailbox
from groundwork.telemetry.health import Check
from openmeet.app import create_app
from openmeet.browsing import group_network_pages
from openmeet.claiming import actions as claiming
from openmeet.debts.publications import Kind
from openmeet.events.model import EventId
from openmeet.identities import pages as consent
from openmeet.identities import recovery_key_pages, taking_over_pages
from openmeet.identities.connecting import sign_in_with_password
from openmeet.identities.model import Preview
from openmeet.ingestion.api import Engines
from openmeet.personal_calendar.fetching import Outgoing
from openmeet.publication.payer import pay_now
from openmeet.publication.preview import preview
from openmeet.site import mailbox
from openmeet.tenants.health import check_name, checks_of
from openmeet.tenants.hosts import Hosts
from openmeet.tenants.model import DEFAULT_TENANT
from openmeet.users.model import UserId
from openmeet.xrpc.callers import service_callers
from programs.command_line import SettingsFile, role
from programs.platform import Installation, Platform, keeper_of, open_installation
from programs.platform_settings import read_installation_settings
from programs.publisher import publisher
from programs.running import run_until_stopped, wait_for_stop

app = role()

# How long a person waits for their own PDS before their event is kept as a draft and tried again.
PUBLISH_FIRST_SECONDS = 5.0


@app.command()
def main(settings_file: SettingsFile = None) -> None:
    """Serve the site, or several, until stopped."""
    found = read_installation_settings(settings_file)

    async def run() -> None:
        async with open_installation(found, SystemClock()) as installation:
            settings = installation.default.settings
            serving = await serve(await sites(installation), settings.host, settings.port)
            urls = ", ".join(one.public_url for one in found.values())
            typer.echo(f"OpenMeet answers at {urls} (listening on {serving.url})")
            try:
                await wait_for_stop()
            finally:
                await serving.stop()

    run_until_stopped(run)


async def sites(installation: Installation) -> Hosts:
    """Every community's site, each under its own host name."""
    checks = checks_of(one.tenant for one in installation.platforms)
    return Hosts(
        {one.tenant.name: await site(one, checks) for one in installation.platforms},
        {one.settings.public_host: one.tenant.name for one in installation.platforms},
        proxies_name_tenant=installation.default.settings.proxies_name_tenant,
    )


async def site(platform: Platform, checks: Mapping[str, Check] | None = None) -> Application:
    """One community's site over an open platform; ``checks``: of every community that the program serves."""
    own = check_name(platform.tenant.name)
    # The default community's operators are the installation's; what others are called is nobody else's business.
    others = {
        name: one for name, one in (checks or {}).items() if name != own and platform.tenant.name == DEFAULT_TENANT
    }

    async def with_password(db: Database, identifier: str, password: str) -> UserId:
        return await sign_in_with_password(
            db, platform.network, identifier=identifier, password=password, arrive=_arrive
        )

    paying = publisher(platform)

    async def publish_first(_db: Database, event_id: EventId) -> bool:
        return await pay_now(paying, Kind.EVENT, event_id, deadline_seconds=PUBLISH_FIRST_SECONDS)

    return create_app(
        platform.settings,
        platform.tenant,
        platform.metrics,
        code_key=platform.code_key,
        pictures=platform.pictures,
        password_sign_in=with_password,
        network=platform.network,
        publish_first=publish_first,
        more_pages=await _more_pages(platform),
        counters=platform.counters,
        engines=Engines(platform.installation, platform.queue, platform.here, others),
        checks=dict(checks or {}),
        service_callers=service_callers(platform.settings, platform.network),
        outgoing=Outgoing(platform.network.http, platform.network.sealer),
    )


async def _arrive(tx: Transaction, did: Did, handle: str, pds_url: str) -> UserId:
    return (await claiming.sign_in_with_did(tx, did, handle=handle, pds_url=pds_url)).user_id


async def _more_pages(platform: Platform) -> Sequence[Route]:
    """Pages that need more than a database."""
    instance = platform.settings.public_url

    async def of_person(reader: Reader, user_id: UserId) -> Preview:
        return await preview(reader, user_id, instance=instance)

    keeper = await keeper_of(platform)
    pages = [
        *consent.routes(platform.network, keeper, of_person),
        *taking_over_pages.routes(platform.network, keeper),
        *recovery_key_pages.routes(platform.network, keeper),
        *group_network_pages.repository_routes(keeper),
    ]
    if isinstance(platform.mailer, FolderMailbox):
        pages += mailbox.routes(platform.mailer)
    return pages
