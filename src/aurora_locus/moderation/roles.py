"""Operator roles and permissions: one table with the lowest role that may do each action.

Moderators handle content, admins also accounts, superadmins also the server itself. The administrator password
(``PDS_ADMIN_PASSWORD``) grants superadmin; the configured moderation service is a moderator. A role includes those
below it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from aurora_locus.i18n.sentences import localizable
from groundwork.errors import Forbidden


class OperatorRole(StrEnum):
    """Roles, lowest first."""

    MODERATOR = "moderator"
    ADMIN = "admin"
    SUPERADMIN = "superadmin"


class OperatorAction(StrEnum):
    """Every action of an operator. These names appear in the audit log."""

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


LEAST_ROLE: Final[Mapping[OperatorAction, OperatorRole]] = {
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
    # Setting a password or a key takes over the account. So does changing the address, to which a password reset can be
    # sent, and removing the second factors, after which a password is enough.
    OperatorAction.CHANGE_EMAIL: OperatorRole.SUPERADMIN,
    OperatorAction.REMOVE_SECOND_FACTORS: OperatorRole.SUPERADMIN,
    OperatorAction.SET_PASSWORD: OperatorRole.SUPERADMIN,
    OperatorAction.CHANGE_SIGNING_KEY: OperatorRole.SUPERADMIN,
    OperatorAction.MANAGE_OPERATORS: OperatorRole.SUPERADMIN,
}

_RANKS: Final = {role: rank for rank, role in enumerate(OperatorRole)}


@dataclass(frozen=True, slots=True)
class PdsOperator:
    """An operator, with the name used in the audit log."""

    name: str
    role: OperatorRole

    def may(self, act: OperatorAction) -> bool:
        """Whether the operator's role is sufficient for the action."""
        return _RANKS[self.role] >= _RANKS[LEAST_ROLE[act]]

    def require(self, act: OperatorAction) -> None:
        """Raise Forbidden unless the role is sufficient. The message names the required role."""
        if not self.may(act):
            raise Forbidden(
                localizable(
                    "This needs the role %(needed)s. Yours is %(role)s.",
                    needed=LEAST_ROLE[act].value,
                    role=self.role.value,
                )
            )


# The administrator who uses the password from the settings, and who has no name of their own.
ADMINISTRATION: Final = PdsOperator("admin", OperatorRole.SUPERADMIN)


@dataclass(frozen=True, slots=True)
class AuditContext:
    """Audit log data of an action: the operator, the reason, and the report that led to it, if any."""

    by: PdsOperator
    reason: str = ""
    report: int | None = None
