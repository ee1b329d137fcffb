"""Conditions that several kinds of notifications share: until when their e-mail is still sent, and who may read them.

Each takes the payload and the current state. The row of a kind (see ``kinds``) names its conditions.
"""

from typing import Protocol

from groundwork.clock import Instant


class ModeratorDecision(Protocol):
    """A payload with a moderator's decision: whether the event or group is hidden."""

    @property
    def is_hidden(self) -> bool: ...


class SubjectState(Protocol):
    """The current state of the subject of a notification, and its reader's part in it.

    ``starts_at`` and ``place`` are those of the event; ``place`` is ``Venue.line_and_country``. ``is_hidden``: a
    moderator hid the event or group. ``is_waiting``: on the waitlist without an offered place. ``role``: the reader's
    role in the group, as stored. ``is_heir``: the group is offered to the reader. ``has_open_request``: the person whom
    the notification is about still waits to be admitted to the group. ``unread``: how many of the chat messages are
    unread. ``has_photos``: the reader may see photos of the event by others. ``together``: the kinds of all
    notifications about this subject in the same e-mail, oldest first.
    """

    @property
    def is_event(self) -> bool: ...
    @property
    def takes_place(self) -> bool: ...
    @property
    def is_over(self) -> bool: ...
    @property
    def is_gone(self) -> bool: ...
    @property
    def is_cancelled(self) -> bool: ...
    @property
    def is_record_deleted(self) -> bool: ...
    @property
    def starts_at(self) -> Instant | None: ...
    @property
    def place(self) -> tuple[str, str]: ...
    @property
    def is_going(self) -> bool: ...
    @property
    def is_waiting(self) -> bool: ...
    @property
    def is_invited(self) -> bool: ...
    @property
    def is_rejected(self) -> bool: ...
    @property
    def has_offer(self) -> bool: ...
    @property
    def is_hidden(self) -> bool: ...
    @property
    def role(self) -> str | None: ...
    @property
    def is_owner(self) -> bool: ...
    @property
    def is_heir(self) -> bool: ...
    @property
    def has_open_request(self) -> bool: ...
    @property
    def may_approve(self) -> bool: ...
    @property
    def may_read_announcement(self) -> bool: ...
    @property
    def unread(self) -> int: ...
    @property
    def has_photos(self) -> bool: ...
    @property
    def together(self) -> tuple[str, ...]: ...


def always(_: object, __: SubjectState) -> bool:
    return True


def is_coming(_: object, state: SubjectState) -> bool:
    """Whether the event takes place and is not over. True if the subject is not an event."""
    return not state.is_event or (state.takes_place and not state.is_over)


def if_going(payload: object, state: SubjectState) -> bool:
    return is_coming(payload, state) and state.is_going


def if_not_gone(_: object, state: SubjectState) -> bool:
    return not state.is_gone


def if_not_only_cancelled(_: object, state: SubjectState) -> bool:
    """Whether news about a series still matters. It does not if the same e-mail says that this date was cancelled."""
    if state.is_gone:
        return False
    return not state.is_cancelled or state.is_over or "event_cancelled" not in state.together


def if_decided(payload: ModeratorDecision, state: SubjectState) -> bool:
    """Whether the subject is still as the moderator left it, hidden or shown, and, if it is an event, takes place."""
    return (state.takes_place or not state.is_event) and state.is_hidden is payload.is_hidden


def if_unread(_: object, state: SubjectState) -> bool:
    return state.unread > 0


def who_approves(_: object, state: SubjectState) -> bool:
    return state.may_approve


def who_reads_announcements(_: object, state: SubjectState) -> bool:
    return state.may_read_announcement
