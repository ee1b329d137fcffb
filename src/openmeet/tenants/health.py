"""Health of communities: a check that passes if the database answers, and the names and results of probes."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from groundwork.telemetry.health import OK, Check
from groundwork.telemetry.probes import Probes
from openmeet.tenants.configured import Tenant
from openmeet.tenants.names import DEFAULT_TENANT

# The probe that writes durably to the database of a community.
WRITES: Final = "writes"


@dataclass(frozen=True, slots=True)
class ProgramHealth:
    """Inputs of a program's health check. ``serving``: by community, the names of the checks without which it is not
    served.
    """

    checks: Mapping[str, Check]
    probes: Probes | None
    serving: Sequence[Collection[str]]


def ready(tenant: Tenant) -> Check:
    """Make the health check of a tenant, which passes if its database answers a query."""

    async def check() -> None:
        async with tenant.database.reader() as reader:
            await reader.fetch_one("select 1")

    return check


def checks_of(tenants: Iterable[Tenant]) -> dict[str, Check]:
    """Checks of several tenants, by name: ``database``, ``database of village``."""
    return {check_name(one.name): ready(one) for one in tenants}


def check_name(tenant: str) -> str:
    return probe_name("database", tenant)


def probe_name(kind: str, tenant: str) -> str:
    return kind if tenant == DEFAULT_TENANT else f"{kind} of {tenant}"


def can_write(probes: Probes | None, tenant: str) -> bool:
    """Whether the last durable write to the community's database succeeded. True for a program without probes."""
    return probes is None or probes.outcomes()[probe_name(WRITES, tenant)].outcome == OK
