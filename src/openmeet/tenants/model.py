"""A tenant: one community's site."""

from dataclasses import dataclass, field
from typing import Final

from groundwork.database.transaction import Database
from openmeet.feature_flags.flags import Switchboard

# Who is asked where no other community is named; all of an installation that names none.
DEFAULT_TENANT: Final = "default"


@dataclass(frozen=True, slots=True)
class Tenant:
    """One community: its name in metrics and file names, the database that holds everything of it, and its flags."""

    name: str
    database: Database
    flags: Switchboard = field(default_factory=Switchboard)
