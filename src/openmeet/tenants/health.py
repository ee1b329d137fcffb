"""Whether a tenant's site can work: asked by every program for its operators, so it imports none of the site."""

from groundwork.telemetry.health import Check
from openmeet.tenants.model import Tenant


def ready(tenant: Tenant) -> Check:
    """The check that a tenant's database answers."""

    async def check() -> None:
        async with tenant.database.reader() as reader:
            await reader.fetch_one("select 1")

    return check
