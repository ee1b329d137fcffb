"""Who works for the host, and what each role may do: one table, each act with the least role that may do it.

Moderators look after what is said here, admins after the accounts, superadmins after the server itself. Whoever knows
``PDS_ADMIN_PASSWORD`` is a superadmin; the configured moderation service is a moderator. A role may do what those below it may.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from groundwork.errors import Forbidden


class OperatorRole(StrEnum):
    """In rising order."""

    MODERATOR = "moderator"
    ADMIN = "admin"
    SUPERADMIN = "superadmin"


class OperatorAction(StrEnum):
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


LEAST: Final[Mapping[OperatorAction, OperatorRole]] = {
    OperatorAction.SEE: OperatorRole.MODERATOR,
    OperatorAction.TAKE_DOWN: OperatorRole.MODERATOR,
    OperatorAction.RESTORE: OperatorRole.MODERATOR,
    OperatorAction.ANNOUNCE: OperatorRole.MODERATOR,
    OperatorAction.SUSPEND: OperatorRole.MODERATOR,
    OperatorAction.END_SUSPENSION: OperatorRole.MODERATOR,
    OperatorAction.DEACTIVATE: OperatorRole.MODERATOR,
    OperatorAction.REACTIVATE: OperatorRole.MODERATOR,
    OperatorAction.DISABLE_INVITES: OperatorRole.MODERATOR,
    OperatorAction.ENABLE_INVITES: OperatorRole.MODERATOR,
    OperatorAction.DISABLE_CODES: OperatorRole.MODERATOR,
    OperatorAction.SEND_EMAIL: OperatorRole.MODERATOR,
    OperatorAction.WORK_ON_REPORT: OperatorRole.MODERATOR,
    OperatorAction.LABEL: OperatorRole.MODERATOR,
    OperatorAction.CREATE_CODES: OperatorRole.ADMIN,
    OperatorAction.CREATE_ACCOUNT: OperatorRole.ADMIN,
    OperatorAction.SEND_RESET: OperatorRole.ADMIN,
    OperatorAction.CHANGE_HANDLE: OperatorRole.ADMIN,
    OperatorAction.RELEASE_HANDLE: OperatorRole.ADMIN,
    OperatorAction.SET_QUOTA: OperatorRole.ADMIN,
    OperatorAction.DELETE: OperatorRole.ADMIN,
    OperatorAction.REQUEST_CRAWL: OperatorRole.ADMIN,
    OperatorAction.SWEEP_BLOBS: OperatorRole.ADMIN,
    # Whoever sets a password or a key is that account from then on; so is whoever reads the mail that resets the password.
    OperatorAction.CHANGE_EMAIL: OperatorRole.SUPERADMIN,
    OperatorAction.SET_PASSWORD: OperatorRole.SUPERADMIN,
    OperatorAction.CHANGE_SIGNING_KEY: OperatorRole.SUPERADMIN,
    OperatorAction.MANAGE_OPERATORS: OperatorRole.SUPERADMIN,
}

_RANKS: Final = {role: rank for rank, role in enumerate(OperatorRole)}


@dataclass(frozen=True, slots=True)
class PdsOperator:
    """Somebody who works for the host, by the name that the audit log gives them."""

    name: str
    role: OperatorRole

    def may(self, act: OperatorAction) -> bool:
        """Whether the role suffices."""
        return _RANKS[self.role] >= _RANKS[LEAST[act]]

    def require(self, act: OperatorAction) -> None:
        """Raise Forbidden, naming the role that is needed."""
        if not self.may(act):
            raise Forbidden(f"This needs the role {LEAST[act]}; {self.name} has the role {self.role}.")


# Of whoever knows the password of the settings: it has no name of its own.
ADMINISTRATION: Final = PdsOperator("admin", OperatorRole.SUPERADMIN)


@dataclass(frozen=True, slots=True)
class Deed:
    """One act about to be done: by whom, why, and because of which report, if any."""

    by: PdsOperator
    reason: str = ""
    report: int | None = None
