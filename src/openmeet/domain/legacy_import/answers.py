"""Which old answers are imported, and as what. Pure."""

from collections.abc import Iterable

from openmeet.domain.attendance.model import SEATED, AttendanceStatus
from openmeet.domain.legacy_import.model import Odd, Oddity, Old, OldAnswer, OldEvent
from openmeet.domain.legacy_import.plan import Answer

STATUSES = {
    "confirmed": AttendanceStatus.ATTENDING,
    "attending": AttendanceStatus.ATTENDING,
    "maybe": AttendanceStatus.INTERESTED,
    "interested": AttendanceStatus.INTERESTED,
    "cancelled": AttendanceStatus.DECLINED,
    "declined": AttendanceStatus.DECLINED,
    "pending": AttendanceStatus.PENDING,
    "waitlist": AttendanceStatus.WAITLISTED,
    "waitlisted": AttendanceStatus.WAITLISTED,
    "invited": AttendanceStatus.INVITED,
    "rejected": AttendanceStatus.REJECTED,
    "attended": AttendanceStatus.ATTENDED,
}
# Who wanted to be there follows what the parent became; who said no, or was told no, does not.
FOLLOWING = frozenset(
    {
        AttendanceStatus.ATTENDING,
        AttendanceStatus.INTERESTED,
        AttendanceStatus.PENDING,
        AttendanceStatus.WAITLISTED,
        AttendanceStatus.ATTENDED,
    }
)


def answers_of(event: OldEvent, old: Old, odd: list[Odd], more: Iterable[OldAnswer] = ()) -> tuple[Answer, ...]:
    """One answer per person, in the order of their ids. ``more``: of a row that is the same date; its own answers go before."""
    chosen: dict[int, Answer] = {}
    for answer in more:
        _choose(chosen, event, answer, old, odd)
    own: dict[int, Answer] = {}
    for answer in old.answers.get(event.id, ()):
        _choose(own, event, answer, old, odd)
    chosen |= own
    found = tuple(sorted(chosen.values(), key=lambda answer: answer.old.id))
    seated = sum(answer.status in SEATED for answer in found)
    if event.capacity and 0 < event.capacity < seated:
        odd.append(Odd(Oddity.OVER_CAPACITY, f"event {event.id}", f"{seated} of {event.capacity}"))
    return found


def followers_of(answers: Iterable[Answer]) -> tuple[int, ...]:
    """Old ids of the people who follow."""
    return tuple(answer.old.user_id for answer in answers if answer.status in FOLLOWING)


def _choose(chosen: dict[int, Answer], event: OldEvent, answer: OldAnswer, old: Old, odd: list[Odd]) -> None:
    subject = f"event {event.id}"
    status = STATUSES.get(answer.status or "")
    if answer.user_id not in old.users:
        odd.append(Odd(Oddity.NO_PERSON, subject, f"answer {answer.id}"))
        return
    if status is None:
        odd.append(Odd(Oddity.UNKNOWN_STATUS, subject, f"answer {answer.id}: {(answer.status or 'nothing')[:30]}"))
        return
    if answer.user_id in chosen:
        odd.append(Odd(Oddity.ANSWERED_TWICE, subject, f"user {answer.user_id}"))
    # In the order of ids: the newer one stays.
    chosen[answer.user_id] = Answer(answer, status)
