"""Who works for the host, and what each role may do: one table, each act with the least role that may do it.

Moderators look after what is said here, admins after the accounts, superadmins after the server itself. Whoever knows
``PDS_ADMIN_PASSWORD`` is a superadmin; the configured moderation service is a moderator. A role may do what those below it may.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from groundwork.errors import Forbidden


class Role(StrEnum):
    """In rising order."""

    MODERATOR = "moderator"
    ADMIN = "admin"
    SUPERADMIN = "superadmin"


class Act(StrEnum):
    """Everything that somebody can do for the host; these words stand in the audit log."""

    SEE = "see"
    TAKE_DOWN = "subject.take_down"
    RESTORE = "subject.restore"
    ANNOUNCE = "account.announce"
    SUSPEND = "account.suspend"
    END_SUSPENSION = "account.end_suspension"
    DEACTIVATE = "account.deactivate"
    REACTIVATE = "account.reactivate"
    DISABLE_INVITES = "account.disable_invites"
    ENABLE_INVITES = "account.enable_invites"
    DISABLE_CODES = "invites.disable"
    SEND_EMAIL = "account.send_email"
    WORK_ON_REPORT = "report.work_on"
    LABEL = "subject.label"
    CREATE_CODES = "invites.create"
    CREATE_ACCOUNT = "account.create"
    SEND_RESET = "account.send_password_reset"
    CHANGE_EMAIL = "account.change_email"
    CHANGE_HANDLE = "account.change_handle"
    RELEASE_HANDLE = "account.release_handle"
    SET_QUOTA = "account.set_quota"
    DELETE = "account.delete"
    REQUEST_CRAWL = "server.request_crawl"
    SWEEP_BLOBS = "server.sweep_blobs"
    SET_PASSWORD = "account.set_password"  # noqa: S105 - an act
    CHANGE_SIGNING_KEY = "account.change_signing_key"
    MANAGE_OPERATORS = "operators.manage"


LEAST: Final[Mapping[Act, Role]] = {
    Act.SEE: Role.MODERATOR,
    Act.TAKE_DOWN: Role.MODERATOR,
    Act.RESTORE: Role.MODERATOR,
    Act.ANNOUNCE: Role.MODERATOR,
    Act.SUSPEND: Role.MODERATOR,
    Act.END_SUSPENSION: Role.MODERATOR,
    Act.DEACTIVATE: Role.MODERATOR,
    Act.REACTIVATE: Role.MODERATOR,
    Act.DISABLE_INVITES: Role.MODERATOR,
    Act.ENABLE_INVITES: Role.MODERATOR,
    Act.DISABLE_CODES: Role.MODERATOR,
    Act.SEND_EMAIL: Role.MODERATOR,
    Act.WORK_ON_REPORT: Role.MODERATOR,
    Act.LABEL: Role.MODERATOR,
    Act.CREATE_CODES: Role.ADMIN,
    Act.CREATE_ACCOUNT: Role.ADMIN,
    Act.SEND_RESET: Role.ADMIN,
    Act.CHANGE_HANDLE: Role.ADMIN,
    Act.RELEASE_HANDLE: Role.ADMIN,
    Act.SET_QUOTA: Role.ADMIN,
    Act.DELETE: Role.ADMIN,
    Act.REQUEST_CRAWL: Role.ADMIN,
    Act.SWEEP_BLOBS: Role.ADMIN,
    # Whoever sets a password or a key is that account from then on; so is whoever reads the mail that resets the password.
    Act.CHANGE_EMAIL: Role.SUPERADMIN,
    Act.SET_PASSWORD: Role.SUPERADMIN,
    Act.CHANGE_SIGNING_KEY: Role.SUPERADMIN,
    Act.MANAGE_OPERATORS: Role.SUPERADMIN,
}

_RANKS: Final = {role: rank for rank, role in enumerate(Role)}


@dataclass(frozen=True, slots=True)
class Operator:
    """Somebody who works for the host, by the name that the audit log gives them."""

    name: str
    role: Role

    def may(self, act: Act) -> bool:
        """Whether the role suffices."""
        return _RANKS[self.role] >= _RANKS[LEAST[act]]

    def require(self, act: Act) -> None:
        """Raise Forbidden, naming the role that is needed."""
        if not self.may(act):
            raise Forbidden(f"This needs the role {LEAST[act]}; {self.name} has the role {self.role}.")


# Of whoever knows the password of the settings: it has no name of its own.
ADMINISTRATION: Final = Operator("admin", Role.SUPERADMIN)


@dataclass(frozen=True, slots=True)
class Deed:
    """One act about to be done: by whom, why, and because of which report, if any."""

    by: Operator
    reason: str = ""
    report: int | None = None
