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
from openmeet.domain.validation import GeneralReason


class GroupPermission(StrEnum):
    """Permissions that a role in a group can give."""

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


# Every member has the permission to ask for a take-over; `ownership` additionally requires the highest rank.
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
# An owner must transfer the group before leaving, because a group always has an owner.
_OWNER: Final = (_ADMIN | {GroupPermission.TRANSFER, GroupPermission.DELETE}) - {
    GroupPermission.LEAVE,
    GroupPermission.TAKE_OVER,
}

# Permissions on this site in a group managed in another app. Everything else is decided in the other app.
_ELSEWHERE: Final = frozenset(
    {GroupPermission.VIEW, GroupPermission.SEE_MEMBERS, GroupPermission.POST, GroupPermission.LEAVE}
)

# The permission table. Anything not listed is forbidden. What non-members see depends on the group's visibility
# (`may_see`).
ALLOWED: Final[dict[GroupRole | None, frozenset[GroupPermission]]] = {
    GroupRole.OWNER: _OWNER,
    GroupRole.ADMIN: _ADMIN,
    GroupRole.MODERATOR: _MODERATOR,
    GroupRole.MEMBER: _MEMBER,
    GroupRole.PENDING: frozenset({GroupPermission.LEAVE}),  # to withdraw the request
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
    """Whether this role in a group has the permission. None means no role."""
    return action in ALLOWED[role]


def roles_with(action: GroupPermission) -> tuple[GroupRole, ...]:
    """The roles that have the permission, most trusted first."""
    return tuple(role for role in GroupRole if may(role, action))


def require_permission(role: GroupRole | None, action: GroupPermission) -> None:
    """Raise Forbidden, with a reason, unless the role has the permission."""
    if not may(role, action):
        raise Forbidden(_FORBIDDEN[action])


def require_managed_here(group: Group, action: GroupPermission) -> None:
    """Raise Refused for an action that can only be taken in the other app, because the group is managed in that app.
    The caller's role does not matter.
    """
    if group.is_read_only and action not in _ELSEWHERE:
        raise Refused(GroupReason.KEPT_ELSEWHERE, name="KeptElsewhere")


def may_see(group: Group, role: GroupRole | None) -> bool:
    """Whether somebody with this role may know that the group exists.

    Nobody may see deleted groups, and only admins may see hidden ones.
    """
    if group.deleted_at is not None or (group.is_hidden and not may(role, GroupPermission.EDIT_GROUP)):
        return False
    return group.details.visibility is not GroupVisibility.PRIVATE or may(role, GroupPermission.VIEW)


def may_find_by_id(group: Group, role: GroupRole | None) -> bool:
    """Whether somebody with this role may use the group's id instead of its slug. The id never changes, so for other
    people it would be a link to an unlisted group that nobody can replace.
    """
    return group.details.visibility is GroupVisibility.PUBLIC or may(role, GroupPermission.VIEW)


def require_visible(group: Group | None, role: GroupRole | None) -> Group:
    """Return the group if a person with this role may see it.

    Raises NotFound, both for groups that do not exist and for hidden ones. Raises Gone (410) for a deleted group: to
    everybody if it was public, and with its name to its members.
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
    """Whether somebody in ``role`` may decide about somebody in ``other``, who must be a member of lower rank."""
    if role not in INSIDE:
        return False
    return other not in INSIDE or INSIDE.index(role) < INSIDE.index(other)


def require_rank_above(role: GroupRole, other: GroupRole) -> None:
    """Raise Forbidden unless ``role`` ranks above ``other``."""
    if not ranks_above(role, other):
        raise Forbidden(GroupReason.ROLE_TOO_HIGH)


def require_grantable(role: GroupRole, new_role: GroupRole) -> None:
    """Raise Refused for a role that cannot be assigned, and Forbidden for one that is not below the caller's own."""
    if new_role not in INSIDE:
        raise Refused(GroupReason.NOT_A_ROLE, name="NotARole")
    if new_role is GroupRole.OWNER:
        raise Refused(GroupReason.HAND_OVER_INSTEAD, name="OneOwner")
    require_rank_above(role, new_role)


def role_after_joining(group: Group, before: GroupRole | None) -> GroupRole:
    """The role after joining. Members and requesters keep their role.

    Raises Refused if the person is banned or if joining is by invitation only.
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
    """The role after accepting an invitation. Raises Refused if the person is banned."""
    if before is GroupRole.BANNED:
        raise Refused(GroupReason.BANNED, name="Banned")
    return before if before in INSIDE else GroupRole.MEMBER


def require_able_to_leave(role: GroupRole | None) -> None:
    """Raise Refused for the owner, and Forbidden for non-members."""
    if role is GroupRole.OWNER:
        raise Refused(
            GroupReason.OWNER_CANNOT_LEAVE,
            name="OwnerCannotLeave",
        )
    require_permission(role, GroupPermission.LEAVE)


def check_answer(group: Group, text: str) -> str:
    """Return the trimmed answer to the group's question. Raises InvalidForm if an answer is required and missing."""
    answer = text.replace("\r\n", "\n").strip()
    if len(answer) > MAX_ANSWER:
        raise InvalidForm({"answer": GeneralReason.TEXT_TOO_LONG(most=MAX_ANSWER)})
    is_asked = group.details.join_policy is JoinPolicy.REQUEST and group.details.join_question
    if is_asked and not answer:
        raise InvalidForm({"answer": GroupReason.ANSWER_NEEDED})
    return answer if is_asked else ""


def is_absent(owner_seen_at: Instant, now: Instant, *, after: int) -> bool:
    """Whether the owner has been absent for at least ``after`` microseconds, so that somebody may ask to take over."""
    return now - owner_seen_at >= after


def require_succession_over(group: Group, caller: UserId, *, owner_seen_at: Instant, now: Instant, wait: int) -> None:
    """Raise Refused unless this person has asked, the waiting period is over, and the owner has been absent since then."""
    succession = group.succession
    if succession is None or succession.successor_id != caller:
        raise Refused(GroupReason.NOT_ASKED, name="NotAsked")
    if owner_seen_at > succession.asked_at:
        raise Refused(GroupReason.OWNER_IS_BACK, name="OwnerIsBack")
    if now - succession.asked_at < wait:
        raise Refused(GroupReason.STILL_WAITING, name="StillWaiting")


def require_returnable(last: GroupLogEntry | None, caller: UserId, membership: Membership | None) -> None:
    """Raise Refused unless the latest change of owner took the group from this person, who is still a member."""
    if last is None or last.user_id != caller or membership is None or membership.role not in INSIDE:
        raise Refused(GroupReason.NOTHING_TO_TAKE_BACK, name="NothingToTakeBack")


_TOKEN = re.compile(r"([0-9a-f-]{36})\.([0-9a-f]{32})")


def token_of(key: SigningKey, invitation_id: InvitationId) -> str:
    """The token of an invitation link. It is derived from the installation's key and never stored (invariant 8)."""
    proof = key.digest(b"group invitation\x00" + invitation_id.encode()).hex()
    return f"{invitation_id}.{proof[:32]}"


def invitation_in(key: SigningKey, token: str) -> InvitationId | None:
    """Extract the invitation id from a link token. None if the token is forged."""
    match = _TOKEN.fullmatch(token)
    if match is None:
        return None
    invitation_id = InvitationId(match[1])
    return invitation_id if key.verifies(token, lambda one: token_of(one, invitation_id)) else None
