"""Account actions on the admin pages: texts, form fields, and the ``moderation`` function that each calls."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from at_protocol.syntax.did import Did
from aurora_locus.accounts.registry import Registry
from aurora_locus.i18n.catalogue import LazyText, lazy
from aurora_locus.i18n.sentences import gettext_noop
from aurora_locus.moderation import account_actions, notices, subject_actions
from aurora_locus.moderation.roles import AuditContext, OperatorAction
from aurora_locus.moderation.subject_actions import SubjectStatusRequest
from aurora_locus.moderation.takedowns import NO_REFERENCE, AccountDecisions
from groundwork.clock import DAY, Instant
from groundwork.errors import InvalidInput
from groundwork.settings import parse_bytes

Run = Callable[[Registry, AuditContext, Did, Mapping[str, str]], Awaitable[None]]

# The lengths of a suspension in days, with their labels; 0 means until lifted.
SUSPENSIONS: Final = {
    "1": lazy("A day"),
    "3": lazy("Three days"),
    "7": lazy("A week"),
    "30": lazy("Thirty days"),
    "0": lazy("Until an operator ends it"),
}


class ActionGroup(StrEnum):
    """Group of an action. The page shows the groups in this order."""

    VISIBILITY = "visibility"
    CONTACT = "contact"
    DETAILS = "details"
    END = "end"


GROUPS: Final = {
    ActionGroup.VISIBILITY: lazy("Visibility"),
    ActionGroup.CONTACT: lazy("Get in touch"),
    ActionGroup.DETAILS: lazy("Details"),
    ActionGroup.END: lazy("Permanent"),
}


@dataclass(frozen=True, slots=True)
class AccountAction:
    """An action. ``consequence`` describes its effect, ``undo`` how to reverse it. ``confirmation`` is the label of a
    checkbox that must be selected. ``is_end`` marks an irreversible action, for which the account's handle must be
    typed.
    """

    slug: str
    act: OperatorAction
    title: LazyText
    consequence: LazyText
    undo: LazyText
    run: Run
    fields: tuple[str, ...] = ()
    confirmation: LazyText | None = None
    is_end: bool = False

    @property
    def group(self) -> ActionGroup:
        """The group in which the page shows the action."""
        match self.act:
            case OperatorAction.SEND_EMAIL | OperatorAction.SEND_RESET:
                return ActionGroup.CONTACT
            case OperatorAction.DISABLE_INVITES | OperatorAction.ENABLE_INVITES | OperatorAction.SET_QUOTA:
                return ActionGroup.DETAILS
            case OperatorAction.CHANGE_EMAIL | OperatorAction.CHANGE_HANDLE | OperatorAction.REMOVE_SECOND_FACTORS:
                return ActionGroup.DETAILS
            case OperatorAction.DELETE:
                return ActionGroup.END
            case _:
                return ActionGroup.VISIBILITY


async def _take_down(registry: Registry, audit: AuditContext, did: Did, form: Mapping[str, str]) -> None:
    reference = form.get("reference", "").strip() or NO_REFERENCE
    await subject_actions.decide_account(registry, audit, did, SubjectStatusRequest(takedown=reference))


async def _restore(registry: Registry, audit: AuditContext, did: Did, _form: Mapping[str, str]) -> None:
    await subject_actions.decide_account(registry, audit, did, SubjectStatusRequest(lift=True))


async def _suspend(registry: Registry, audit: AuditContext, did: Did, form: Mapping[str, str]) -> None:
    days = form.get("days", "")
    if days not in SUSPENSIONS:
        raise InvalidInput("days", gettext_noop("Choose how long."))
    until = Instant(registry.clock.now() + int(days) * DAY) if days != "0" else None
    await subject_actions.decide_account(
        registry, audit, did, SubjectStatusRequest(suspended=True, suspended_until=until)
    )


async def _end_suspension(registry: Registry, audit: AuditContext, did: Did, _form: Mapping[str, str]) -> None:
    await subject_actions.decide_account(registry, audit, did, SubjectStatusRequest(suspended=False))


async def _deactivate(registry: Registry, audit: AuditContext, did: Did, _form: Mapping[str, str]) -> None:
    await subject_actions.decide_account(registry, audit, did, SubjectStatusRequest(deactivated=True))


async def _reactivate(registry: Registry, audit: AuditContext, did: Did, _form: Mapping[str, str]) -> None:
    await subject_actions.decide_account(registry, audit, did, SubjectStatusRequest(deactivated=False))


async def _announce(registry: Registry, audit: AuditContext, did: Did, _form: Mapping[str, str]) -> None:
    await subject_actions.decide_account(registry, audit, did, SubjectStatusRequest())


async def _disable_invites(registry: Registry, audit: AuditContext, did: Did, _form: Mapping[str, str]) -> None:
    await account_actions.allow_invites(registry, audit, did, allowed=False, note=audit.reason)


async def _enable_invites(registry: Registry, audit: AuditContext, did: Did, _form: Mapping[str, str]) -> None:
    await account_actions.allow_invites(registry, audit, did, allowed=True, note=None)


async def _send_reset(registry: Registry, audit: AuditContext, did: Did, _form: Mapping[str, str]) -> None:
    await account_actions.send_reset(registry, audit, did)


async def _write(registry: Registry, audit: AuditContext, did: Did, form: Mapping[str, str]) -> None:
    # Browsers send line breaks of text areas as CRLF.
    content = form.get("content", "").replace("\r\n", "\n")
    await notices.write_to(registry, audit, did, form.get("subject", "").strip(), content)


async def _remove_second_factors(registry: Registry, audit: AuditContext, did: Did, _form: Mapping[str, str]) -> None:
    await notices.remove_second_factors(registry, audit, did)


async def _change_email(registry: Registry, audit: AuditContext, did: Did, form: Mapping[str, str]) -> None:
    await account_actions.change_email(registry, audit, did, form.get("email", "").strip())


async def _change_handle(registry: Registry, audit: AuditContext, did: Did, form: Mapping[str, str]) -> None:
    await account_actions.change_handle(registry, audit, did, form.get("new_handle", "").strip())


async def _set_quota(registry: Registry, audit: AuditContext, did: Did, form: Mapping[str, str]) -> None:
    await account_actions.set_quota(registry, audit, did, _bytes(form.get("quota", "").strip()))


def _bytes(text: str) -> int | None:
    try:
        return parse_bytes(text) if text else None
    except ValueError:
        raise InvalidInput("quota", gettext_noop("Type a size like 500 MB or 2 GB, or leave this empty.")) from None


async def _delete(registry: Registry, audit: AuditContext, did: Did, _form: Mapping[str, str]) -> None:
    await account_actions.delete(registry, audit, did)


ACCOUNT_ACTIONS: Final[Mapping[str, AccountAction]] = {
    one.slug: one
    for one in (
        AccountAction(
            "take-down",
            OperatorAction.TAKE_DOWN,
            lazy("Take down"),
            lazy(
                "Nobody can see this account any more, and its owner is signed out everywhere. They can still "
                "download everything, appeal and move to another server."
            ),
            lazy("When you restore it, it comes back as its owner left it. They have to sign in again."),
            _take_down,
            ("reference",),
            confirmation=lazy("Yes, take down @%(handle)s"),
        ),
        AccountAction(
            "restore",
            OperatorAction.RESTORE,
            lazy("Restore"),
            lazy("The takedown is lifted. Other decisions about the account still apply."),
            lazy("You can take it down again."),
            _restore,
        ),
        AccountAction(
            "suspend",
            OperatorAction.SUSPEND,
            lazy("Suspend"),
            lazy("Like a takedown, but for a limited time. Other servers see that it’s a suspension."),
            lazy("It ends on its own, or when an operator ends it."),
            _suspend,
            ("days",),
            confirmation=lazy("Yes, suspend @%(handle)s"),
        ),
        AccountAction(
            "end-suspension",
            OperatorAction.END_SUSPENSION,
            lazy("End the suspension"),
            lazy("The account is shown again, unless another decision hides it."),
            lazy("You can suspend it again."),
            _end_suspension,
        ),
        AccountAction(
            "deactivate",
            OperatorAction.DEACTIVATE,
            lazy("Pause"),
            lazy("The account is hidden, as if its owner had paused it. The owner can bring it back."),
            lazy("You or its owner can bring it back."),
            _deactivate,
            confirmation=lazy("Yes, pause @%(handle)s"),
        ),
        AccountAction(
            "reactivate",
            OperatorAction.REACTIVATE,
            lazy("Bring back"),
            lazy("The account is shown again, on behalf of its owner."),
            lazy("You can pause it again."),
            _reactivate,
        ),
        AccountAction(
            "announce",
            OperatorAction.ANNOUNCE,
            lazy("Announce the status again"),
            lazy("The live stream repeats the status, for relays that missed it."),
            lazy("Nothing else changes."),
            _announce,
        ),
        AccountAction(
            "disable-invites",
            OperatorAction.DISABLE_INVITES,
            lazy("Disable its invites"),
            lazy("The account earns no more invite codes."),
            lazy("The codes that it has stay valid. You can disable them under Invites."),
            _disable_invites,
            confirmation=lazy("Yes, disable the invites of @%(handle)s"),
        ),
        AccountAction(
            "enable-invites",
            OperatorAction.ENABLE_INVITES,
            lazy("Enable its invites"),
            lazy("The account earns invite codes again."),
            lazy("You can disable them again."),
            _enable_invites,
        ),
        AccountAction(
            "write",
            OperatorAction.SEND_EMAIL,
            lazy("Write to its owner"),
            lazy("The e-mail goes to the account’s address. We don’t store its text."),
            lazy("You can’t unsend an e-mail."),
            _write,
            ("subject", "content"),
        ),
        AccountAction(
            "send-reset",
            OperatorAction.SEND_RESET,
            lazy("Send a password reset"),
            lazy("Its owner gets an e-mail with a code that works for an hour. Nothing changes until they use it."),
            lazy("Unused codes expire."),
            _send_reset,
        ),
        AccountAction(
            "remove-second-factors",
            OperatorAction.REMOVE_SECOND_FACTORS,
            lazy("Turn off two-step sign-in"),
            lazy(
                "For people who lost their phone, passkeys and recovery codes. After this, the password alone is "
                "enough, and the owner gets an e-mail. Make sure it’s really the owner who’s asking."
            ),
            lazy("Only its owner can set it up again."),
            _remove_second_factors,
            confirmation=lazy("Yes, turn off two-step sign-in for @%(handle)s"),
        ),
        AccountAction(
            "change-email",
            OperatorAction.CHANGE_EMAIL,
            lazy("Change the address"),
            lazy("All e-mail, including password resets, goes to the new address. That address isn’t confirmed yet."),
            lazy("You can change it back."),
            _change_email,
            ("email",),
            confirmation=lazy("Yes, change the address of @%(handle)s"),
        ),
        AccountAction(
            "change-handle",
            OperatorAction.CHANGE_HANDLE,
            lazy("Change the handle"),
            lazy("The account gets a new name, here and in all apps. The old one stays reserved for it."),
            lazy("You can change it back."),
            _change_handle,
            ("new_handle",),
            confirmation=lazy("Yes, change the handle of @%(handle)s"),
        ),
        AccountAction(
            "set-quota",
            OperatorAction.SET_QUOTA,
            lazy("Change the space for files"),
            lazy("How much this account can store. Existing files stay, even if they’re over the limit."),
            lazy("Leave this empty to use the default."),
            _set_quota,
            ("quota",),
        ),
        AccountAction(
            "delete",
            OperatorAction.DELETE,
            lazy("Delete the account"),
            lazy(
                "Posts, files, sessions and preferences are deleted, and we notify other servers. The owner keeps "
                "the identity."
            ),
            lazy("This can’t be undone. A takedown can."),
            _delete,
            is_end=True,
        ),
    )
}


def is_offered(action: AccountAction, decisions: AccountDecisions) -> bool:
    """Whether the action would change anything now. The page shows only such actions, but accepts requests for all of
    them.
    """
    match action.act:
        case OperatorAction.TAKE_DOWN:
            return decisions.takedown is None
        case OperatorAction.RESTORE:
            return decisions.takedown is not None
        case OperatorAction.SUSPEND:
            return decisions.suspended_at is None
        case OperatorAction.END_SUSPENSION:
            return decisions.suspended_at is not None
        case OperatorAction.DEACTIVATE:
            return decisions.deactivated_at is None
        case OperatorAction.REACTIVATE:
            return decisions.deactivated_at is not None and decisions.is_announced
        case _:
            return True
