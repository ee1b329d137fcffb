"""Kinds of notifications about groups, the most important first."""

from typing import Final

from openmeet.domain.notifications.conditions import SubjectState, if_decided, who_approves, who_reads_announcements
from openmeet.domain.notifications.model import (
    ModerationPayload,
    NotificationKind,
    NotificationTopic,
    Payload,
    SubjectType,
    Urgency,
    worth_mail,
)


class RoleDecided(Payload, frozen=True):
    """Payload of "your role changed". ``role``: the new role in the group. ``before``: the previous role."""

    role: str = ""
    before: str = ""


class Succession(Payload, frozen=True):
    """Payload of a step in the succession of a group. ``step``: see ``groups.notify.Ownership``."""

    step: str = ""


def _if_undecided(_: Payload, state: SubjectState) -> bool:
    return state.has_open_request


def _if_role(payload: RoleDecided, state: SubjectState) -> bool:
    """Whether the person still has the role that the notification names."""
    return state.role == payload.role


def _if_step_counts(payload: Succession, state: SubjectState) -> bool:
    match payload.step:
        case "offered":
            return state.is_heir
        case "asked":
            # The owner gets a separate e-mail about this, which no preference turns off.
            return False
        case "yours" | "passed_on":
            return state.is_owner
        case _:
            return True


_GROUP, _MEMBERSHIP, _ANNOUNCEMENT = SubjectType.GROUP, SubjectType.MEMBERSHIP, SubjectType.ANNOUNCEMENT
_Topic = NotificationTopic

JOIN_REQUEST: Final = NotificationKind(
    "join_request",
    _Topic.REQUESTS,
    _MEMBERSHIP,
    Payload,
    has_author=True,
    page="/requests",
    still_true=_if_undecided,
    may_read=who_approves,
    awaits_decision=worth_mail,
)
JOIN_DECIDED: Final = NotificationKind(
    "join_decided", _Topic.MEMBERSHIP, _MEMBERSHIP, RoleDecided, Urgency.SOON, still_true=_if_role
)
ROLE_CHANGED: Final = NotificationKind("role_changed", _Topic.MEMBERSHIP, _MEMBERSHIP, RoleDecided, still_true=_if_role)
OWNERSHIP: Final = NotificationKind(
    "ownership", _Topic.MEMBERSHIP, _GROUP, Succession, page="/ownership", still_true=_if_step_counts
)
GROUP_MODERATED: Final = NotificationKind(
    "group_moderated", _Topic.MEMBERSHIP, _GROUP, ModerationPayload, still_true=if_decided
)
ANNOUNCEMENT: Final = NotificationKind(
    "announcement", _Topic.ANNOUNCEMENTS, _ANNOUNCEMENT, Payload, has_author=True, may_read=who_reads_announcements
)
GROUP_MENTION: Final = NotificationKind(
    "group_mention", _Topic.MENTIONS, _ANNOUNCEMENT, Payload, has_author=True, may_read=who_reads_announcements
)
