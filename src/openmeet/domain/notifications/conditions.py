"""What is known when a notification is mailed or read, and what must hold of it then. Pure."""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from groundwork.clock import Instant
from openmeet.domain.attendance.model import Attendance, AttendanceStatus
from openmeet.domain.events.model import Event
from openmeet.domain.groups import rules as groups
from openmeet.domain.groups.model import Announcement, Group, GroupRole, Membership
from openmeet.domain.groups.rules import GroupPermission
from openmeet.domain.users.model import UserId


class Payload(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a text needs beside its subject, as of the notification's creation.

    ``person_id`` did it, ``group_id`` is where: recipients may block or mute both.
    """

    person_id: UserId | None = None
    group_id: str | None = None


@dataclass(frozen=True, slots=True)
class ChatPresent:
    """A room as its reader finds it now, and the message that a notification is about.

    ``path``: of the message, or of the room where it is about several. ``text``: of the message; empty where an e-mail must not
    carry it. ``unread``: how many messages the reader has not read, of those that it is about. ``lines``: the first ten of them.
    """

    title: str
    room_path: str
    path: str
    text: str
    unread: int
    lines: tuple[str, ...] = ()
    may_write: bool = False


@dataclass(frozen=True, slots=True)
class Present:
    """What is known when a notification is read or mailed: its subject and the reader's part in it.

    ``together``: the kinds of the notifications about this subject that are mailed together, oldest first.
    """

    viewer: UserId
    now: Instant
    event: Event | None = None
    mine: Attendance | None = None
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
        return self.mine is not None and self.mine.is_seated

    @property
    def is_waiting(self) -> bool:
        """On the waitlist, without an offer."""
        mine = self.mine
        return mine is not None and mine.status is AttendanceStatus.WAITLISTED and not mine.has_offer(self.now)

    def may(self, permission: GroupPermission) -> bool:
        return groups.may(self.role, permission)


def coming(_: Payload, present: Present) -> bool:
    """An event takes place and is not over; a subject that is no event passes."""
    return present.event is None or (present.takes_place and not present.is_over)


def always(_: Payload, __: Present) -> bool:
    return True


def if_not_gone(_: Payload, present: Present) -> bool:
    return present.event is not None and not present.event.is_gone


def if_not_only_cancelled(_: Payload, present: Present) -> bool:
    """Of the event's series. Where the same e-mail says that this date is cancelled, the rest matters to nobody."""
    event = present.event
    if event is None or event.is_gone:
        return False
    return not event.is_cancelled or present.is_over or "event_cancelled" not in present.together


def if_record_is_deleted(_: Payload, present: Present) -> bool:
    return present.takes_place and present.event is not None and present.event.record_deleted_at is not None


def if_going(payload: Payload, present: Present) -> bool:
    return coming(payload, present) and present.is_going


def if_offered(payload: Payload, present: Present) -> bool:
    return coming(payload, present) and present.mine is not None and present.mine.has_offer(present.now)


def if_waiting_again(payload: Payload, present: Present) -> bool:
    """Offered and withdrawn before the e-mail is sent: they never knew of that place."""
    return coming(payload, present) and present.is_waiting and "seat_offered" not in present.together


def if_approved(payload: Payload, present: Present) -> bool:
    is_news = present.is_going and "moved_up" not in present.together
    return coming(payload, present) and (is_news or present.is_waiting)


def if_status(status: AttendanceStatus) -> Callable[[Payload, Present], bool]:
    def is_status(payload: Payload, present: Present) -> bool:
        return coming(payload, present) and present.mine is not None and present.mine.status is status

    return is_status


def if_unread(_: Payload, present: Present) -> bool:
    return present.chat is not None and present.chat.unread > 0


def if_undecided(_: Payload, present: Present) -> bool:
    return present.membership is not None and present.membership.role is GroupRole.PENDING


def who_approves(_: Payload, present: Present) -> bool:
    return present.may(GroupPermission.APPROVE)


def who_reads_announcements(_: Payload, present: Present) -> bool:
    return present.announcement is not None and present.may(GroupPermission.VIEW)
