"""What those who run a group do about the standing of others: requests, roles, removal, invitations, follows."""

from collections.abc import Sequence
from dataclasses import replace

from at_protocol.syntax.did import parse_did
from groundwork.clock import DAY, Instant
from groundwork.database.transaction import Transaction
from groundwork.errors import InvalidForm, NotFound, Refused, TooMany
from groundwork.fresh_id import new_id
from openmeet.debts.deliveries import owe_mail
from openmeet.groups import doors, queries, rules
from openmeet.groups.actions import lock_for, put
from openmeet.groups.letters import INVITATION_MAIL
from openmeet.groups.model import (
    INSIDE,
    INVITATION_LIFE,
    MAX_MAILS_A_DAY,
    MAX_USES,
    Act,
    Group,
    GroupSlug,
    Invitation,
    InvitationId,
    Membership,
    Role,
)
from openmeet.groups.rules import Action
from openmeet.sign_in.rules import check_email
from openmeet.users.model import Caller, UserId


async def decide(
    tx: Transaction, caller: Caller, slug: GroupSlug, people: Sequence[UserId], *, lets_in: bool
) -> list[Membership]:
    """Approve or decline requests, several at once; those that were decided meanwhile stay as they were decided.

    Raises NotFound, Forbidden.
    """
    group, _ = await lock_for(tx, caller, slug, Action.APPROVE)
    role, act = (Role.MEMBER, Act.APPROVED) if lets_in else (Role.DECLINED, Act.DECLINED)
    decided = []
    for user_id in dict.fromkeys(people):
        asking = await queries.find_member(tx, group.id, user_id)
        if asking is None or asking.role is not Role.PENDING:
            continue
        standing = replace(
            asking,
            decided_by=caller.user_id,
            decided_at=tx.now,
            joined_at=tx.now if lets_in else asking.joined_at,
        )
        decided.append(await put(tx, standing, role, act, by=caller.user_id, before=Role.PENDING))
    return decided


async def remove(tx: Transaction, caller: Caller, slug: GroupSlug, user_id: UserId) -> Membership:
    """Somebody is out, and may come back. Raises NotFound, Forbidden."""
    theirs = await _below(tx, caller, slug, user_id, Action.REMOVE)
    if theirs.role not in INSIDE:
        raise NotFound("This person is not in the group.")
    return await _decide(tx, caller, theirs, Role.LEFT, Act.REMOVED)


async def ban(tx: Transaction, caller: Caller, slug: GroupSlug, user_id: UserId) -> Membership:
    """Somebody is out, and stays out. Raises NotFound, Forbidden."""
    theirs = await _below(tx, caller, slug, user_id, Action.BAN)
    if theirs.role is Role.BANNED:
        return theirs
    return await _decide(tx, caller, theirs, Role.BANNED, Act.BANNED)


async def unban(tx: Transaction, caller: Caller, slug: GroupSlug, user_id: UserId) -> Membership:
    """Somebody may ask or join again. Raises NotFound, Forbidden."""
    theirs = await _below(tx, caller, slug, user_id, Action.BAN)
    if theirs.role is not Role.BANNED:
        return theirs
    return await _decide(tx, caller, theirs, Role.LEFT, Act.UNBANNED)


async def change_role(tx: Transaction, caller: Caller, slug: GroupSlug, user_id: UserId, wanted: Role) -> Membership:
    """Give a member another role, below one's own. Raises NotFound, Forbidden, Refused (``NotARole``, ``OneOwner``)."""
    group, mine = await lock_for(tx, caller, slug, Action.CHANGE_ROLE)
    rules.must_be_grantable(mine, wanted)
    theirs = await queries.find_member(tx, group.id, user_id)
    if theirs is None or theirs.role not in INSIDE:
        raise NotFound("This person is not in the group.")
    if theirs.role is wanted:
        return theirs
    rules.must_rank_above(mine, theirs.role)
    return await _decide(tx, caller, theirs, wanted, Act.ROLE_CHANGED)


async def invite_by_link(tx: Transaction, caller: Caller, slug: GroupSlug, *, uses: int = MAX_USES) -> Invitation:
    """A link that lets in whoever opens it and says yes, so many times. Raises NotFound, Forbidden, InvalidForm."""
    group, _ = await lock_for(tx, caller, slug, Action.INVITE)
    if not 1 <= uses <= MAX_USES:
        raise InvalidForm({"uses": f"A link lets in 1 to {MAX_USES} people."})
    return await _invite(tx, caller, group, email=None, uses=uses)


async def invite_by_mail(tx: Transaction, caller: Caller, slug: GroupSlug, address: str) -> Invitation:
    """A letter with a link that works once; it is owed, and sent behind the request. Raises TooMany beside the above."""
    group, _ = await lock_for(tx, caller, slug, Action.INVITE)
    email = check_email(address)
    if await doors.mails_since(tx, group.id, Instant(tx.now - DAY)) >= MAX_MAILS_A_DAY:
        raise TooMany(
            f"A group sends at most {MAX_MAILS_A_DAY} invitations by mail a day. Pass on a link instead.",
            after_seconds=24 * 3600,
        )
    invitation = await _invite(tx, caller, group, email=email, uses=1)
    await owe_mail(tx, kind=INVITATION_MAIL, person=invitation.id, subject_id=invitation.id)
    return invitation


async def revoke(tx: Transaction, caller: Caller, slug: GroupSlug, invitation_id: InvitationId) -> None:
    """The invitation lets nobody in any more. Raises NotFound, Forbidden."""
    group, _ = await lock_for(tx, caller, slug, Action.INVITE)
    if not await doors.revoke_invitation(tx, group.id, invitation_id):
        raise NotFound("There is no such invitation.")


async def accept(tx: Transaction, caller: Caller, invitation_id: InvitationId) -> tuple[Group, Membership]:
    """The invited person says yes and is in; who is in already stays as they are, and no use is taken.

    Raises NotFound (used up, over, taken back, or its group is gone) and Refused (banned).
    """
    invitation = await doors.invitation(tx, invitation_id)
    group = await queries.lock(tx, invitation.group_id) if invitation else None
    if invitation is None or group is None or group.deleted_at is not None:
        raise NotFound("This invitation does not work any more.")
    mine = await queries.find_member(tx, group.id, caller.user_id)
    before = mine.role if mine else None
    after = rules.role_after_accepting(before)
    if mine is not None and after is before:
        return group, mine
    if not await doors.use_invitation(tx, invitation_id):
        raise NotFound("This invitation does not work any more.")
    standing = replace(
        mine or queries.new_membership(tx.now, group.id, caller.user_id, after),
        joined_at=tx.now,
        decided_by=invitation.invited_by,
        decided_at=tx.now,
    )
    return group, await put(tx, standing, after, Act.ACCEPTED, by=caller.user_id, before=before)


async def follow(tx: Transaction, caller: Caller, slug: GroupSlug, text: str) -> None:
    """Public events of this DID appear in the group. Raises NotFound, Forbidden, InvalidForm."""
    group, _ = await lock_for(tx, caller, slug, Action.FOLLOW)
    try:
        did = parse_did(text.strip())
    except ValueError:
        raise InvalidForm({"did": "A DID looks like did:plc:… or did:web:…"}) from None
    await doors.follow(tx, group.id, did, caller.user_id)


async def unfollow(tx: Transaction, caller: Caller, slug: GroupSlug, did: str) -> None:
    """Its events appear no more. Raises NotFound, Forbidden."""
    group, _ = await lock_for(tx, caller, slug, Action.FOLLOW)
    await doors.unfollow(tx, group.id, did)


async def _below(tx: Transaction, caller: Caller, slug: GroupSlug, user_id: UserId, action: Action) -> Membership:
    """The standing of somebody about whom the caller may decide, in the group that is locked by it."""
    group, mine = await lock_for(tx, caller, slug, action)
    theirs = await queries.find_member(tx, group.id, user_id)
    if theirs is None:
        raise NotFound("This person is not in the group.")
    if theirs.user_id == caller.user_id:
        raise Refused("To get out yourself, leave the group.", name="NotYourself")
    rules.must_rank_above(mine, theirs.role)
    return theirs


async def _decide(tx: Transaction, caller: Caller, theirs: Membership, after: Role, act: Act) -> Membership:
    standing = replace(theirs, decided_by=caller.user_id, decided_at=tx.now)
    return await put(tx, standing, after, act, by=caller.user_id, before=theirs.role)


async def _invite(tx: Transaction, caller: Caller, group: Group, *, email: str | None, uses: int) -> Invitation:
    invitation = Invitation(
        id=InvitationId(new_id(tx.now)),
        group_id=group.id,
        email=email,
        invited_by=caller.user_id,
        uses_left=uses,
        expires_at=Instant(tx.now + INVITATION_LIFE),
        revoked_at=None,
        created_at=tx.now,
    )
    await doors.insert_invitation(tx, invitation)
    return invitation
