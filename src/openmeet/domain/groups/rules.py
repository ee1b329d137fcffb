"""Permissions in groups, and transitions between roles. Pure."""

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
    GroupLogEntry,
    GroupRole,
    GroupVisibility,
    InvitationId,
    JoinPolicy,
    Membership,
)
from openmeet.domain.groups.reasons import GroupReason
from openmeet.domain.users.model import UserId


class GroupPermission(StrEnum):
    """What a role in a group may allow."""

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


# Every member may ask to take over from an absent owner: `ownership` requires the highest rank.
_MEMBER: Final = frozenset(
    {
        GroupPermission.VIEW,
        GroupPermission.SEE_MEMBERS,
        GroupPermission.POST,
        GroupPermission.LEAVE,
        GroupPermission.TAKE_OVER,
    }
)
_MODERATOR: Final = _MEMBER | {
    GroupPermission.CREATE_EVENT,
    GroupPermission.INVITE,
    GroupPermission.APPROVE,
    GroupPermission.REMOVE,
    GroupPermission.BAN,
    GroupPermission.SEE_LOG,
    GroupPermission.ANNOUNCE,
}
_ADMIN: Final = _MODERATOR | {
    GroupPermission.EDIT_ANY_EVENT,
    GroupPermission.CHANGE_ROLE,
    GroupPermission.EDIT_GROUP,
    GroupPermission.FOLLOW,
}
# An owner transfers the group before leaving it: no group is without an owner.
_OWNER: Final = (_ADMIN | {GroupPermission.TRANSFER, GroupPermission.DELETE}) - {
    GroupPermission.LEAVE,
    GroupPermission.TAKE_OVER,
}

# Permissions here in a group kept elsewhere: everything else is decided there.
_ELSEWHERE: Final = frozenset(
    {GroupPermission.VIEW, GroupPermission.SEE_MEMBERS, GroupPermission.POST, GroupPermission.LEAVE}
)

# THE table. Anything not listed is forbidden; what non-members see of a group follows from its visibility (`may_see`).
ALLOWED: Final[dict[GroupRole | None, frozenset[GroupPermission]]] = {
    GroupRole.OWNER: _OWNER,
    GroupRole.ADMIN: _ADMIN,
    GroupRole.MODERATOR: _MODERATOR,
    GroupRole.MEMBER: _MEMBER,
    GroupRole.PENDING: frozenset({GroupPermission.LEAVE}),  # withdraws the request
    GroupRole.DECLINED: frozenset(),
    GroupRole.LEFT: frozenset(),
    GroupRole.BANNED: frozenset(),
    None: frozenset(),
}

_FORBIDDEN: Final = {
    GroupPermission.VIEW: GroupReason.MAY_NOT_VIEW,
    GroupPermission.SEE_MEMBERS: GroupReason.MAY_NOT_SEE_MEMBERS,
    GroupPermission.POST: GroupReason.MAY_NOT_POST,
    GroupPermission.LEAVE: GroupReason.MAY_NOT_LEAVE,
    GroupPermission.CREATE_EVENT: GroupReason.MAY_NOT_CREATE_EVENT,
    GroupPermission.INVITE: GroupReason.MAY_NOT_INVITE,
    GroupPermission.APPROVE: GroupReason.MAY_NOT_APPROVE,
    GroupPermission.REMOVE: GroupReason.MAY_NOT_REMOVE,
    GroupPermission.BAN: GroupReason.MAY_NOT_BAN,
    GroupPermission.SEE_LOG: GroupReason.MAY_NOT_SEE_LOG,
    GroupPermission.ANNOUNCE: GroupReason.MAY_NOT_ANNOUNCE,
    GroupPermission.EDIT_ANY_EVENT: GroupReason.MAY_NOT_EDIT_ANY_EVENT,
    GroupPermission.CHANGE_ROLE: GroupReason.MAY_NOT_CHANGE_ROLE,
    GroupPermission.EDIT_GROUP: GroupReason.MAY_NOT_EDIT_GROUP,
    GroupPermission.FOLLOW: GroupReason.MAY_NOT_FOLLOW,
    GroupPermission.TAKE_OVER: GroupReason.MAY_NOT_TAKE_OVER,
    GroupPermission.TRANSFER: GroupReason.MAY_NOT_TRANSFER,
    GroupPermission.DELETE: GroupReason.MAY_NOT_DELETE,
}


def may(role: GroupRole | None, action: GroupPermission) -> bool:
    """Whether this role allows it; None: no role."""
    return action in ALLOWED[role]


def require_permission(role: GroupRole | None, action: GroupPermission) -> None:
    """Raise Forbidden, with a reason, unless the role allows it."""
    if not may(role, action):
        raise Forbidden(_FORBIDDEN[action])


def require_kept_here(group: Group, action: GroupPermission) -> None:
    """Raise Refused for what is decided elsewhere about a group kept elsewhere, whatever role it gives them."""
    if group.is_read_only and action not in _ELSEWHERE:
        raise Refused(GroupReason.KEPT_ELSEWHERE, name="KeptElsewhere")


def may_see(group: Group, role: GroupRole | None) -> bool:
    """Whether the group exists for somebody with this role. Deleted groups exist for nobody, hidden ones only for their
    administrators.
    """
    if group.deleted_at is not None or (group.is_hidden and not may(role, GroupPermission.EDIT_GROUP)):
        return False
    return group.details.visibility is not GroupVisibility.PRIVATE or may(role, GroupPermission.VIEW)


def require_visible(group: Group | None, role: GroupRole | None) -> Group:
    """The group, for somebody who may see it.

    Raises NotFound, for absent and hidden groups alike; Gone (410) for a deleted one: for everybody if it was public,
    and with its name for its members.
    """
    if group is not None and may_see(group, role):
        return group
    if group is None or not may_see(replace(group, deleted_at=None), role):
        raise NotFound(GroupReason.NO_SUCH_GROUP)
    if group.details.visibility is not GroupVisibility.PUBLIC and not may(role, GroupPermission.VIEW):
        raise NotFound(GroupReason.NO_SUCH_GROUP)
    if may(role, GroupPermission.VIEW) and group.details.name:
        why = GroupReason.NAMED_GROUP_REMOVED_ELSEWHERE if group.is_read_only else GroupReason.NAMED_GROUP_DELETED
        raise Gone(why, group=group.details.name)
    raise Gone(GroupReason.GROUP_REMOVED_ELSEWHERE if group.is_read_only else GroupReason.GROUP_DELETED)


def ranks_above(role: GroupRole, other: GroupRole) -> bool:
    """Whether somebody in ``role`` may decide about somebody in ``other``: a member of a lower rank."""
    if role not in INSIDE:
        return False
    return other not in INSIDE or INSIDE.index(role) < INSIDE.index(other)


def require_rank_above(role: GroupRole, other: GroupRole) -> None:
    """Raise Forbidden unless ``role`` ranks above ``other``."""
    if not ranks_above(role, other):
        raise Forbidden(GroupReason.ROLE_TOO_HIGH)


def require_grantable(role: GroupRole, wanted: GroupRole) -> None:
    """Raise Refused for a role that cannot be given; Forbidden for one as high as one's own."""
    if wanted not in INSIDE:
        raise Refused(GroupReason.NOT_A_ROLE, name="NotARole")
    if wanted is GroupRole.OWNER:
        raise Refused(GroupReason.HAND_OVER_INSTEAD, name="OneOwner")
    require_rank_above(role, wanted)


def role_after_joining(group: Group, before: GroupRole | None) -> GroupRole:
    """The role after "join". Members and requesters keep theirs. Raises Refused if banned, and where joining is by
    invitation only.
    """
    if before in INSIDE:
        return before
    if before is GroupRole.BANNED:
        raise Refused(GroupReason.BANNED, name="Banned")
    match group.details.join_policy:
        case JoinPolicy.OPEN:
            return GroupRole.MEMBER
        case JoinPolicy.REQUEST:
            return GroupRole.PENDING
        case JoinPolicy.INVITE:
            if before is GroupRole.PENDING:
                return before
            raise Refused(GroupReason.INVITATION_ONLY, name="InvitationOnly")
        case _:
            assert_never(group.details.join_policy)


def role_after_accepting(before: GroupRole | None) -> GroupRole:
    """The role after accepting an invitation. Raises Refused if banned."""
    if before is GroupRole.BANNED:
        raise Refused(GroupReason.BANNED, name="Banned")
    return before if before in INSIDE else GroupRole.MEMBER


def require_able_to_leave(role: GroupRole | None) -> None:
    """Raise Refused for the owner; Forbidden for non-members."""
    if role is GroupRole.OWNER:
        raise Refused(
            GroupReason.OWNER_CANNOT_LEAVE,
            name="OwnerCannotLeave",
        )
    require_permission(role, GroupPermission.LEAVE)


def check_answer(group: Group, text: str) -> str:
    """The answer to the group's question; InvalidForm where it is required and missing."""
    answer = text.replace("\r\n", "\n").strip()
    if len(answer) > MAX_ANSWER:
        raise InvalidForm({"answer": GroupReason.ANSWER_TOO_LONG(most=MAX_ANSWER)})
    is_asked = group.details.join_policy is JoinPolicy.REQUEST and group.details.join_question
    if is_asked and not answer:
        raise InvalidForm({"answer": GroupReason.ANSWER_NEEDED})
    return answer if is_asked else ""


def is_absent(owner_seen_at: Instant, now: Instant, *, after: int) -> bool:
    """Whether an owner has been away for ``after`` microseconds, so that admins may ask to take over."""
    return now - owner_seen_at >= after


def require_succession_over(group: Group, caller: UserId, *, owner_seen_at: Instant, now: Instant, wait: int) -> None:
    """Raise Refused unless this admin has asked, the waiting time is over, and the owner was not here since."""
    asked = group.succession
    if asked is None or asked.successor_id != caller:
        raise Refused(GroupReason.NOT_ASKED, name="NotAsked")
    if owner_seen_at > asked.asked_at:
        raise Refused(GroupReason.OWNER_IS_BACK, name="OwnerIsBack")
    if now - asked.asked_at < wait:
        raise Refused(GroupReason.STILL_WAITING, name="StillWaiting")


def require_returnable(last: GroupLogEntry | None, caller: UserId, mine: Membership | None) -> None:
    """Raise Refused unless the latest change of owner took the group from this very person, who is still a member."""
    if last is None or last.user_id != caller or mine is None or mine.role not in INSIDE:
        raise Refused(GroupReason.NOTHING_TO_TAKE_BACK, name="NothingToTakeBack")


_TOKEN = re.compile(r"([0-9a-f-]{36})\.([0-9a-f]{32})")


def token_of(key: SigningKey, invitation_id: InvitationId) -> str:
    """Token of an invitation link: derived from the installation's key, so that it is never stored (invariant 8)."""
    proof = key.digest(b"group invitation\x00" + invitation_id.encode()).hex()
    return f"{invitation_id}.{proof[:32]}"


def invitation_in(key: SigningKey, token: str) -> InvitationId | None:
    """The invitation id in a link; None if the link is forged."""
    found = _TOKEN.fullmatch(token)
    if found is None:
        return None
    invitation_id = InvitationId(found[1])
    return invitation_id if key.made(token, lambda one: token_of(one, invitation_id)) else None
