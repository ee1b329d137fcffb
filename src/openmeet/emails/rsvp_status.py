"""How an answer stands, in a sentence to the person whose it is."""

from groundwork.clock import Instant
from openmeet.domain.attendance.model import Attendance, AttendanceStatus, PendingFor
from openmeet.domain.attendance.registration import Joining
from openmeet.domain.attendance.rules import is_too_large, limits_of, most_together, places_words
from openmeet.domain.events.model import Event
from openmeet.i18n import formatting
from openmeet.recurrence import wall_time

_PLAIN = {
    AttendanceStatus.ATTENDING: "You are going.",
    AttendanceStatus.ATTENDED: "You were there.",
    AttendanceStatus.INTERESTED: "You are interested.",
    AttendanceStatus.DECLINED: "You are not going.",
    AttendanceStatus.INVITED: "You are invited.",
    AttendanceStatus.REJECTED: "The host has no place for you at this event.",
}


def stands_words(event: Event, joining: Joining, mine: Attendance | None, before: int, now: Instant) -> str:
    """One sentence or two; empty for who has not answered. ``before``: people in the line before this one."""
    if mine is None:
        return ""
    party = f" You come as {mine.party} people." if mine.party > 1 and mine.is_seated else ""
    if mine.status is AttendanceStatus.WAITLISTED:
        words = offer_words(event, mine, now) or too_large_words(event, joining, mine)
        return words or f"You are on the waitlist: {before_words(before)}."
    if mine.status is AttendanceStatus.PENDING:
        return pending_words(mine)
    return _PLAIN[mine.status] + party


def offer_words(event: Event, mine: Attendance, now: Instant) -> str:
    """That a place is held, and until when; empty where none is."""
    if mine.offered_until is None or not mine.has_offer(now):
        return ""
    until = wall_time.local_of(mine.offered_until, event.time_zone)
    places = "A place is" if mine.party == 1 else f"{mine.party} places are"
    return (
        f"{places} held for you until {formatting.span(until, None)}, {formatting.zone_words(until, event.time_zone)}."
    )


def too_large_words(event: Event, joining: Joining, mine: Attendance) -> str:
    """That no place will ever be free for so many people, because the host lowered the limit; empty where there can be one."""
    limits = limits_of(event, joining)
    most = most_together(limits, mine.mode)
    if most is None or not is_too_large(limits, mine):
        return ""
    return (
        f"{places_words(most, mine.mode)}, and you come as {mine.party} people: nothing can become free for all of you."
        " Answer again with fewer people."
    )


def before_words(before: int) -> str:
    """``3 before you``."""
    return f"{before} before you" if before else "you are the next"


def pending_words(mine: Attendance) -> str:
    """Whom an answer waits for that takes no place yet."""
    if mine.pending_for is PendingFor.APPROVAL:
        return "You asked to come. The host says yes or no."
    return "Your answer from another app takes no place yet: the host confirms it."
