"""Tickets: codes, the attendance that a code belongs to, and the caller's own ticket.

A code has twelve letters and digits that can be read aloud, typed and scanned. Four identify the attendance within its
event. Eight (40 bits) authenticate the ticket, which is enough because only hosts can try codes, and only
a limited number of wrong ones.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from groundwork.errors import InvalidForm, NotFound, Reason
from groundwork.signing_key import SigningKey
from openmeet.domain.attendance.history import CHECKED_IN_AT
from openmeet.domain.attendance.invitation_queries import IS_HIDDEN_FROM_HOSTS
from openmeet.domain.attendance.model import Attendance, AttendanceId
from openmeet.domain.attendance.visibility import visible_event
from openmeet.domain.events.model import Event, EventId, EventSlug
from openmeet.domain.users.model import Caller


class CheckInReason(Reason):
    """Why a ticket is not accepted. The messages are in ``i18n/reasons/events.py``."""

    WRONG_TICKET = "check_in.wrong_ticket"
    MALFORMED_CODE = "check_in.malformed_code"
    NO_TICKET = "check_in.no_ticket"
    TICKET_NEEDED = "check_in.ticket_needed"


# Crockford's base 32: it has no letters that can be mistaken for digits.
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_MISREAD = str.maketrans("ILOU", "110V")
# The byte order mark is a space for browsers, whose scripts read the same texts.
_SEPARATORS = re.compile(r"[\s\ufeff-]")

# The first four characters encode the random tail of an attendance id: 20 bits.
_TAIL = 5


def code_of(key: SigningKey, attendance_id: AttendanceId) -> str:
    """The code on a ticket: ``7KQM-4T2P-9XAB``."""
    proof = key.digest(b"ticket\x00" + attendance_id.encode())
    text = _in_characters(int(attendance_id[-_TAIL:], 16), 4) + _in_characters(int.from_bytes(proof[:5]), 8)
    return f"{text[:4]}-{text[4:8]}-{text[8:]}"


def parse_code(text: str) -> str | None:
    """Parse a code that was typed or scanned (a ticket's URL also works). None if the text contains none."""
    typed = text.rpartition("code=")[2].upper().translate(_MISREAD)
    letters = _SEPARATORS.sub("", typed)
    if len(letters) != 12 or any(letter not in _ALPHABET for letter in letters):
        return None
    return f"{letters[:4]}-{letters[4:8]}-{letters[8:]}"


def tail_of(code: str) -> str:
    """The tail of the attendance ids that a code can refer to."""
    number = 0
    for letter in code[:4]:
        number = number * 32 + _ALPHABET.index(letter)
    return f"{number:0{_TAIL}x}"


def code_matches(key: SigningKey, code: str, attendance_id: AttendanceId) -> bool:
    """Whether the code belongs to this attendance."""
    return key.verifies(code, lambda one: code_of(one, attendance_id))


def _in_characters(number: int, length: int) -> str:
    return "".join(_ALPHABET[number >> 5 * place & 31] for place in reversed(range(length)))


def check_code(typed: str) -> str:
    """The code in the text (``parse_code``). Raises InvalidForm (``code``) if there is none."""
    code = parse_code(typed)
    if code is None:
        raise InvalidForm({"code": CheckInReason.MALFORMED_CODE})
    return code


async def of_code(reader: Reader, key: SigningKey, event: Event, code: str) -> AttendanceId:
    """The attendance of this event whose ticket has the code. Raises InvalidForm (``code``) if no ticket has it."""
    for attendance_id in await candidates(reader, event.id, tail_of(code)):
        if code_matches(key, code, attendance_id):
            return attendance_id
    raise InvalidForm({"code": CheckInReason.WRONG_TICKET})


async def own_ticket(reader: Reader, caller: Caller, slug: EventSlug) -> tuple[Event, Attendance]:
    """The event and the caller's attendance. Raises NotFound, also if the caller can no longer see the event."""
    event, attendance = await visible_event(reader, slug, caller.user_id, refusal=CheckInReason.NO_TICKET)
    if attendance is None or not attendance.is_seated:
        raise NotFound(CheckInReason.NO_TICKET)
    return event, attendance


@dataclass(frozen=True, slots=True)
class ArrivalCounts:
    """How many people have checked in, how many are expected in total, and how many of the expected people are brought
    by others.
    """

    there: int
    expected: int
    brought: int


async def candidates(reader: Reader, event_id: EventId, tail: str) -> list[AttendanceId]:
    """Ids of the event's attendances that end with ``tail`` (characters 32 and later), as printed on a ticket. Tickets of
    people who are deleting their account are not valid.
    """
    rows = await reader.fetch(
        "select a.id from attendances a where a.event_id = :event_id and substr(a.id, 32) = :tail"
        f" and not {IS_HIDDEN_FROM_HOSTS} order by a.id",
        event_id=event_id,
        tail=tail,
    )
    return [AttendanceId(row["id"]) for row in rows]


async def counts(reader: Reader, event_id: EventId) -> ArrivalCounts:
    row = await reader.fetch_one(
        f"""
        select cast(coalesce(sum(case when status = 'attended' then party else 0 end), 0) as bigint) as there,
               cast(coalesce(sum(party), 0) as bigint) as expected,
               cast(coalesce(sum(party - 1), 0) as bigint) as brought
          from attendances a where event_id = :event_id and status in ('attending', 'attended')
              and not {IS_HIDDEN_FROM_HOSTS}
        """,
        event_id=event_id,
    )
    return ArrivalCounts(row["there"], row["expected"], row["brought"]) if row else ArrivalCounts(0, 0, 0)


async def check_in_times_of(reader: Reader, attendance_ids: Sequence[AttendanceId]) -> dict[AttendanceId, Instant]:
    """The check-in times of these attendees. People who have not checked in are left out."""
    rows = await reader.fetch(
        f"select a.id, {CHECKED_IN_AT} as since from attendances a"
        f" where a.id in :ids and {CHECKED_IN_AT} is not null order by a.id",
        ids=attendance_ids,
    )
    return {AttendanceId(row["id"]): Instant(row["since"]) for row in rows}
