"""The current state that a notification is checked against when it is read or mailed."""

from dataclasses import dataclass

from groundwork.clock import Instant
from openmeet.domain.attendance.model import Attendance, AttendanceStatus
from openmeet.domain.events.model import Event
from openmeet.domain.events.values import NOWHERE
from openmeet.domain.groups import rules as groups
from openmeet.domain.groups.model import Announcement, Group, GroupRole, Membership
from openmeet.domain.groups.rules import GroupPermission
from openmeet.domain.notifications.model import ShownTime
from openmeet.domain.users.model import UserId


@dataclass(frozen=True, slots=True)
class CurrentChatState:
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
    until: ShownTime | None = None


@dataclass(frozen=True, slots=True)
class CurrentState:
    """The subject of a notification, and the reader's part in it. Conditions read the properties of
    ``notifications.conditions.SubjectState``; texts also read the values themselves. ``next_date``: the next
    one of the series after a cancelled event, if there is one that the reader may see.
    """

    viewer: UserId
    now: Instant
    event: Event | None = None
    own_rsvp: Attendance | None = None
    group: Group | None = None
    role: GroupRole | None = None
    membership: Membership | None = None
    announcement: Announcement | None = None
    chat: CurrentChatState | None = None
    together: tuple[str, ...] = ()
    next_date: Event | None = None
    has_photos: bool = False

    @property
    def is_event(self) -> bool:
        return self.event is not None

    @property
    def takes_place(self) -> bool:
        return self.event is not None and not (self.event.is_gone or self.event.is_cancelled)

    @property
    def is_over(self) -> bool:
        return self.event is not None and self.event.is_over(self.now)

    @property
    def is_gone(self) -> bool:
        return self.event is not None and self.event.is_gone

    @property
    def is_cancelled(self) -> bool:
        return self.event is not None and self.event.is_cancelled

    @property
    def is_record_deleted(self) -> bool:
        return self.event is not None and self.event.record_deleted_at is not None

    @property
    def starts_at(self) -> Instant | None:
        return None if self.event is None else self.event.starts_at

    @property
    def place(self) -> tuple[str, str]:
        return NOWHERE.line_and_country if self.event is None else self.event.place.line_and_country

    @property
    def is_going(self) -> bool:
        return self.own_rsvp is not None and self.own_rsvp.is_seated

    @property
    def is_waiting(self) -> bool:
        return self._has_status(AttendanceStatus.WAITLISTED) and not self.has_offer

    @property
    def is_invited(self) -> bool:
        return self._has_status(AttendanceStatus.INVITED)

    @property
    def is_rejected(self) -> bool:
        return self._has_status(AttendanceStatus.REJECTED)

    @property
    def has_offer(self) -> bool:
        return self.own_rsvp is not None and self.own_rsvp.has_offer(self.now)

    @property
    def is_hidden(self) -> bool:
        subject = self.event or self.group
        return subject is not None and subject.is_hidden

    @property
    def is_owner(self) -> bool:
        return self.role is GroupRole.OWNER

    @property
    def is_heir(self) -> bool:
        offer = self.group.offer if self.group else None
        return offer is not None and offer.heir_id == self.viewer

    @property
    def has_open_request(self) -> bool:
        return self.membership is not None and self.membership.role is GroupRole.PENDING

    @property
    def may_approve(self) -> bool:
        return groups.may(self.role, GroupPermission.APPROVE)

    @property
    def may_read_announcement(self) -> bool:
        return self.announcement is not None and groups.may(self.role, GroupPermission.VIEW)

    @property
    def unread(self) -> int:
        return 0 if self.chat is None else self.chat.unread

    def _has_status(self, status: AttendanceStatus) -> bool:
        return self.own_rsvp is not None and self.own_rsvp.status is status
