"""What people told their host beside yes: answers to questions, under the words that they were given to; and when they came."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from openmeet.domain.attendance.model import AttendanceId, AttendanceStatus
from openmeet.domain.attendance.registration import Joining
from openmeet.domain.events.model import EventId

# Of an answer from before its words were kept.
UNKNOWN = "An earlier question"


@dataclass(frozen=True, slots=True)
class Told:
    """What was said to one question. ``words``: how it was asked then."""

    question_id: str
    words: str
    text: str


@dataclass(frozen=True, slots=True)
class Particulars:
    """Of one answer. ``checked_in_at`` is None for who is not there."""

    told: tuple[Told, ...]
    checked_in_at: Instant | None


def in_words(joining: Joining, replies: Mapping[str, str], words: Mapping[str, str]) -> tuple[Told, ...]:
    """To what is asked now in its order, then to what was asked otherwise, or is not asked any more."""
    asked = {question.id: question.words for question in joining.questions}
    found = [Told(name, words.get(name) or asked.get(name, UNKNOWN), text) for name, text in replies.items()]
    place = {(question.id, question.words): number for number, question in enumerate(joining.questions)}
    return tuple(sorted(found, key=lambda one: place.get((one.question_id, one.words), len(place))))


async def of_answers(
    reader: Reader, event_id: EventId, joining: Joining, ids: Sequence[AttendanceId] | None = None
) -> dict[AttendanceId, Particulars]:
    """Of these answers to an event, or of all."""
    if ids is not None and not ids:
        return {}
    rows = await reader.fetch(
        f"""
        select a.id, a.status, a.replies, a.reply_words,
               (select max(c.changed_at) from attendance_changes c
                 where c.attendance_id = a.id and c.after_status = 'attended') as checked_in_at
          from attendances a where a.event_id = :event_id {"" if ids is None else "and a.id in :ids"} order by a.id
        """,
        event_id=event_id,
        **({} if ids is None else {"ids": list(ids)}),
    )
    return {
        AttendanceId(row["id"]): Particulars(
            in_words(joining, msgspec.json.decode(row["replies"]), msgspec.json.decode(row["reply_words"])),
            row["checked_in_at"] if row["status"] == AttendanceStatus.ATTENDED else None,
        )
        for row in rows
    }
