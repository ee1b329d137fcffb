"""Conditions under which a notification of each kind is still mailed or shown. Pure functions."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from groundwork.clock import Instant
from openmeet.domain.attendance.model import Attendance, AttendanceStatus
from openmeet.domain.events.model import Event
from openmeet.domain.groups import rules as groups
from openmeet.domain.groups.model import Announcement, Group, GroupRole, Membership
from openmeet.domain.groups.rules import GroupPermission
from openmeet.domain.notifications import kinds
from openmeet.domain.notifications.kinds import (
    DatesChanged,
    Moderated,
    NewAnswer,
    NotificationKind,
    Payload,
    RoleDecided,
    Succession,
)
from openmeet.domain.notifications.model import When
from openmeet.domain.users.model import UserId


@dataclass(frozen=True, slots=True)
class ChatPresent:
    """A chat room as its reader sees it now, and the message that a notification is about.

    ``path``: the path of the message, or of the room if the notification is about several messages. ``text``: the text
    of the message, empty if an e-mail must not contain it. ``unread``: how many of the messages that the notification
    is about are unread. ``lines``: the first ten of them. ``until``: when a mute or ban expires.
    """

    title: str
    room_path: str
    path: str
    text: str
    unread: int
    lines: tuple[str, ...] = ()
    may_write: bool = False
    may_read: bool = True
    until: When | None = None


@dataclass(frozen=True, slots=True)
class Present:
    """The current state that a notification is checked against when it is read or mailed: its subject, and the reader's
    role in it.

    ``together``: the kinds of all notifications about this subject in the same e-mail, oldest first.
    """

    viewer: UserId
    now: Instant
    event: Event | None = None
    own_rsvp: Attendance | None = None
    group: Group | None = None
    role: GroupRole | None = None
    membership: Membership | None = None
    announcement: Announcement | None = None
    chat: ChatPresent | None = None
    together: tuple[str, ...] = ()

    @property
    def takes_place(self) -> bool:
        return self.event is not None and not (self.event.is_gone or self.event.is_cancelled)

    @property
    def is_over(self) -> bool:
        return self.event is not None and self.event.is_over(self.now)

    @property
    def is_going(self) -> bool:
        return self.own_rsvp is not None and self.own_rsvp.is_seated

    @property
    def is_waiting(self) -> bool:
        """Whether the reader is on the waitlist without an offered place."""
        own_rsvp = self.own_rsvp
        return (
            own_rsvp is not None and own_rsvp.status is AttendanceStatus.WAITLISTED and not own_rsvp.has_offer(self.now)
        )

    def may(self, permission: GroupPermission) -> bool:
        return groups.may(self.role, permission)


def is_coming(_: Payload, present: Present) -> bool:
    """Whether the event takes place and is not over. True if the subject is not an event."""
    return present.event is None or (present.takes_place and not present.is_over)


def always(_: Payload, __: Present) -> bool:
    return True


def if_not_gone(_: Payload, present: Present) -> bool:
    return present.event is not None and not present.event.is_gone


def if_not_only_cancelled(_: Payload, present: Present) -> bool:
    """Whether news about a series still matters. It does not if the same e-mail says that this date was cancelled."""
    event = present.event
    if event is None or event.is_gone:
        return False
    return not event.is_cancelled or present.is_over or "event_cancelled" not in present.together


def if_record_is_deleted(_: Payload, present: Present) -> bool:
    return present.takes_place and present.event is not None and present.event.record_deleted_at is not None


def if_going(payload: Payload, present: Present) -> bool:
    return is_coming(payload, present) and present.is_going


def if_offered(payload: Payload, present: Present) -> bool:
    return is_coming(payload, present) and present.own_rsvp is not None and present.own_rsvp.has_offer(present.now)


def if_waiting_again(payload: Payload, present: Present) -> bool:
    """Whether to mention a withdrawn offer: not if the same e-mail contains the offer, because the person never
    received it.
    """
    return is_coming(payload, present) and present.is_waiting and "seat_offered" not in present.together


def if_approved(payload: Payload, present: Present) -> bool:
    is_news = present.is_going and "moved_up" not in present.together
    return is_coming(payload, present) and (is_news or present.is_waiting)


def if_status(status: AttendanceStatus) -> Callable[[Payload, Present], bool]:
    def is_status(payload: Payload, present: Present) -> bool:
        return is_coming(payload, present) and present.own_rsvp is not None and present.own_rsvp.status is status

    return is_status


def if_unread(_: Payload, present: Present) -> bool:
    return present.chat is not None and present.chat.unread > 0


def if_undecided(_: Payload, present: Present) -> bool:
    return present.membership is not None and present.membership.role is GroupRole.PENDING


def who_approves(_: Payload, present: Present) -> bool:
    return present.may(GroupPermission.APPROVE)


def who_reads_announcements(_: Payload, present: Present) -> bool:
    return present.announcement is not None and present.may(GroupPermission.VIEW)


def is_retimed(payload: DatesChanged, event: Event) -> bool:
    """Whether the start time differs from the one before the change."""
    return payload.started is not None and event.starts_at is not None and payload.started.at != event.starts_at


def is_elsewhere(payload: DatesChanged, event: Event) -> bool:
    """Whether the place differs from the one before the change."""
    return payload.was_at is not None and (payload.was_at, payload.was_in) != event.place.line_and_country


def _if_moved(payload: DatesChanged, present: Present) -> bool:
    """False if the event was moved and then moved back."""
    event = present.event
    if event is None or not is_coming(payload, present):
        return False
    return is_retimed(payload, event) or is_elsewhere(payload, event) or payload.is_near


def _if_decided(payload: Moderated, present: Present) -> bool:
    """Whether this moderator's decision still applies."""
    if present.group is not None:
        return present.group.is_hidden is payload.is_hidden
    return present.takes_place and present.event is not None and present.event.is_hidden is payload.is_hidden


def _if_last_status(kind: str) -> Callable[[DatesChanged, Present], bool]:
    """Make a condition that is false if the series was paused and resumed again in the same e-mail."""

    def is_last(payload: DatesChanged, present: Present) -> bool:
        both = [one for one in present.together if one in {"series_paused", "series_resumed"}]
        return both[0] == both[-1] == kind and if_not_only_cancelled(payload, present)

    return is_last


def _if_gone(payload: DatesChanged, present: Present) -> bool:
    event = present.event
    return event is not None and event.is_gone and _is_useful(payload, present)


def _if_cancelled(payload: DatesChanged, present: Present) -> bool:
    event = present.event
    return event is not None and event.is_cancelled and not event.is_gone and _is_useful(payload, present)


def _if_back(payload: DatesChanged, present: Present) -> bool:
    return present.takes_place and _is_useful(payload, present)


def _is_useful(payload: DatesChanged, present: Present) -> bool:
    """Whether the news still matters: it does not if this date is over, unless other dates changed with it."""
    return bool(payload.others) or not present.is_over


def _if_answered(payload: NewAnswer, present: Present) -> bool:
    """Whether the RSVP still has to be reported. The event may be over, but it must take place."""
    return payload.person_id is not None and present.takes_place


def _if_role(payload: RoleDecided, present: Present) -> bool:
    """Whether the person still has the role that the notification names."""
    return present.role is not None and present.role.value == payload.role


def _if_step_counts(payload: Succession, present: Present) -> bool:
    offer = present.group.offer if present.group else None
    match payload.step:
        case "offered":
            return offer is not None and offer.heir_id == present.viewer
        case "asked":
            # The owner gets a separate e-mail about this, which no preference turns off.
            return False
        case "yours" | "passed_on":
            return present.role is GroupRole.OWNER
        case _:
            return True


# Checked when a notification is mailed. All other kinds require that the event takes place and is not over.
_STILL_TRUE: Final[Mapping[str, Callable[[Any, Present], bool]]] = {
    kinds.EVENT_DELETED.name: _if_gone,
    kinds.EVENT_CANCELLED.name: _if_cancelled,
    kinds.MODERATED.name: _if_decided,
    kinds.SERIES_PAUSED.name: _if_last_status("series_paused"),
    kinds.SERIES_RESUMED.name: _if_last_status("series_resumed"),
    kinds.SERIES_OFFERED.name: if_not_only_cancelled,
    kinds.RECORD_DELETED.name: if_record_is_deleted,
    kinds.EVENT_REINSTATED.name: _if_back,
    kinds.EVENT_CHANGED.name: _if_moved,
    kinds.MOVED_UP.name: if_going,
    kinds.SEAT_WITHDRAWN.name: if_waiting_again,
    kinds.SEAT_OFFERED.name: if_offered,
    kinds.ANSWER_APPROVED.name: if_approved,
    kinds.ANSWER_DECLINED.name: if_status(AttendanceStatus.REJECTED),
    kinds.INVITED.name: if_status(AttendanceStatus.INVITED),
    kinds.REMINDER.name: if_going,
    kinds.HOST_MESSAGE.name: if_not_gone,
    kinds.NEW_ANSWER.name: _if_answered,
    kinds.JOIN_REQUEST.name: if_undecided,
    kinds.JOIN_DECIDED.name: _if_role,
    kinds.ROLE_CHANGED.name: _if_role,
    kinds.OWNERSHIP.name: _if_step_counts,
    kinds.GROUP_MODERATED.name: _if_decided,
    kinds.CHAT_MENTION.name: if_unread,
    kinds.CHAT_REPLY.name: if_unread,
    kinds.CHAT_DIRECT.name: if_unread,
    kinds.CHAT_REMOVED.name: if_unread,
    kinds.CHAT_RESTORED.name: if_unread,
    kinds.CHAT_UPHELD.name: if_unread,
    kinds.CHAT_SANCTIONED.name: if_unread,
    kinds.CHAT_LIFTED.name: if_unread,
    kinds.CHAT_MESSAGES.name: if_unread,
    kinds.CHAT_UNREAD.name: if_unread,
}

# Checked whenever a notification is shown, in addition to whether the reader may see the event or group.
_MAY_READ: Final[Mapping[str, Callable[[Any, Present], bool]]] = {
    kinds.JOIN_REQUEST.name: who_approves,
    kinds.ANNOUNCEMENT.name: who_reads_announcements,
    kinds.GROUP_MENTION.name: who_reads_announcements,
}


def still_true(kind: NotificationKind[Any], payload: Payload, present: Present) -> bool:
    """Whether a notification still applies and should be mailed."""
    return _STILL_TRUE.get(kind.name, is_coming)(payload, present)


def may_read(kind: NotificationKind[Any], payload: Payload, present: Present) -> bool:
    """Whether a reader who may see the group may also read this notification about it."""
    return _MAY_READ.get(kind.name, always)(payload, present)
