"""Account actions on the admin pages: texts, form fields and the ``moderation`` function behind each."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from at_protocol.syntax.did import Did
from aurora_locus.accounts.registry import Registry
from aurora_locus.moderation import account_acts, notices, subject_acts
from aurora_locus.moderation.roles import Deed, OperatorAction
from aurora_locus.moderation.subject_acts import SubjectStatusRequest
from aurora_locus.moderation.takedowns import NO_REFERENCE, AccountDecisions
from groundwork.clock import DAY, Instant
from groundwork.errors import InvalidInput
from groundwork.settings import parse_bytes

Run = Callable[[Registry, Deed, Did, Mapping[str, str]], Awaitable[None]]

# Days, as in the form; 0 is until lifted.
SUSPENSIONS: Final = ("1", "3", "7", "30", "0")


@dataclass(frozen=True, slots=True)
class AccountAct:
    """An action. ``consequence`` describes its effect, ``undo`` how to reverse it. ``is_grave`` requires a tick, ``is_end``
    the account's handle, because it is irreversible.
    """

    slug: str
    act: OperatorAction
    title: str
    consequence: str
    undo: str
    run: Run
    fields: tuple[str, ...] = ()
    is_grave: bool = False
    is_end: bool = False


async def _take_down(registry: Registry, deed: Deed, did: Did, form: Mapping[str, str]) -> None:
    reference = form.get("reference", "").strip() or NO_REFERENCE
    await subject_acts.decide_account(registry, deed, did, SubjectStatusRequest(takedown=reference))


async def _restore(registry: Registry, deed: Deed, did: Did, _form: Mapping[str, str]) -> None:
    await subject_acts.decide_account(registry, deed, did, SubjectStatusRequest(lift=True))


async def _suspend(registry: Registry, deed: Deed, did: Did, form: Mapping[str, str]) -> None:
    days = form.get("days", "")
    if days not in SUSPENSIONS:
        raise InvalidInput("days", "Choose for how long.")
    until = Instant(registry.clock.now() + int(days) * DAY) if days != "0" else None
    await subject_acts.decide_account(registry, deed, did, SubjectStatusRequest(suspended=True, suspended_until=until))


async def _end_suspension(registry: Registry, deed: Deed, did: Did, _form: Mapping[str, str]) -> None:
    await subject_acts.decide_account(registry, deed, did, SubjectStatusRequest(suspended=False))


async def _deactivate(registry: Registry, deed: Deed, did: Did, _form: Mapping[str, str]) -> None:
    await subject_acts.decide_account(registry, deed, did, SubjectStatusRequest(deactivated=True))


async def _reactivate(registry: Registry, deed: Deed, did: Did, _form: Mapping[str, str]) -> None:
    await subject_acts.decide_account(registry, deed, did, SubjectStatusRequest(deactivated=False))


async def _announce(registry: Registry, deed: Deed, did: Did, _form: Mapping[str, str]) -> None:
    await subject_acts.decide_account(registry, deed, did, SubjectStatusRequest())


async def _disable_invites(registry: Registry, deed: Deed, did: Did, _form: Mapping[str, str]) -> None:
    await account_acts.allow_invites(registry, deed, did, allowed=False, note=deed.reason)


async def _enable_invites(registry: Registry, deed: Deed, did: Did, _form: Mapping[str, str]) -> None:
    await account_acts.allow_invites(registry, deed, did, allowed=True, note=None)


async def _send_reset(registry: Registry, deed: Deed, did: Did, _form: Mapping[str, str]) -> None:
    await account_acts.send_reset(registry, deed, did)


async def _write(registry: Registry, deed: Deed, did: Did, form: Mapping[str, str]) -> None:
    # Text areas send CRLF line breaks.
    content = form.get("content", "").replace("\r\n", "\n")
    await notices.write_to(registry, deed, did, form.get("subject", "").strip(), content)


async def _change_email(registry: Registry, deed: Deed, did: Did, form: Mapping[str, str]) -> None:
    await account_acts.change_email(registry, deed, did, form.get("email", "").strip())


async def _change_handle(registry: Registry, deed: Deed, did: Did, form: Mapping[str, str]) -> None:
    await account_acts.change_handle(registry, deed, did, form.get("new_handle", "").strip())


async def _set_quota(registry: Registry, deed: Deed, did: Did, form: Mapping[str, str]) -> None:
    await account_acts.set_quota(registry, deed, did, _bytes(form.get("quota", "").strip()))


def _bytes(typed: str) -> int | None:
    try:
        return parse_bytes(typed) if typed else None
    except ValueError:
        raise InvalidInput("quota", "Give a size like 500 MB or 2 GB, or nothing.") from None


async def _delete(registry: Registry, deed: Deed, did: Did, _form: Mapping[str, str]) -> None:
    await account_acts.delete(registry, deed, did)


ACTS: Final[Mapping[str, AccountAct]] = {
    one.slug: one
    for one in (
        AccountAct(
            "take-down",
            OperatorAction.TAKE_DOWN,
            "Take down",
            "Nobody sees this account any more, and its owner is signed out everywhere. They can still download everything, "
            "appeal and move away.",
            "Restore brings it back as its owner left it. They sign in again.",
            _take_down,
            ("reference",),
            is_grave=True,
        ),
        AccountAct(
            "restore",
            OperatorAction.RESTORE,
            "Restore",
            "The takedown is lifted. Other decisions about the account stay.",
            "You can take it down again.",
            _restore,
        ),
        AccountAct(
            "suspend",
            OperatorAction.SUSPEND,
            "Suspend",
            "Like a takedown, but for a time. Other servers learn that it is a suspension.",
            "It ends on time, or when an operator ends it.",
            _suspend,
            ("days",),
            is_grave=True,
        ),
        AccountAct(
            "end-suspension",
            OperatorAction.END_SUSPENSION,
            "End the suspension",
            "The account is shown again, unless another decision hides it.",
            "You can suspend it again.",
            _end_suspension,
        ),
        AccountAct(
            "deactivate",
            OperatorAction.DEACTIVATE,
            "Deactivate",
            "The account is hidden, as if its owner had paused it. The owner can bring it back.",
            "You or its owner can reactivate it.",
            _deactivate,
            is_grave=True,
        ),
        AccountAct(
            "reactivate",
            OperatorAction.REACTIVATE,
            "Reactivate",
            "The account is shown again, on behalf of its owner.",
            "You can deactivate it again.",
            _reactivate,
        ),
        AccountAct(
            "announce",
            OperatorAction.ANNOUNCE,
            "Announce the status again",
            "The live stream repeats the status, for relays that missed it.",
            "Nothing else changes.",
            _announce,
        ),
        AccountAct(
            "disable-invites",
            OperatorAction.DISABLE_INVITES,
            "Disable its invites",
            "Nobody can sign up with a code of this account.",
            "Enable its invites makes the same codes work again.",
            _disable_invites,
            is_grave=True,
        ),
        AccountAct(
            "enable-invites",
            OperatorAction.ENABLE_INVITES,
            "Enable its invites",
            "Codes of this account can be used again.",
            "You can disable them again.",
            _enable_invites,
        ),
        AccountAct(
            "write",
            OperatorAction.SEND_EMAIL,
            "Write to its owner",
            "The e-mail goes to the account’s address. We don’t keep its text.",
            "A sent e-mail can’t be recalled.",
            _write,
            ("subject", "content"),
        ),
        AccountAct(
            "send-reset",
            OperatorAction.SEND_RESET,
            "Send a password reset",
            "Its owner gets an e-mail with a code that works for 15 minutes. Nothing changes until they use it.",
            "An unused code expires.",
            _send_reset,
        ),
        AccountAct(
            "change-email",
            OperatorAction.CHANGE_EMAIL,
            "Change the address",
            "All e-mail, also password resets, goes to the new address. It counts as not confirmed.",
            "You can change it back.",
            _change_email,
            ("email",),
            is_grave=True,
        ),
        AccountAct(
            "change-handle",
            OperatorAction.CHANGE_HANDLE,
            "Change the handle",
            "The account gets another name, here and in all apps. The old one stays reserved for it.",
            "You can change it back.",
            _change_handle,
            ("new_handle",),
            is_grave=True,
        ),
        AccountAct(
            "set-quota",
            OperatorAction.SET_QUOTA,
            "Change the space for files",
            "How much this account can keep. What is there already stays, even if it is more.",
            "Without a size it has as much as everybody.",
            _set_quota,
            ("quota",),
        ),
        AccountAct(
            "delete",
            OperatorAction.DELETE,
            "Delete the account",
            "Posts, files, sessions and preferences are removed, and other servers are told. The identity stays its owner’s.",
            "This can’t be undone. A takedown can.",
            _delete,
            is_grave=True,
            is_end=True,
        ),
    )
}


def is_offered(one: AccountAct, decided: AccountDecisions) -> bool:
    """Whether the action would change anything now; others can still be submitted."""
    match one.act:
        case OperatorAction.TAKE_DOWN:
            return decided.takedown is None
        case OperatorAction.RESTORE:
            return decided.takedown is not None
        case OperatorAction.SUSPEND:
            return decided.suspended_at is None
        case OperatorAction.END_SUSPENSION:
            return decided.suspended_at is not None
        case OperatorAction.DEACTIVATE:
            return decided.deactivated_at is None
        case OperatorAction.REACTIVATE:
            return decided.deactivated_at is not None
        case _:
            return True
