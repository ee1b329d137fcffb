"""Operator roles and permissions: one table, each action with the lowest role that may do it.

Moderators handle content, admins also accounts, superadmins also the server itself. The administrator password
(``PDS_ADMIN_PASSWORD``) gives superadmin; the configured moderation service is a moderator. A role includes those below it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from aurora_locus.i18n.sentences import said
from groundwork.errors import Forbidden


class OperatorRole(StrEnum):
    """In rising order."""

    MODERATOR = "moderator"
    ADMIN = "admin"
    SUPERADMIN = "superadmin"


class OperatorAction(StrEnum):
    """Every action of an operator; these words appear in the audit log."""

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
    REMOVE_SECOND_FACTORS = "account.remove_second_factors"
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
    # Setting a password or a key takes over the account; so does reading the e-mail that resets the password, and a
    # password is enough once nothing else is asked for.
    OperatorAction.CHANGE_EMAIL: OperatorRole.SUPERADMIN,
    OperatorAction.REMOVE_SECOND_FACTORS: OperatorRole.SUPERADMIN,
    OperatorAction.SET_PASSWORD: OperatorRole.SUPERADMIN,
    OperatorAction.CHANGE_SIGNING_KEY: OperatorRole.SUPERADMIN,
    OperatorAction.MANAGE_OPERATORS: OperatorRole.SUPERADMIN,
}

_RANKS: Final = {role: rank for rank, role in enumerate(OperatorRole)}


@dataclass(frozen=True, slots=True)
class PdsOperator:
    """An operator, by the name used in the audit log."""

    name: str
    role: OperatorRole

    def may(self, act: OperatorAction) -> bool:
        """Whether the operator's role suffices for the action."""
        return _RANKS[self.role] >= _RANKS[LEAST[act]]

    def require(self, act: OperatorAction) -> None:
        """Raise Forbidden, naming the required role."""
        if not self.may(act):
            raise Forbidden(
                said(
                    "This needs the role %(needed)s. Yours is %(role)s.", needed=LEAST[act].value, role=self.role.value
                )
            )


# Name of the administrator with the password from the settings, who has no name of their own.
ADMINISTRATION: Final = PdsOperator("admin", OperatorRole.SUPERADMIN)


@dataclass(frozen=True, slots=True)
class AuditContext:
    """What the audit log needs of an action: who does it, why, and because of which report, if any."""

    by: PdsOperator
    reason: str = ""
    report: int | None = None
