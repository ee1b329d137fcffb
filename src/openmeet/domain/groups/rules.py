"""Who may do what in a group, and how somebody gets from one standing to another. Pure."""

import re
from dataclasses import replace
from enum import StrEnum
from typing import Final, assert_never

from groundwork.clock import Instant
from groundwork.errors import Forbidden, Gone, InvalidForm, NotFound, Refused
from groundwork.signing_key import SigningKey
from openmeet.domain.groups.model import (
    INSIDE,
    MAX_ANSWER,
    Group,
    GroupVisibility,
    InvitationId,
    JoinPolicy,
    Logged,
    Membership,
    Role,
)
from openmeet.domain.users.model import UserId


class Action(StrEnum):
    """Everything that a standing in a group allows or forbids."""

    VIEW = "view"
    SEE_MEMBERS = "see_members"
    POST = "post"
    LEAVE = "leave"
    CREATE_EVENT = "create_event"
    INVITE = "invite"
    APPROVE = "approve"
    REMOVE = "remove"
    BAN = "ban"
    SEE_LOG = "see_log"
    ANNOUNCE = "announce"
    EDIT_ANY_EVENT = "edit_any_event"
    CHANGE_ROLE = "change_role"
    EDIT_GROUP = "edit_group"
    FOLLOW = "follow"
    TAKE_OVER = "take_over"
    TRANSFER = "transfer"
    DELETE = "delete"


# Whoever is in may ask to take over from an owner who is not there: `succession` lets those who rank highest.
_MEMBER: Final = frozenset({Action.VIEW, Action.SEE_MEMBERS, Action.POST, Action.LEAVE, Action.TAKE_OVER})
_MODERATOR: Final = _MEMBER | {
    Action.CREATE_EVENT,
    Action.INVITE,
    Action.APPROVE,
    Action.REMOVE,
    Action.BAN,
    Action.SEE_LOG,
    Action.ANNOUNCE,
}
_ADMIN: Final = _MODERATOR | {
    Action.EDIT_ANY_EVENT,
    Action.CHANGE_ROLE,
    Action.EDIT_GROUP,
    Action.FOLLOW,
}
# Who owns a group hands it over before leaving it: no group is without an owner.
_OWNER: Final = (_ADMIN | {Action.TRANSFER, Action.DELETE}) - {Action.LEAVE, Action.TAKE_OVER}

# What people here do in a group that is kept elsewhere: everything else is its own business.
_ELSEWHERE: Final = frozenset({Action.VIEW, Action.SEE_MEMBERS, Action.POST, Action.LEAVE})

# THE table. What is not named here is forbidden; what strangers see of a group follows from its visibility (`may_see`).
ALLOWED: Final[dict[Role | None, frozenset[Action]]] = {
    Role.OWNER: _OWNER,
    Role.ADMIN: _ADMIN,
    Role.MODERATOR: _MODERATOR,
    Role.MEMBER: _MEMBER,
    Role.PENDING: frozenset({Action.LEAVE}),  # takes the request back
    Role.DECLINED: frozenset(),
    Role.LEFT: frozenset(),
    Role.BANNED: frozenset(),
    None: frozenset(),
}

_WORDS: Final = {
    Action.VIEW: "see this group",
    Action.SEE_MEMBERS: "see who is in this group",
    Action.POST: "write in this group",
    Action.LEAVE: "leave this group",
    Action.CREATE_EVENT: "make events in this group",
    Action.INVITE: "invite people to this group",
    Action.APPROVE: "decide who gets into this group",
    Action.REMOVE: "remove people from this group",
    Action.BAN: "ban people from this group",
    Action.SEE_LOG: "see what was done in this group",
    Action.ANNOUNCE: "write to everybody in this group",
    Action.EDIT_ANY_EVENT: "change events of others in this group",
    Action.CHANGE_ROLE: "give roles in this group",
    Action.EDIT_GROUP: "change this group",
    Action.FOLLOW: "choose what this group follows",
    Action.TAKE_OVER: "ask to take this group over",
    Action.TRANSFER: "hand this group over",
    Action.DELETE: "delete this group",
}


def may(role: Role | None, action: Action) -> bool:
    """Whether this standing allows it; None: no standing at all."""
    return action in ALLOWED[role]


def must_be_allowed(role: Role | None, action: Action) -> None:
    """Forbidden, in words, unless the standing allows it."""
    if not may(role, action):
        raise Forbidden(f"You may not {_WORDS[action]}.")


def must_be_kept_here(group: Group, action: Action) -> None:
    """Refused for what nobody here decides about a group that is kept elsewhere, whatever role it gives them."""
    if group.is_read_only and action not in _ELSEWHERE:
        raise Refused("This group is kept elsewhere; it is only shown here.", name="KeptElsewhere")


def may_see(group: Group, role: Role | None) -> bool:
    """Whether the group exists for somebody with this standing. What is deleted exists for nobody, what is

    hidden for those alone who run it.
    """
    if group.deleted_at is not None or (group.is_hidden and not may(role, Action.EDIT_GROUP)):
        return False
    return group.details.visibility is not GroupVisibility.PRIVATE or may(role, Action.VIEW)


def must_be_seen(group: Group | None, role: Role | None) -> Group:
    """The group itself. Raises NotFound, for absent and hidden alike; Gone (410) of one that is deleted, for everybody where it was

    public, and with its name for those who were in it.
    """
    if group is not None and may_see(group, role):
        return group
    if group is None or not may_see(replace(group, deleted_at=None), role):
        raise NotFound("There is no such group.")
    if group.details.visibility is not GroupVisibility.PUBLIC and not may(role, Action.VIEW):
        raise NotFound("There is no such group.")
    name = f"“{group.details.name}”" if may(role, Action.VIEW) and group.details.name else "This group"
    why = "It was removed where it was kept." if group.is_read_only else "Its owner deleted it."
    raise Gone(f"{name} was removed. {why} Its events stay with their hosts.")


def ranks_above(role: Role, other: Role) -> bool:
    """Whether somebody in ``role`` may decide about somebody in ``other``: those who are in, from below their own rank."""
    if role not in INSIDE:
        return False
    return other not in INSIDE or INSIDE.index(role) < INSIDE.index(other)


def must_rank_above(role: Role, other: Role) -> None:
    """Forbidden unless ``role`` ranks above ``other``."""
    if not ranks_above(role, other):
        raise Forbidden("You may only decide about people whose role is below your own.")


def must_be_grantable(role: Role, wanted: Role) -> None:
    """Refused for what is no role to be given; Forbidden for one as high as one's own."""
    if wanted not in INSIDE:
        raise Refused("Choose one of the roles admin, moderator, member.", name="NotARole")
    if wanted is Role.OWNER:
        raise Refused("A group has one owner. Hand it over instead.", name="OneOwner")
    must_rank_above(role, wanted)


def role_after_joining(group: Group, before: Role | None) -> Role:
    """Where "join" leads. Who is in, or has asked, stays so. Raises Refused for banned people and by invitation only."""
    if before in INSIDE:
        return before
    if before is Role.BANNED:
        raise Refused("The people who run this group do not let you in.", name="Banned")
    match group.details.join_policy:
        case JoinPolicy.OPEN:
            return Role.MEMBER
        case JoinPolicy.REQUEST:
            return Role.PENDING
        case JoinPolicy.INVITE:
            if before is Role.PENDING:
                return before
            raise Refused("One gets into this group by an invitation only.", name="InvitationOnly")
        case _:
            assert_never(group.details.join_policy)


def role_after_accepting(before: Role | None) -> Role:
    """Where an accepted invitation leads. Raises Refused for banned people."""
    if before is Role.BANNED:
        raise Refused("The people who run this group do not let you in.", name="Banned")
    return before if before in INSIDE else Role.MEMBER


def must_be_able_to_leave(role: Role | None) -> None:
    """Refused for the owner; Forbidden for those who are not in."""
    if role is Role.OWNER:
        raise Refused(
            "You own this group. Hand it over to somebody first, or delete it.",
            name="OwnerCannotLeave",
        )
    must_be_allowed(role, Action.LEAVE)


def check_answer(group: Group, text: str) -> str:
    """The answer to the group's question; InvalidForm where one is asked for and missing."""
    answer = text.replace("\r\n", "\n").strip()
    if len(answer) > MAX_ANSWER:
        raise InvalidForm({"answer": f"At most {MAX_ANSWER} characters."})
    is_asked = group.details.join_policy is JoinPolicy.REQUEST and group.details.join_question
    if is_asked and not answer:
        raise InvalidForm({"answer": "Answer the question, so that they know who asks."})
    return answer if is_asked else ""


def is_absent(owner_seen_at: Instant, now: Instant, *, after: int) -> bool:
    """Whether an owner has been away for ``after`` microseconds, so that admins may ask to take over."""
    return now - owner_seen_at >= after


def must_be_takeable(group: Group, caller: UserId, *, owner_seen_at: Instant, now: Instant, wait: int) -> None:
    """Refused unless this admin has asked, the waiting time is over, and the owner was not here since."""
    asked = group.succession
    if asked is None or asked.successor_id != caller:
        raise Refused("Ask to take this group over first.", name="NotAsked")
    if owner_seen_at > asked.asked_at:
        raise Refused("The owner has been here since you asked. Talk to them.", name="OwnerIsBack")
    if now - asked.asked_at < wait:
        raise Refused("The owner still has time to say no.", name="StillWaiting")


def must_be_returnable(last: Logged | None, caller: UserId, mine: Membership | None) -> None:
    """Refused unless the newest change of owner took the group from this very person, who is still in it."""
    if last is None or last.user_id != caller or mine is None or mine.role not in INSIDE:
        raise Refused("This group was not taken over from you.", name="NothingToTakeBack")


_TOKEN = re.compile(r"([0-9a-f-]{36})\.([0-9a-f]{32})")


def token_of(key: SigningKey, invitation_id: InvitationId) -> str:
    """What an invitation's link carries: derived from the installation's key, so that no copy is at rest (invariant 8)."""
    proof = key.digest(b"group invitation\x00" + invitation_id.encode()).hex()
    return f"{invitation_id}.{proof[:32]}"


def invitation_in(key: SigningKey, token: str) -> InvitationId | None:
    """The invitation that a link stands for; None where it was made up."""
    found = _TOKEN.fullmatch(token)
    if found is None:
        return None
    invitation_id = InvitationId(found[1])
    return invitation_id if key.made(token, lambda one: token_of(one, invitation_id)) else None
