"""A tenant, and all tenants of this installation."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from groundwork.database.transaction import Database
from openmeet.flags.switchboard import Switchboard


@dataclass(frozen=True, slots=True)
class Tenant:
    """One community: its name in metrics and file names, the database that holds everything of it, and its flags."""

    name: str
    database: Database
    flags: Switchboard = field(default_factory=Switchboard)


@dataclass(frozen=True, slots=True)
class Tenants:
    """The configured tenants. ``by_host`` maps lower-cased host names; whatever else is asked goes to the default."""

    default: Tenant
    by_host: Mapping[str, Tenant] = field(default_factory=dict)

    def for_host(self, host: str) -> Tenant:
        """The tenant of a ``Host`` header (port allowed)."""
        return self.by_host.get(host.rpartition(":")[0].lower() or host.lower(), self.default)
