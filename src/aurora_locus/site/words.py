"""Names of account states, which several pages show."""

from typing import Final

from aurora_locus.i18n.catalogue import plazy

STATUSES: Final = {
    "active": plazy("status of an account", "active"),
    "deactivated": plazy("status of an account", "paused"),
    "suspended": plazy("status of an account", "suspended"),
    "takendown": plazy("status of an account", "taken down"),
    "deleted": plazy("status of an account", "deleted"),
}
