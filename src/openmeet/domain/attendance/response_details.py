"""Response details beside yes: party, mode and form responses, validated field by field; and form responses as hosts
read them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from groundwork.errors import InvalidForm
from openmeet.domain.attendance.model import (
    MAX_GUEST_NAME,
    MAX_REPLY,
    AnswerMode,
    Attendance,
    AttendanceId,
    AttendanceStatus,
    RsvpRequest,
)
from openmeet.domain.attendance.registration import RegistrationSettings
from openmeet.domain.attendance.rules import limits_of, most_together, places_words
from openmeet.domain.events.model import Event, EventId, Mode
from openmeet.i18n.markdown import one_line


@dataclass(frozen=True, slots=True)
class ResponseDetails:
    """Validated details of an RSVP."""

    party: int
    mode: AnswerMode | None
    guest_names: tuple[str, ...]
    replies: Mapping[str, str]
    is_private: bool
    skips_record: bool = False
    reply_words: Mapping[str, str] = field(default_factory=dict)


def particulars(
    event: Event, joining: RegistrationSettings, mine: Attendance | None, wishes: RsvpRequest, *, is_going: bool
) -> ResponseDetails:
    """Merge earlier and new details. InvalidForm lists every invalid or missing field.

    ``is_going``: required questions and the maximum party bind only those who come.
    """
    problems: dict[str, str] = {}
    party = wishes.party if wishes.party is not None else (mine.party if mine else 1)
    most = max(joining.max_party, mine.party if mine else 1)
    mode = _mode(event, mine, wishes)
    there_are = most_together(limits_of(event, joining), mode)
    # People with seats keep them and get no further ones: ``save.must_keep_seat`` says so.
    has_seats = mine is not None and mine.is_seated
    if not 1 <= party <= most:
        one = "At this event everybody answers for themselves."
        problems["party"] = one if most == 1 else f"Come with 1 to {most} people, yourself included."
    elif is_going and there_are is not None and party > there_are and not has_seats:
        problems["party"] = f"{places_words(there_are, mode)}: come with fewer people."
    if wishes.mode is not None and event.mode is not Mode.HYBRID:
        problems["mode"] = "This event is held in one way only."
    names = _names(wishes, mine, party, problems)
    if is_going and joining.asks_names and "party" not in problems and len(names) < party - 1:
        problems["guest_names"] = "Name everybody who comes with you."
    replies = dict(mine.replies) if mine else {}
    words = dict(mine.reply_words) if mine else {}
    if wishes.replies is not None:
        said = _replies(joining, wishes.replies, problems)
        replies |= said
        words |= {question.id: question.words for question in joining.questions if question.id in said}
    if is_going:
        for question in joining.questions:
            if question.is_required and not replies.get(question.id):
                problems.setdefault(question.id, "The host needs an answer to this.")
    if problems:
        raise InvalidForm(problems)
    is_private = wishes.is_private if wishes.is_private is not None else (mine is not None and mine.is_private)
    replies = {name: text for name, text in replies.items() if text}
    return ResponseDetails(
        party,
        mode,
        names,
        replies,
        is_private,
        wishes.skips_record,
        {name: text for name, text in words.items() if name in replies},
    )


def _mode(event: Event, mine: Attendance | None, wishes: RsvpRequest) -> AnswerMode | None:
    if event.mode is not Mode.HYBRID:
        return None
    return wishes.mode or (mine.mode if mine else None) or AnswerMode.IN_PERSON


def _names(wishes: RsvpRequest, mine: Attendance | None, party: int, problems: dict[str, str]) -> tuple[str, ...]:
    names = wishes.guest_names if wishes.guest_names is not None else (mine.guest_names if mine else ())
    names = tuple(filter(None, (one_line(name) for name in names)))
    if any(len(name) > MAX_GUEST_NAME for name in names):
        problems["guest_names"] = f"A name has at most {MAX_GUEST_NAME} characters."
    if len(names) > max(0, party - 1):
        if wishes.guest_names is not None:
            problems["guest_names"] = "More names than people who come with you."
        names = names[: max(0, party - 1)]
    return names


def _replies(joining: RegistrationSettings, said: Mapping[str, str], problems: dict[str, str]) -> dict[str, str]:
    asked = {question.id: question for question in joining.questions}
    found = {}
    for name, text in said.items():
        question = asked.get(name)
        if question is None:
            problems[name] = "The host does not ask this."
            continue
        reply = text.replace("\r\n", "\n").strip()
        if question.choices and reply and reply not in question.choices:
            problems[name] = "Choose one of: " + ", ".join(question.choices) + "."
        elif len(reply) > MAX_REPLY:
            problems[name] = f"At most {MAX_REPLY} characters."
        found[name] = reply
    return found


# Words for RSVPs from before questions were stored with them.
UNKNOWN = "An earlier question"


@dataclass(frozen=True, slots=True)
class FormResponse:
    """The response to one question. ``words``: the question as asked at the time."""

    question_id: str
    words: str
    text: str


@dataclass(frozen=True, slots=True)
class AttendeeDetails:
    """Details of one RSVP. ``checked_in_at`` is None unless checked in."""

    told: tuple[FormResponse, ...]
    checked_in_at: Instant | None


def in_words(
    joining: RegistrationSettings, replies: Mapping[str, str], words: Mapping[str, str]
) -> tuple[FormResponse, ...]:
    """Responses to the current questions in their order, then to changed and removed ones."""
    asked = {question.id: question.words for question in joining.questions}
    found = [FormResponse(name, words.get(name) or asked.get(name, UNKNOWN), text) for name, text in replies.items()]
    place = {(question.id, question.words): number for number, question in enumerate(joining.questions)}
    return tuple(sorted(found, key=lambda one: place.get((one.question_id, one.words), len(place))))


async def of_answers(
    reader: Reader, event_id: EventId, joining: RegistrationSettings, ids: Sequence[AttendanceId] | None = None
) -> dict[AttendanceId, AttendeeDetails]:
    """Details of these RSVPs to an event, or of all."""
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
        AttendanceId(row["id"]): AttendeeDetails(
            in_words(joining, msgspec.json.decode(row["replies"]), msgspec.json.decode(row["reply_words"])),
            row["checked_in_at"] if row["status"] == AttendanceStatus.ATTENDED else None,
        )
        for row in rows
    }
