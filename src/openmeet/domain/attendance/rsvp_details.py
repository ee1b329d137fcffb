"""Details of an RSVP in addition to its status: party, mode and form responses, validated field by field; and form
responses as hosts read them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from groundwork.errors import InvalidForm, Why
from openmeet.domain.attendance.history import CHECKED_IN_AT
from openmeet.domain.attendance.invitation_queries import IS_UNANSWERED_INVITATION
from openmeet.domain.attendance.model import (
    MAX_COMPANION_NAME_LENGTH,
    MAX_FORM_RESPONSE_LENGTH,
    Attendance,
    AttendanceId,
    AttendanceMode,
    ReplyDetails,
)
from openmeet.domain.attendance.reasons import AttendanceReason
from openmeet.domain.attendance.registration import EventRegistration, RegistrationSettings
from openmeet.domain.attendance.seats import largest_party, limits_of
from openmeet.domain.events.model import Event
from openmeet.domain.events.values import Mode
from openmeet.domain.validation import GeneralReason
from openmeet.i18n.catalogue import lazy
from openmeet.i18n.markdown import one_line


@dataclass(frozen=True, slots=True)
class RsvpDetails:
    """Validated details of an RSVP."""

    party: int
    mode: AttendanceMode | None
    companion_names: tuple[str, ...]
    form_responses: Mapping[str, str]
    is_private: bool
    skips_record: bool = False
    question_texts: Mapping[str, str] = field(default_factory=dict)


_FEWER: Final = {
    None: AttendanceReason.FEWER_PLACES,
    AttendanceMode.IN_PERSON: AttendanceReason.FEWER_PLACES_IN_PERSON,
    AttendanceMode.ONLINE: AttendanceReason.FEWER_PLACES_ONLINE,
}


def merge_details(
    event_registration: EventRegistration,
    rsvp: Attendance | None,
    reply_details: ReplyDetails,
    *,
    is_going: bool,
    has_seats: bool = False,
) -> RsvpDetails:
    """Merge earlier and new details. Raises InvalidForm, which lists every invalid or missing field.

    Required questions and the number of places apply only to people who come (``is_going``). ``has_seats``: they have
    seats at this event already, which is not so if ``rsvp`` is to another date of the series.
    """
    event, registration_settings = event_registration.event, event_registration.settings
    problems: dict[str, Why] = {}
    party = reply_details.party if reply_details.party is not None else (rsvp.party if rsvp else 1)
    most = max(registration_settings.max_party, rsvp.party if rsvp else 1)
    mode = _mode(event, rsvp, reply_details)
    largest = largest_party(limits_of(event_registration), mode)
    if not 1 <= party <= most:
        problems["party"] = (
            AttendanceReason.ONE_PERSON_EACH if most == 1 else AttendanceReason.PARTY_OUT_OF_RANGE(most=most)
        )
    elif is_going and largest is not None and party > largest and not has_seats:
        # People with seats keep them. ``rsvp_changes.require_room_for_change`` checks whether they can get more.
        problems["party"] = _FEWER[mode](places=largest)
    if reply_details.mode is not None and event.content.mode is not Mode.HYBRID:
        problems["mode"] = AttendanceReason.NO_CHOICE_OF_MODE
    names = _names(reply_details, rsvp, party, problems)
    if is_going and registration_settings.asks_names and "party" not in problems and len(names) < party - 1:
        problems["guest_names"] = AttendanceReason.NAMES_MISSING
    form_responses, question_texts = _merged_responses(registration_settings, rsvp, reply_details, problems)
    if is_going:
        for question in registration_settings.questions:
            if question.is_required and not form_responses.get(question.id):
                problems.setdefault(question.id, AttendanceReason.RESPONSE_NEEDED)
    if problems:
        raise InvalidForm(problems)
    was_private = rsvp is not None and rsvp.is_private
    is_private = was_private if reply_details.is_private is None else reply_details.is_private
    skipped_record = rsvp is not None and rsvp.skips_record
    skips_record = skipped_record if reply_details.skips_record is None else reply_details.skips_record
    return RsvpDetails(party, mode, names, form_responses, is_private, skips_record, question_texts)


def _merged_responses(
    registration_settings: RegistrationSettings,
    rsvp: Attendance | None,
    reply_details: ReplyDetails,
    problems: dict[str, Why],
) -> tuple[dict[str, str], dict[str, str]]:
    """Earlier and new form responses, without empty ones, and the texts of their questions."""
    responses = dict(rsvp.form_responses) if rsvp else {}
    texts = dict(rsvp.question_texts) if rsvp else {}
    if reply_details.form_responses is not None:
        responses_given = _checked_responses(registration_settings, reply_details.form_responses, problems)
        responses |= responses_given
        questions = registration_settings.questions
        texts |= {question.id: question.words for question in questions if question.id in responses_given}
    responses = {name: text for name, text in responses.items() if text}
    return responses, {name: text for name, text in texts.items() if name in responses}


def _mode(event: Event, rsvp: Attendance | None, reply_details: ReplyDetails) -> AttendanceMode | None:
    if event.content.mode is not Mode.HYBRID:
        return None
    return reply_details.mode or (rsvp.mode if rsvp else None) or AttendanceMode.IN_PERSON


def _names(
    reply_details: ReplyDetails, rsvp: Attendance | None, party: int, problems: dict[str, Why]
) -> tuple[str, ...]:
    names = (
        reply_details.companion_names
        if reply_details.companion_names is not None
        else (rsvp.companion_names if rsvp else ())
    )
    names = tuple(filter(None, (one_line(name) for name in names)))
    if any(len(name) > MAX_COMPANION_NAME_LENGTH for name in names):
        problems["guest_names"] = GeneralReason.NAME_TOO_LONG(most=MAX_COMPANION_NAME_LENGTH)
    if len(names) > max(0, party - 1):
        if reply_details.companion_names is not None:
            problems["guest_names"] = AttendanceReason.TOO_MANY_NAMES
        names = names[: max(0, party - 1)]
    return names


def _checked_responses(
    registration_settings: RegistrationSettings, responses_given: Mapping[str, str], problems: dict[str, Why]
) -> dict[str, str]:
    questions = {question.id: question for question in registration_settings.questions}
    responses = {}
    for name, text in responses_given.items():
        question = questions.get(name)
        if question is None:
            problems[name] = AttendanceReason.NOT_ASKED
            continue
        response = text.replace("\r\n", "\n").strip()
        if question.choices and response and response not in question.choices:
            problems[name] = GeneralReason.CHOOSE_ONE(choices=", ".join(question.choices))
        elif len(response) > MAX_FORM_RESPONSE_LENGTH:
            problems[name] = GeneralReason.TEXT_TOO_LONG(most=MAX_FORM_RESPONSE_LENGTH)
        responses[name] = response
    return responses


# Shown as the question of a response from before questions were stored with responses.
EARLIER_QUESTION = lazy("An earlier question")


@dataclass(frozen=True, slots=True)
class FormResponse:
    """The response to one question. ``question_text`` is the question as it was worded at the time, ``text``
    the response.
    """

    question_id: str
    question_text: str
    text: str


@dataclass(frozen=True, slots=True)
class DetailsForHosts:
    """Responses to the host's questions, and the time of check-in, which is None unless checked in."""

    responses: tuple[FormResponse, ...]
    checked_in_at: Instant | None


def responses_shown(
    registration_settings: RegistrationSettings, form_responses: Mapping[str, str], question_texts: Mapping[str, str]
) -> tuple[FormResponse, ...]:
    """Responses to the current questions in their order, followed by those to changed and removed questions."""
    questions = {question.id: question.words for question in registration_settings.questions}
    responses = [
        FormResponse(name, question_texts.get(name) or questions.get(name) or str(EARLIER_QUESTION), text)
        for name, text in form_responses.items()
    ]
    position = {
        (question.id, question.words): number for number, question in enumerate(registration_settings.questions)
    }
    return tuple(sorted(responses, key=lambda one: position.get((one.question_id, one.question_text), len(position))))


async def details_for_hosts(
    reader: Reader,
    event_registration: EventRegistration,
    ids: Sequence[AttendanceId],
) -> dict[AttendanceId, DetailsForHosts]:
    """Details of these RSVPs to an event. An address that has not answered has no responses, because earlier ones would
    reveal its owner.
    """
    if not ids:
        return {}
    rows = await reader.fetch(
        f"""
        select a.id, case when {IS_UNANSWERED_INVITATION} then '{{}}' else a.replies end as replies,
               a.reply_words, {CHECKED_IN_AT} as checked_in_at
          from attendances a where a.event_id = :event_id and a.id in :ids order by a.id
        """,
        event_id=event_registration.event.id,
        ids=list(ids),
    )
    return {
        AttendanceId(row["id"]): DetailsForHosts(
            responses_shown(
                event_registration.settings,
                msgspec.json.decode(row["replies"]),
                msgspec.json.decode(row["reply_words"]),
            ),
            row["checked_in_at"],
        )
        for row in rows
    }
