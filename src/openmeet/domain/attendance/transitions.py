"""What may become of an answer: one table, for everything that anybody can do to it and every way it can stand.

A cell says what follows, as far as that does not depend on places: ``SEAT`` and its kin ask ``seating`` whether there is room.
Nothing else decides about a status. A test goes through every cell.
"""

from collections.abc import Mapping
from enum import StrEnum

from openmeet.domain.attendance.model import AttendanceStatus, NetworkAnswer, RsvpReply


class AttendanceAction(StrEnum):
    """What is done to an answer."""

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
    # by the host
    INVITE = "invite"
    ADD = "add"
    APPROVE = "approve"
    REMOVE = "remove"
    RESTORE = "restore"
    CHECK_IN = "check_in"
    UNDO_CHECK_IN = "undo_check_in"
    # by the clock, or by somebody else's leaving
    MOVE_UP = "move_up"
    LAPSE = "lapse"


class AttendanceTransition(StrEnum):
    """What a cell leads to."""

    KEEP = "keep"  # stays as it is
    SEAT = "seat"  # a place, the end of the line, or the host's approval, as the event has it
    ADMIT = "admit"  # the same, approved
    DOOR = "door"  # a place now, or a refusal: nobody is put into a line at the door
    TAKE = "take"  # the offered place, where there is an offer; else as it is
    CLEAR_UP = "clear_up"  # SEAT where nobody knew what the answer meant; else as it is
    BACK = "back"  # to where it stood before what the host did
    ATTENDING = "attending"
    INTERESTED = "interested"
    DECLINED = "declined"
    PENDING = "pending"
    INVITED = "invited"
    REJECTED = "rejected"
    TURNED_DOWN = "turned_down"  # refused: the host said no
    IS_THERE = "is_there"  # refused: checked in already
    NO_ANSWER = "no_answer"  # refused: there is nothing to do this to


_KEEP, _SEAT, _ADMIT, _DOOR, _TAKE = (
    AttendanceTransition.KEEP,
    AttendanceTransition.SEAT,
    AttendanceTransition.ADMIT,
    AttendanceTransition.DOOR,
    AttendanceTransition.TAKE,
)
_CLEAR, _BACK = AttendanceTransition.CLEAR_UP, AttendanceTransition.BACK
_GOING, _MAYBE, _NO, _PEND, _INVITED, _OUT = (
    AttendanceTransition.ATTENDING,
    AttendanceTransition.INTERESTED,
    AttendanceTransition.DECLINED,
    AttendanceTransition.PENDING,
    AttendanceTransition.INVITED,
    AttendanceTransition.REJECTED,
)
_DOWN, _THERE, _NONE = AttendanceTransition.TURNED_DOWN, AttendanceTransition.IS_THERE, AttendanceTransition.NO_ANSWER

_S = AttendanceStatus
COLUMNS: tuple[AttendanceStatus | None, ...] = (
    None,
    _S.ATTENDING,
    _S.INTERESTED,
    _S.DECLINED,
    _S.PENDING,
    _S.WAITLISTED,
    _S.INVITED,
    _S.REJECTED,
    _S.ATTENDED,
)

# fmt: off
_ROWS: Mapping[AttendanceAction, tuple[AttendanceTransition, ...]] = {
    #                        none      attending  interested  declined  pending  waitlisted  invited   rejected  attended
    AttendanceAction.GOING:              (_SEAT,    _KEEP,     _SEAT,      _SEAT,    _SEAT,   _TAKE,      _SEAT,    _DOWN,    _KEEP),
    AttendanceAction.INTERESTED:         (_MAYBE,   _MAYBE,    _KEEP,      _MAYBE,   _MAYBE,  _MAYBE,     _MAYBE,   _DOWN,    _THERE),
    AttendanceAction.DECLINE:            (_NO,      _NO,       _NO,        _KEEP,    _NO,     _NO,        _NO,      _KEEP,    _THERE),
    # A record says what its author thinks; it moves nobody whom the host sent away, and nobody who is there.
    AttendanceAction.NETWORK_GOING:      (_SEAT,    _KEEP,     _SEAT,      _SEAT,    _CLEAR,  _KEEP,      _SEAT,    _KEEP,    _KEEP),
    AttendanceAction.NETWORK_INTERESTED: (_MAYBE,   _MAYBE,    _KEEP,      _MAYBE,   _MAYBE,  _MAYBE,     _MAYBE,   _KEEP,    _KEEP),
    AttendanceAction.NETWORK_NOT_GOING:  (_NO,      _NO,       _NO,        _KEEP,    _NO,     _NO,        _NO,      _KEEP,    _KEEP),
    AttendanceAction.NETWORK_UNCLEAR:    (_PEND,    _PEND,     _PEND,      _PEND,    _KEEP,   _PEND,      _PEND,    _KEEP,    _KEEP),
    AttendanceAction.NETWORK_GONE:       (_KEEP,    _NO,       _NO,        _KEEP,    _NO,     _NO,        _KEEP,    _KEEP,    _KEEP),
    # Who said that they come and waits for the host's word has it.
    AttendanceAction.INVITE:             (_INVITED, _KEEP,     _KEEP,      _KEEP,    _ADMIT,  _KEEP,      _KEEP,    _INVITED, _KEEP),
    AttendanceAction.ADD:                (_DOOR,    _KEEP,     _DOOR,      _DOOR,    _DOOR,   _TAKE,      _DOOR,    _DOOR,    _KEEP),
    AttendanceAction.APPROVE:            (_NONE,    _KEEP,     _KEEP,      _KEEP,    _ADMIT,  _KEEP,      _KEEP,    _ADMIT,   _KEEP),
    AttendanceAction.REMOVE:             (_NONE,    _OUT,      _OUT,       _OUT,     _OUT,    _OUT,       _OUT,     _KEEP,    _OUT),
    AttendanceAction.RESTORE:            (_NONE,    _KEEP,     _KEEP,      _KEEP,    _KEEP,   _KEEP,      _KEEP,    _BACK,    _KEEP),
    AttendanceAction.CHECK_IN:           (_NONE,    _DOOR,     _DOOR,      _DOOR,    _DOOR,   _DOOR,      _DOOR,    _DOWN,    _KEEP),
    AttendanceAction.UNDO_CHECK_IN:      (_NONE,    _KEEP,     _KEEP,      _KEEP,    _KEEP,   _KEEP,      _KEEP,    _KEEP,    _BACK),
    AttendanceAction.MOVE_UP:            (_NONE,    _KEEP,     _KEEP,      _KEEP,    _KEEP,   _GOING,     _KEEP,    _KEEP,    _KEEP),
    # Who lets an offer pass said neither yes nor no: nothing of that is told to anybody, and a yes is welcome later.
    AttendanceAction.LAPSE:              (_NONE,    _KEEP,     _KEEP,      _KEEP,    _KEEP,   _INVITED,   _KEEP,    _KEEP,    _KEEP),
}
# fmt: on

TABLE: Mapping[AttendanceAction, Mapping[AttendanceStatus | None, AttendanceTransition]] = {
    act: dict(zip(COLUMNS, row, strict=True)) for act, row in _ROWS.items()
}

OF_REPLY: Mapping[RsvpReply, AttendanceAction] = {
    RsvpReply.GOING: AttendanceAction.GOING,
    RsvpReply.INTERESTED: AttendanceAction.INTERESTED,
    RsvpReply.DECLINED: AttendanceAction.DECLINE,
}

OF_RECORD: Mapping[NetworkAnswer, AttendanceAction] = {
    NetworkAnswer.GOING: AttendanceAction.NETWORK_GOING,
    NetworkAnswer.INTERESTED: AttendanceAction.NETWORK_INTERESTED,
    NetworkAnswer.NOT_GOING: AttendanceAction.NETWORK_NOT_GOING,
    NetworkAnswer.OTHER: AttendanceAction.NETWORK_UNCLEAR,
}
