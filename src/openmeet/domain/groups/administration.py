"""Group administration: requests, roles, removal and bans, invitations."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeGuard

from groundwork.clock import DAY, Instant
from groundwork.database.transaction import Reader, Transaction
from groundwork.errors import InvalidForm, NotFound, Refused, TooMany
from groundwork.signing_key import SigningKey
from groundwork.uuid7 import new_id
from openmeet.domain.groups import audit_log, invitation_queries, membership_queries, notify, queries, rules
from openmeet.domain.groups.actions import lock_for, put
from openmeet.domain.groups.model import (
    INSIDE,
    INVITATION_DAYS,
    INVITATION_LIFE,
    INVITATION_MAIL,
    MAX_LINK_DAYS,
    MAX_MAILS_A_DAY,
    MAX_USES,
    Group,
    GroupLogAction,
    GroupRole,
    GroupSlug,
    Invitation,
    InvitationId,
    Membership,
)
from openmeet.domain.groups.reasons import GroupReason
from openmeet.domain.groups.rules import GroupPermission
from openmeet.domain.moderation.blocks import raise_if_unwelcome
from openmeet.domain.sign_in.model import check_email
from openmeet.domain.users.model import Caller, UserId
from openmeet.domain.validation import INVALID_LINK
from openmeet.outbox import email_suppressions
from openmeet.outbox.emails import enqueue_email

_BETWEEN_ADDRESSES: Final = re.compile(r"[\s,;]+")


@dataclass(frozen=True, slots=True)
class InvitationPreview:
    """The addresses found in a pasted text, sorted into new, already invited and invalid ones.

    ``unread``: words of the text that belong to no address; they get no invitation.
    """

    fresh: tuple[str, ...]
    already_invited: tuple[str, ...]
    malformed: tuple[str, ...]
    unread: tuple[str, ...]
    left_today: int


async def decide(
    tx: Transaction, caller: Caller, slug: GroupSlug, people: Sequence[UserId], *, lets_in: bool
) -> list[Membership]:
    """Approve or decline several join requests. Requests that were already decided do not change.

    Raises NotFound, Forbidden.
    """
    group, _ = await lock_for(tx, caller, slug, GroupPermission.APPROVE)
    role, act = (
        (GroupRole.MEMBER, GroupLogAction.APPROVED) if lets_in else (GroupRole.DECLINED, GroupLogAction.DECLINED)
    )
    decided_memberships = []
    for user_id in dict.fromkeys(people):
        asking = await queries.find_member(tx, group.id, user_id)
        if asking is None or asking.role is not GroupRole.PENDING:
            continue
        membership = replace(
            asking,
            decided_by=caller.user_id,
            decided_at=tx.now,
            joined_at=tx.now if lets_in else asking.joined_at,
        )
        saved = await put(tx, membership, role, act, by=caller.user_id, before=GroupRole.PENDING)
        await notify.of_decision(tx, group, saved)
        decided_memberships.append(saved)
    return decided_memberships


async def remove(tx: Transaction, caller: Caller, slug: GroupSlug, user_id: UserId) -> Membership:
    """Remove a member, who may join again. Raises NotFound, Forbidden."""
    member = await _lock_outranked_member(tx, caller, slug, user_id, GroupPermission.REMOVE)
    if member.role not in INSIDE:
        raise NotFound(GroupReason.NOT_A_MEMBER)
    return await _decide(tx, caller, member, GroupRole.LEFT, GroupLogAction.REMOVED)


async def ban(tx: Transaction, caller: Caller, slug: GroupSlug, user_id: UserId) -> Membership:
    """Ban a person from the group. They need not be a member: they may only have RSVP'd to its events. A job ends their
    RSVPs to upcoming events of the group.

    Raises NotFound (also if they have nothing to do with the group), Forbidden.
    """
    group, own_role = await lock_for(tx, caller, slug, GroupPermission.BAN)
    member = await queries.find_member(tx, group.id, user_id)
    if member is None:
        if not await membership_queries.is_involved(tx, group.id, user_id):
            raise NotFound(GroupReason.NOT_A_MEMBER)
        stranger = queries.new_membership(tx.now, group.id, user_id, GroupRole.BANNED)
        membership = replace(stranger, decided_by=caller.user_id, decided_at=tx.now)
        return await put(tx, membership, GroupRole.BANNED, GroupLogAction.BANNED, by=caller.user_id, before=None)
    _require_outranked(caller, own_role, member)
    if member.role is GroupRole.BANNED:
        return member
    return await _decide(tx, caller, member, GroupRole.BANNED, GroupLogAction.BANNED)


async def unban(tx: Transaction, caller: Caller, slug: GroupSlug, user_id: UserId) -> Membership:
    """Lift a ban. Raises NotFound, Forbidden."""
    member = await _lock_outranked_member(tx, caller, slug, user_id, GroupPermission.BAN)
    if member.role is not GroupRole.BANNED:
        return member
    return await _decide(tx, caller, member, GroupRole.LEFT, GroupLogAction.UNBANNED)


async def change_role(
    tx: Transaction, caller: Caller, slug: GroupSlug, user_id: UserId, new_role: GroupRole
) -> Membership:
    """Give a member another role, which must be below the caller's own. Raises NotFound, Forbidden, Refused
    (``NotARole``, ``OneOwner``).
    """
    group, own_role = await lock_for(tx, caller, slug, GroupPermission.CHANGE_ROLE)
    rules.require_grantable(own_role, new_role)
    member = await queries.find_member(tx, group.id, user_id)
    if member is None or member.role not in INSIDE:
        raise NotFound(GroupReason.NOT_A_MEMBER)
    if member.role is new_role:
        return member
    rules.require_rank_above(own_role, member.role)
    saved = await _decide(tx, caller, member, new_role, GroupLogAction.ROLE_CHANGED)
    await notify.of_role(tx, group, saved, member.role)
    return saved


async def invite_by_link(
    tx: Transaction, caller: Caller, slug: GroupSlug, *, uses: int = MAX_USES, days: int = INVITATION_DAYS
) -> Invitation:
    """Create an invitation link with a limited number of uses. Raises NotFound, Forbidden, InvalidForm."""
    group, _ = await lock_for(tx, caller, slug, GroupPermission.INVITE)
    problems = {}
    if not 1 <= uses <= MAX_USES:
        problems["uses"] = GroupReason.LINK_USES_OUT_OF_RANGE(most=MAX_USES)
    if not 1 <= days <= MAX_LINK_DAYS:
        problems["days"] = GroupReason.LINK_DAYS_OUT_OF_RANGE(most=MAX_LINK_DAYS)
    if problems:
        raise InvalidForm(problems)
    invitation = await _invite(tx, caller, group, email=None, uses=uses, life=days * DAY)
    await audit_log.add(tx, group.id, caller.user_id, GroupLogAction.LINK_MADE, by=caller.user_id)
    return invitation


async def preview_invitations(reader: Reader, key: SigningKey, group: Group, text: str) -> InvitationPreview:
    """Sort the addresses in a text for review before they are invited. Sends nothing. Raises InvalidForm if there are
    none.

    The result does not reveal which addresses belong to members; members simply get no e-mail.
    """
    addresses: dict[str, None] = {}
    malformed: dict[str, None] = {}
    for word in _BETWEEN_ADDRESSES.split(text):
        if not word:
            continue
        try:
            addresses[check_email(word.strip("<>\"'()"))] = None
        except InvalidForm:
            # Text in front of an address in angle brackets is a name.
            if "@" in word:
                malformed[word] = None
    unread = tuple(dict.fromkeys(_without_address(text)))
    if not addresses and not malformed:
        raise InvalidForm(
            {"emails": GroupReason.NO_ADDRESS_FOUND(text=unread[0][:40]) if unread else GroupReason.ADDRESSES_NEEDED}
        )
    already_invited = await invitation_queries.invited_among(reader, group.id, list(addresses))
    already_invited |= await email_suppressions.declined_among(reader, key, group.id, list(addresses))
    sent = await invitation_queries.mails_since(reader, group.id, Instant(reader.now - DAY))
    return InvitationPreview(
        fresh=tuple(one for one in addresses if one not in already_invited),
        already_invited=tuple(one for one in addresses if one in already_invited),
        malformed=tuple(malformed),
        unread=unread,
        left_today=max(0, MAX_MAILS_A_DAY - sent),
    )


def _without_address(text: str) -> Iterator[str]:
    """Return the words between commas and line ends that seem to name a person but have no address.

    A name may come before its address: ``Meier, Ana <ana@example.org>``, or ``Ana, ana@example.org`` as in tables.
    """
    for line in re.split(r"[;\r\n]+", text):
        parts = [part.strip() for part in line.split(",") if part.strip()]
        for position, part in enumerate(parts):
            following = parts[position + 1 : position + 2]
            is_name = any("<" in one for one in following) or (position == 0 and any("@" in one for one in following))
            if "@" not in part and not is_name:
                yield part


def require_sendable(mails: InvitationPreview) -> None:
    """Raise InvalidForm (``emails``) if addresses are malformed, and TooMany if the group may not invite so many today."""
    if mails.malformed:
        raise InvalidForm({"emails": GroupReason.MALFORMED_ADDRESSES(addresses=", ".join(mails.malformed[:10]))})
    if len(mails.fresh) > mails.left_today:
        raise TooMany(
            GroupReason.TOO_MANY_INVITATIONS,
            most=MAX_MAILS_A_DAY,
            left_today=mails.left_today,
            after_seconds=24 * 3600,
        )


async def invite_by_mail(
    tx: Transaction, key: SigningKey, caller: Caller, slug: GroupSlug, text: str
) -> InvitationPreview:
    """Enqueue an e-mail with a single-use link to each of these addresses.

    People who were already invited, or who declined, get none. Raises NotFound, Forbidden, Refused (``GroupHidden``),
    InvalidForm, TooMany.
    """
    group, _ = await lock_for(tx, caller, slug, GroupPermission.INVITE)
    require_shown(group)
    mails = await preview_invitations(tx, key, group, text)
    require_sendable(mails)
    for email in mails.fresh:
        invitation = await _invite(tx, caller, group, email=email, uses=1, life=INVITATION_LIFE)
        await enqueue_email(tx, kind=INVITATION_MAIL, person=invitation.id, subject_id=invitation.id)
    if mails.fresh:
        count = str(len(mails.fresh))
        await audit_log.add(tx, group.id, caller.user_id, GroupLogAction.INVITED, by=caller.user_id, note=count)
    return mails


async def revoke(tx: Transaction, caller: Caller, slug: GroupSlug, invitation_id: InvitationId) -> None:
    """Revoke an invitation. Raises NotFound, Forbidden."""
    group, _ = await lock_for(tx, caller, slug, GroupPermission.INVITE)
    if not await invitation_queries.revoke_invitation(tx, group.id, invitation_id):
        raise NotFound(GroupReason.NO_SUCH_INVITATION)
    await audit_log.add(tx, group.id, caller.user_id, GroupLogAction.INVITATION_REVOKED, by=caller.user_id)


def invitation_of_token(key: SigningKey, token: str) -> InvitationId:
    """Return the id of the group invitation that the token in an e-mailed link identifies. Raises NotFound if the token is
    forged.
    """
    invitation_id = rules.invitation_in(key, token)
    if invitation_id is None:
        raise NotFound(GroupReason.INVITATION_OVER, name=INVALID_LINK)
    return invitation_id


async def usable_invitation(reader: Reader, invitation_id: InvitationId | None) -> tuple[Invitation, Group]:
    """Return an invitation that can still be used, and its group. Raises NotFound, also while the group is hidden."""
    invitation = await invitation_queries.invitation(reader, invitation_id) if invitation_id else None
    group = await queries.by_id(reader, invitation.group_id) if invitation else None
    if invitation is None or not _is_open(group) or not invitation.is_open(reader.now):
        raise NotFound(GroupReason.INVITATION_OVER, name=INVALID_LINK)
    return invitation, group


def require_shown(group: Group) -> None:
    """Raise Refused (``GroupHidden``) if nobody could open an invitation. Its e-mail would not be sent, not even later."""
    if group.is_hidden:
        raise Refused(GroupReason.SEEN_BY_ADMINS_ONLY, name="GroupHidden")


def _is_open(group: Group | None) -> TypeGuard[Group]:
    """Whether people can be let into the group. Nobody but its admins may know of a hidden one."""
    return group is not None and group.deleted_at is None and not group.is_hidden


async def decline(tx: Transaction, key: SigningKey, invitation_id: InvitationId) -> None:
    """Decline an invitation on behalf of its addressee.

    The group never writes to this address again; a hash of the address is kept for that. Raises NotFound.
    """
    invitation = await invitation_queries.invitation(tx, invitation_id)
    if invitation is None or invitation.email is None or invitation.revoked_at is not None or not invitation.uses_left:
        raise NotFound(GroupReason.INVITATION_OVER, name=INVALID_LINK)
    await _suppress(tx, key, invitation, invitation.email)


async def stop_mails(tx: Transaction, key: SigningKey, invitation_id: InvitationId) -> None:
    """Unsubscribe from a group's invitations with one click in an e-mail program.

    The request may be repeated, or arrive after the invitation was revoked. Raises NotFound.
    """
    invitation = await invitation_queries.invitation(tx, invitation_id)
    if invitation is None or (invitation.email is None and invitation.declined_at is None):
        raise NotFound(GroupReason.INVITATION_OVER, name=INVALID_LINK)
    if invitation.email is not None:
        await _suppress(tx, key, invitation, invitation.email)


async def _suppress(tx: Transaction, key: SigningKey, invitation: Invitation, email: str) -> None:
    await email_suppressions.decline(tx, key, invitation.group_id, email)
    await invitation_queries.decline_invitation(tx, invitation.id)


async def accept(tx: Transaction, caller: Caller, invitation_id: InvitationId) -> tuple[Group, Membership]:
    """Accept an invitation. For people who are already members nothing changes, and no use is consumed.

    Raises NotFound (used up, expired, revoked, or the group is gone or hidden) and Refused (banned, not welcome).
    """
    invitation = await invitation_queries.invitation(tx, invitation_id)
    group = await queries.lock(tx, invitation.group_id) if invitation else None
    if invitation is None or not _is_open(group):
        raise NotFound(GroupReason.INVITATION_OVER, name=INVALID_LINK)
    await raise_if_unwelcome(tx, group.owner_id, caller.user_id, refusal=GroupReason.CANNOT_JOIN)
    membership = await queries.find_member(tx, group.id, caller.user_id)
    before = membership.role if membership else None
    after = rules.role_after_accepting(before)
    if membership is not None and after is before:
        return group, membership
    if not await invitation_queries.use_invitation(tx, invitation_id):
        raise NotFound(GroupReason.INVITATION_OVER, name=INVALID_LINK)
    accepted = replace(
        membership or queries.new_membership(tx.now, group.id, caller.user_id, after),
        joined_at=tx.now,
        decided_by=invitation.invited_by,
        decided_at=tx.now,
    )
    return group, await put(tx, accepted, after, GroupLogAction.ACCEPTED, by=caller.user_id, before=before)


async def _lock_outranked_member(
    tx: Transaction, caller: Caller, slug: GroupSlug, user_id: UserId, action: GroupPermission
) -> Membership:
    """Lock the group and return the membership of a person whom the caller outranks."""
    group, own_role = await lock_for(tx, caller, slug, action)
    member = await queries.find_member(tx, group.id, user_id)
    if member is None:
        raise NotFound(GroupReason.NOT_A_MEMBER)
    _require_outranked(caller, own_role, member)
    return member


def _require_outranked(caller: Caller, own_role: GroupRole, member: Membership) -> None:
    if member.user_id == caller.user_id:
        raise Refused(GroupReason.NOT_YOURSELF, name="NotYourself")
    rules.require_rank_above(own_role, member.role)


async def _decide(
    tx: Transaction, caller: Caller, member: Membership, after: GroupRole, act: GroupLogAction
) -> Membership:
    membership = replace(member, decided_by=caller.user_id, decided_at=tx.now)
    return await put(tx, membership, after, act, by=caller.user_id, before=member.role)


async def _invite(
    tx: Transaction, caller: Caller, group: Group, *, email: str | None, uses: int, life: int
) -> Invitation:
    invitation = Invitation(
        id=InvitationId(new_id(tx.now)),
        group_id=group.id,
        email=email,
        invited_by=caller.user_id,
        uses=uses,
        uses_left=uses,
        expires_at=Instant(tx.now + life),
        revoked_at=None,
        declined_at=None,
        created_at=tx.now,
    )
    await invitation_queries.insert_invitation(tx, invitation)
    return invitation
