"""RSVP transitions: one table of every action and every status.

A cell gives the result, apart from capacity: for ``SEAT`` and similar cells, ``rules`` checks whether there is room. A
test covers every cell. Only ``attended``, statuses restored from the history and merged RSVPs are decided elsewhere.
"""

from collections.abc import Mapping
from enum import StrEnum

from openmeet.domain.attendance.model import AttendanceStatus, RsvpRecordStatus, RsvpReply


class AttendanceAction(StrEnum):
    """An action on an RSVP."""

    # by the person
    GOING = "going"
    INTERESTED = "interested"
    DECLINE = "decline"
    # by a record in the person's repository
    NETWORK_GOING = "network_going"
    NETWORK_INTERESTED = "network_interested"
    NETWORK_NOT_GOING = "network_not_going"
    NETWORK_UNCLEAR = "network_unclear"
    NETWORK_GONE = "network_gone"
    # because they may no longer come: banned, blocked, or no longer able to see the event
    SHUT_OUT = "shut_out"
    # by a host
    INVITE = "invite"
    ADD = "add"
    APPROVE = "approve"
    REJECT = "reject"
    RESTORE = "restore"
    CHECK_IN = "check_in"
    UNDO_CHECK_IN = "undo_check_in"
    # by the scheduler, because a place became free, or by a host who gives a place
    MOVE_UP = "move_up"
    EXPIRE_OFFER = "expire_offer"


class AttendanceTransition(StrEnum):
    """The result in a cell of the table."""

    KEEP = "keep"  # unchanged
    SEAT = "seat"  # a place, the end of the waitlist, or a request for approval, depending on the event's settings
    APPROVE_AND_SEAT = "approve_and_seat"  # like SEAT, but already approved; unchanged if the status is unclear
    # a place now, or refused: for people whom a host adds, and at check-in, which then stores ``attended``
    SEAT_OR_REFUSE = "seat_or_refuse"
    ACCEPT_OFFER = "accept_offer"  # the offered place, or a free one; otherwise unchanged
    SEAT_IF_UNCLEAR = "seat_if_unclear"  # SEAT if the status was unclear; otherwise unchanged
    RESTORE_PREVIOUS = "restore_previous"  # back to the status before the host's action
    ATTENDING = "attending"
    INTERESTED = "interested"
    DECLINED = "declined"
    PENDING_UNCLEAR = "pending_unclear"  # pending, because the record’s status is unclear
    INVITED = "invited"
    REJECTED = "rejected"
    REFUSE_REJECTED = "refuse_rejected"  # refused: the host rejected them
    REFUSE_CHECKED_IN = "refuse_checked_in"  # refused: already checked in
    NO_ANSWER = "no_answer"  # refused: there is no RSVP to act on


_KEEP, _SEAT, _APPROVE, _SEAT_NOW, _ACCEPT = (
    AttendanceTransition.KEEP,
    AttendanceTransition.SEAT,
    AttendanceTransition.APPROVE_AND_SEAT,
    AttendanceTransition.SEAT_OR_REFUSE,
    AttendanceTransition.ACCEPT_OFFER,
)
_IF_UNCLEAR, _RESTORE = AttendanceTransition.SEAT_IF_UNCLEAR, AttendanceTransition.RESTORE_PREVIOUS
_ATTENDING, _INTERESTED, _DECLINED, _UNCLEAR, _INVITED, _REJECTED = (
    AttendanceTransition.ATTENDING,
    AttendanceTransition.INTERESTED,
    AttendanceTransition.DECLINED,
    AttendanceTransition.PENDING_UNCLEAR,
    AttendanceTransition.INVITED,
    AttendanceTransition.REJECTED,
)
_REFUSE_REJECTED, _REFUSE_CHECKED_IN, _NO_ANSWER = (
    AttendanceTransition.REFUSE_REJECTED,
    AttendanceTransition.REFUSE_CHECKED_IN,
    AttendanceTransition.NO_ANSWER,
)

_Status = AttendanceStatus
# The columns of the table: the status before the action, None without an RSVP.
STATUSES_BEFORE: tuple[AttendanceStatus | None, ...] = (
    None,
    _Status.ATTENDING,
    _Status.INTERESTED,
    _Status.DECLINED,
    _Status.PENDING,
    _Status.WAITLISTED,
    _Status.INVITED,
    _Status.REJECTED,
    _Status.ATTENDED,
)

# fmt: off
_ROWS: Mapping[AttendanceAction, tuple[AttendanceTransition, ...]] = {
    #                                     none         attending    interested declined     pending      waitlisted   invited      rejected          attended  # noqa: W505
    AttendanceAction.GOING:              (_SEAT,       _KEEP,       _SEAT,     _SEAT,       _SEAT,       _ACCEPT,     _SEAT,       _REFUSE_REJECTED, _KEEP),
    AttendanceAction.INTERESTED:         (_INTERESTED, _INTERESTED, _KEEP,     _INTERESTED, _INTERESTED, _INTERESTED, _INTERESTED, _REFUSE_REJECTED, _REFUSE_CHECKED_IN),
    AttendanceAction.DECLINE:            (_DECLINED,   _DECLINED,   _DECLINED, _KEEP,       _DECLINED,   _DECLINED,   _DECLINED,   _KEEP,            _REFUSE_CHECKED_IN),
    # A record says what its author wants. It cannot undo a rejection by the host or a check-in.
    AttendanceAction.NETWORK_GOING:      (_SEAT,       _KEEP,       _SEAT,     _SEAT,       _IF_UNCLEAR, _KEEP,       _SEAT,       _KEEP,            _KEEP),
    AttendanceAction.NETWORK_INTERESTED: (_INTERESTED, _INTERESTED, _KEEP,     _INTERESTED, _INTERESTED, _INTERESTED, _INTERESTED, _KEEP,            _KEEP),
    AttendanceAction.NETWORK_NOT_GOING:  (_DECLINED,   _DECLINED,   _DECLINED, _KEEP,       _DECLINED,   _DECLINED,   _DECLINED,   _KEEP,            _KEEP),
    AttendanceAction.NETWORK_UNCLEAR:    (_UNCLEAR,    _UNCLEAR,    _UNCLEAR,  _UNCLEAR,    _KEEP,       _UNCLEAR,    _UNCLEAR,    _KEEP,            _KEEP),
    AttendanceAction.NETWORK_GONE:       (_KEEP,       _DECLINED,   _DECLINED, _KEEP,       _DECLINED,   _DECLINED,   _KEEP,       _KEEP,            _KEEP),
    AttendanceAction.SHUT_OUT:           (_DECLINED,   _DECLINED,   _DECLINED, _KEEP,       _DECLINED,   _DECLINED,   _DECLINED,   _KEEP,            _KEEP),
    # The invitation also approves a person who said yes and is waiting for approval.
    AttendanceAction.INVITE:             (_INVITED,    _KEEP,       _KEEP,     _KEEP,       _APPROVE,    _KEEP,       _KEEP,       _INVITED,         _KEEP),
    AttendanceAction.ADD:                (_SEAT_NOW,   _KEEP,       _SEAT_NOW, _SEAT_NOW,   _SEAT_NOW,   _ACCEPT,     _SEAT_NOW,   _SEAT_NOW,        _KEEP),
    AttendanceAction.APPROVE:            (_NO_ANSWER,  _KEEP,       _KEEP,     _KEEP,       _APPROVE,    _KEEP,       _KEEP,       _APPROVE,         _KEEP),
    AttendanceAction.REJECT:             (_NO_ANSWER,  _REJECTED,   _REJECTED, _REJECTED,   _REJECTED,   _REJECTED,   _REJECTED,   _KEEP,            _REJECTED),
    AttendanceAction.RESTORE:            (_NO_ANSWER,  _KEEP,       _KEEP,     _KEEP,       _KEEP,       _KEEP,       _KEEP,       _RESTORE,         _KEEP),
    AttendanceAction.CHECK_IN:           (_NO_ANSWER,  _SEAT_NOW,   _SEAT_NOW, _SEAT_NOW,   _SEAT_NOW,   _SEAT_NOW,   _SEAT_NOW,   _REFUSE_REJECTED, _KEEP),
    AttendanceAction.UNDO_CHECK_IN:      (_NO_ANSWER,  _KEEP,       _KEEP,     _KEEP,       _KEEP,       _KEEP,       _KEEP,       _KEEP,            _RESTORE),
    AttendanceAction.MOVE_UP:            (_NO_ANSWER,  _KEEP,       _KEEP,     _KEEP,       _KEEP,       _ATTENDING,  _KEEP,       _KEEP,            _KEEP),
    # A person who lets an offer expire has said neither yes nor no. No one is notified, and they can still say yes
    # later.
    AttendanceAction.EXPIRE_OFFER:       (_NO_ANSWER,  _KEEP,       _KEEP,     _KEEP,       _KEEP,       _INVITED,    _KEEP,       _KEEP,            _KEEP),
}
# fmt: on

TRANSITIONS: Mapping[AttendanceAction, Mapping[AttendanceStatus | None, AttendanceTransition]] = {
    action: dict(zip(STATUSES_BEFORE, row, strict=True)) for action, row in _ROWS.items()
}

ACTION_OF_REPLY: Mapping[RsvpReply, AttendanceAction] = {
    RsvpReply.GOING: AttendanceAction.GOING,
    RsvpReply.INTERESTED: AttendanceAction.INTERESTED,
    RsvpReply.DECLINED: AttendanceAction.DECLINE,
}

ACTION_OF_RECORD: Mapping[RsvpRecordStatus, AttendanceAction] = {
    RsvpRecordStatus.GOING: AttendanceAction.NETWORK_GOING,
    RsvpRecordStatus.INTERESTED: AttendanceAction.NETWORK_INTERESTED,
    RsvpRecordStatus.NOT_GOING: AttendanceAction.NETWORK_NOT_GOING,
    RsvpRecordStatus.UNCLEAR: AttendanceAction.NETWORK_UNCLEAR,
}
