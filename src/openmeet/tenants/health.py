"""Whether a tenant's site can work: asked by every program for its operators, so it imports none of the site."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from groundwork.telemetry.health import Check
from groundwork.telemetry.probes import Probes
from openmeet.tenants.model import DEFAULT_TENANT, Tenant


@dataclass(frozen=True, slots=True)
class Health:
    """What a program's health is made of; ``serving``: per community the names without which it is not served."""

    checks: Mapping[str, Check]
    probes: Probes | None
    serving: Sequence[Collection[str]]


def ready(tenant: Tenant) -> Check:
    """The check that a tenant's database answers."""

    async def check() -> None:
        async with tenant.database.reader() as reader:
            await reader.fetch_one("select 1")

    return check


def checks_of(tenants: Iterable[Tenant]) -> dict[str, Check]:
    """The same of several, each by what it looks at: ``database``, ``database of village``."""
    return {check_name(one.name): ready(one) for one in tenants}


def check_name(tenant: str) -> str:
    return "database" if tenant == DEFAULT_TENANT else f"database of {tenant}"
