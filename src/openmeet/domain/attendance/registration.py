"""Registration settings of an event: capacity per mode, approval, deadline, party size, questions, visibility of the
attendee list.

An event without its own settings uses the settings of its series or, without these, the defaults. ``check_settings``
is pure, except that it makes ids for new questions. The SQL follows below.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields, replace
from enum import StrEnum

import msgspec

from groundwork.clock import HOUR, Instant
from groundwork.database.joint_revision import joint_revision
from groundwork.database.transaction import Reader, Row, Transaction
from groundwork.errors import InvalidForm, Why
from groundwork.uuid7 import new_id
from openmeet.domain.attendance.model import MAX_PARTY
from openmeet.domain.attendance.reasons import AttendanceReason
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.events.values import MAX_CAPACITY, Mode
from openmeet.domain.validation import GeneralReason, choice
from openmeet.i18n.markdown import one_line

MAX_QUESTIONS = 10
MAX_QUESTION_LENGTH = 200
MAX_CHOICES = 20
MAX_CHOICE_LENGTH = 100
MAX_HOURS_BEFORE = 24 * 90


class ListAudience(StrEnum):
    """The people who can see the names of attendees. Everyone who can see the event sees the number of attendees."""

    EVERYONE = "everyone"
    ATTENDEES = "attendees"
    HOSTS = "hosts"


class ForeignRsvpPolicy(StrEnum):
    """How to treat RSVPs of people who have never signed in to this site, are not members and were not invited."""

    COUNT = "count"
    APPROVE = "need_approval"
    UNCONFIRMED = "apart"


@dataclass(frozen=True, slots=True)
class RegistrationQuestion:
    """A question for all attendees. ``words`` is its text, stored under this name. If it has ``choices``, the response
    must be one of them.
    """

    id: str
    words: str
    choices: tuple[str, ...] = ()
    is_required: bool = False

    @property
    def options(self) -> list[tuple[str, str]]:
        """The choices as form options."""
        return [(choice, choice) for choice in self.choices]


@dataclass(frozen=True, slots=True)
class RegistrationSettings:
    """The settings. ``revision`` is 0 if the host never changed them. ``max_party`` is 1 if people cannot bring anyone.
    ``takes_guests``: people without an account can answer by e-mail.
    """

    limit_in_person: int | None = None
    limit_online: int | None = None
    needs_approval: bool = False
    closes_hours_before: int | None = None
    max_party: int = 1
    asks_names: bool = False
    is_members_only: bool = False
    list_audience: ListAudience = ListAudience.EVERYONE
    foreign_answers: ForeignRsvpPolicy | None = None
    takes_guests: bool = True
    questions: tuple[RegistrationQuestion, ...] = ()
    revision: int = 0

    def has_limit(self, capacity: int | None, mode: Mode) -> bool:
        """Whether places are limited: for the whole event, or for a mode of a hybrid event."""
        by_mode = self.limit_in_person is not None or self.limit_online is not None
        return capacity is not None or (mode is Mode.HYBRID and by_mode)


DEFAULT_SETTINGS = RegistrationSettings()


@dataclass(frozen=True, slots=True)
class EventRegistration:
    """An event with the registration settings that apply to it."""

    event: Event
    settings: RegistrationSettings = DEFAULT_SETTINGS

    @property
    def closes_at(self) -> Instant | None:
        """Registration deadline; None: until the end of the event."""
        if self.settings.closes_hours_before is None or self.event.starts_at is None:
            return None
        return Instant(self.event.starts_at - self.settings.closes_hours_before * HOUR)

    @property
    def is_limited(self) -> bool:
        """Whether places are limited, in total or by mode."""
        return self.settings.has_limit(self.event.content.capacity, self.event.content.mode)

    @property
    def foreign_policy(self) -> ForeignRsvpPolicy:
        """How foreign RSVPs are treated: as the host chose, or else they take no places if places are limited."""
        return self.settings.foreign_answers or (
            ForeignRsvpPolicy.UNCONFIRMED if self.is_limited else ForeignRsvpPolicy.COUNT
        )


def _new_question_id() -> str:
    """A new question id, unique in the installation."""
    return f"q{new_id(Instant(0))[-12:]}"


@dataclass(frozen=True, slots=True)
class SubmittedQuestion:
    """A question as typed. ``choices`` has one per line; ``required`` is empty for no. ``id`` is that of the stored
    question, or empty for a new one.
    """

    id: str
    words: str = ""
    choices: str = ""
    required: str = ""


@dataclass(frozen=True, slots=True)
class RegistrationSubmission:
    """The settings as typed; every field is text, and empty for no."""

    limit_in_person: str = ""
    limit_online: str = ""
    needs_approval: str = ""
    closes_hours_before: str = ""
    max_party: str = "1"
    asks_names: str = ""
    is_members_only: str = ""
    list_audience: str = ListAudience.EVERYONE.value
    foreign_answers: str = ""
    takes_guests: str = ""
    questions: Sequence[SubmittedQuestion] = ()


# The settings except the questions. They have these names in the form, in JSON bodies and in the table.
PLAIN_SETTINGS = tuple(one.name for one in fields(RegistrationSubmission) if one.name != "questions")


def as_typed(value: bool | int | str | None) -> str:
    """One setting, from the stored settings or from a JSON body, as it is typed in the form."""
    if isinstance(value, bool):
        return "yes" if value else ""
    return "" if value is None else str(value)


def question_as_typed(question: RegistrationQuestion) -> SubmittedQuestion:
    """A stored question as it is typed in the form."""
    return SubmittedQuestion(question.id, question.words, "\n".join(question.choices), as_typed(question.is_required))


def check_settings(
    submission: RegistrationSubmission, event: Event, before: RegistrationSettings = DEFAULT_SETTINGS
) -> RegistrationSettings:
    """Validate the submitted settings of this event. Raises InvalidForm, which lists every invalid field.

    Values of ``before`` may stay: for example, an event that is held only in person this time keeps its online
    capacity. Its questions keep their ids; every other question gets a new one.
    """
    problems: dict[str, Why] = {}
    places = AttendanceReason.PLACES_OUT_OF_RANGE(most=MAX_CAPACITY)
    in_person = _number(submission.limit_in_person, 1, MAX_CAPACITY, "limit_in_person", places, problems)
    online = _number(submission.limit_online, 1, MAX_CAPACITY, "limit_online", places, problems)
    hours = _number(
        submission.closes_hours_before,
        0,
        MAX_HOURS_BEFORE,
        "closes_hours_before",
        AttendanceReason.HOURS_OUT_OF_RANGE(most=MAX_HOURS_BEFORE),
        problems,
    )
    too_large = AttendanceReason.MAX_PARTY_OUT_OF_RANGE(most=MAX_PARTY)
    party = _number(submission.max_party, 1, MAX_PARTY, "max_party", too_large, problems)
    audience = choice(ListAudience, submission.list_audience, "list_audience", problems)
    foreign = (
        choice(ForeignRsvpPolicy, submission.foreign_answers, "foreign_answers", problems)
        if submission.foreign_answers
        else None
    )
    if submission.is_members_only and event.group is None and not before.is_members_only:
        problems["is_members_only"] = AttendanceReason.NO_GROUP
    if event.content.mode is not Mode.HYBRID:
        for field, limit in (("limit_in_person", in_person), ("limit_online", online)):
            if limit is not None and limit != getattr(before, field):
                problems[field] = AttendanceReason.NOT_HYBRID
    questions = _questions(submission.questions, {one.id for one in before.questions}, problems)
    if problems or audience is None:
        raise InvalidForm(problems)
    return RegistrationSettings(
        limit_in_person=in_person,
        limit_online=online,
        needs_approval=bool(submission.needs_approval),
        closes_hours_before=hours,
        max_party=party or 1,
        asks_names=bool(submission.asks_names),
        is_members_only=bool(submission.is_members_only),
        list_audience=audience,
        foreign_answers=foreign,
        takes_guests=bool(submission.takes_guests),
        questions=questions,
    )


def _questions(
    typed: Sequence[SubmittedQuestion], stored_ids: Collection[str], problems: dict[str, Why]
) -> tuple[RegistrationQuestion, ...]:
    """The questions. An id from outside could be that of another question, or the name of another field."""
    questions: list[RegistrationQuestion] = []
    free_ids = set(stored_ids)
    for position, one in enumerate(typed, 1):
        text = one_line(one.words)
        options = tuple(dict.fromkeys(filter(None, (one_line(line) for line in one.choices.split("\n")))))
        if not text:
            if options:
                problems[f"question_{position}"] = AttendanceReason.QUESTION_NEEDED
            continue
        if len(text) > MAX_QUESTION_LENGTH:
            problems[f"question_{position}"] = GeneralReason.QUESTION_TOO_LONG(most=MAX_QUESTION_LENGTH)
        if len(options) == 1:
            problems[f"choices_{position}"] = AttendanceReason.TOO_FEW_CHOICES
        if len(options) > MAX_CHOICES or any(len(option) > MAX_CHOICE_LENGTH for option in options):
            problems[f"choices_{position}"] = AttendanceReason.TOO_MANY_CHOICES(
                max_choices=MAX_CHOICES, max_choice=MAX_CHOICE_LENGTH
            )
        question_id = one.id if one.id in free_ids else _new_question_id()
        free_ids.discard(question_id)
        questions.append(RegistrationQuestion(question_id, text, options, bool(one.required)))
    if len(questions) > MAX_QUESTIONS:
        problems["questions"] = AttendanceReason.TOO_MANY_QUESTIONS(most=MAX_QUESTIONS)
    return tuple(questions)


def _number(text: str, least: int, most: int, field: str, why: Why, problems: dict[str, Why]) -> int | None:
    if not text.strip():
        return None
    if not re.fullmatch(r"[0-9]{1,7}", text.strip()) or not least <= int(text) <= most:
        problems[field] = why
        return None
    return int(text)


_SETTINGS = (*PLAIN_SETTINGS, "questions")

COLUMNS = f"subject_id, {', '.join(_SETTINGS)}, revision"

_PUT = f"""
    insert into registration_settings ({COLUMNS}, updated_at)
    values (:subject_id, {", ".join(f":{name}" for name in _SETTINGS)}, 1, :now)
        on conflict (subject_id) do update
       set {", ".join(f"{name} = excluded.{name}" for name in _SETTINGS)},
           revision = registration_settings.revision + 1, updated_at = excluded.updated_at
    returning {COLUMNS}
"""

_COPY_TO_DATES = f"""
    insert into registration_settings ({COLUMNS}, updated_at)
    select e.id, {", ".join(f"s.{name}" for name in _SETTINGS)}, 1, :now
      from registration_settings s join events e on e.id in :ids
     where s.subject_id = :series_id
        on conflict (subject_id) do nothing
"""


async def settings_of(reader: Reader, event: Event) -> RegistrationSettings:
    """The settings that apply to an event."""
    return (await registration_of(reader, event)).settings


async def registration_of(reader: Reader, event: Event) -> EventRegistration:
    """The event with the registration settings that apply to it."""
    return (await registrations_of(reader, [event]))[event.id]


async def registrations_of(reader: Reader, events: Sequence[Event]) -> dict[EventId, EventRegistration]:
    """Like ``registration_of`` for several events, in one query."""
    if not events:
        return {}
    rows = await reader.fetch(
        f"select {COLUMNS} from registration_settings where subject_id in :subjects order by subject_id",
        # The settings of the dates themselves and those of their series.
        subjects=sorted(
            {event.id for event in events}
            | {event.position_in_series.series_id for event in events if event.position_in_series}
        ),
    )
    by_subject = {row["subject_id"]: registration_settings_of(row) for row in rows}
    return {
        event.id: EventRegistration(
            event,
            by_subject.get(event.id)
            or by_subject.get(event.position_in_series.series_id if event.position_in_series else "")
            or DEFAULT_SETTINGS,
        )
        for event in events
    }


async def limited_among(reader: Reader, events: Sequence[Event]) -> frozenset[EventId]:
    """Return which of these events have limited places, in total or by mode."""
    found = await registrations_of(reader, events)
    return frozenset(event_id for event_id, event_registration in found.items() if event_registration.is_limited)


async def revision_of(reader: Reader, event: Event) -> int:
    """The revision for the ETag. It covers the settings of the event and of its series, because an edit of all dates
    replaces both.
    """
    position = event.position_in_series
    subjects = [event.id] if position is None else [event.id, position.series_id]
    rows = await reader.fetch(
        "select subject_id, revision from registration_settings where subject_id in :subjects order by subject_id",
        subjects=subjects,
    )
    return joint_revision(*((row["subject_id"], row["revision"]) for row in rows))


async def dates_without_own_settings(reader: Reader, series_id: str) -> list[EventId]:
    """Dates of a series that are not over and have no settings of their own."""
    rows = await reader.fetch(
        """
        select e.id from events e
         where e.series_id = :series_id and e.over_at > :now and e.deleted_at is null and e.removed_at is null
           and not exists (select 1 from registration_settings s where s.subject_id = e.id)
         order by e.starts_at, e.id
        """,
        series_id=series_id,
        now=reader.now,
    )
    return [EventId(row["id"]) for row in rows]


async def own_settings_of(reader: Reader, subject_id: str) -> RegistrationSettings | None:
    """The settings of this event or series itself, not inherited ones."""
    row = await reader.fetch_one(
        f"select {COLUMNS} from registration_settings where subject_id = :subject_id", subject_id=subject_id
    )
    return registration_settings_of(row) if row else None


async def put(tx: Transaction, subject_id: str, settings: RegistrationSettings) -> RegistrationSettings:
    """Replace the settings of this event or series itself, and increment their revision."""
    row = await tx.fetch_one(
        _PUT,
        subject_id=subject_id,
        **{name: _column_value(getattr(settings, name)) for name in PLAIN_SETTINGS},
        questions=msgspec.json.encode(settings.questions).decode(),
        now=tx.now,
    )
    if row is None:
        raise RuntimeError("insert or update … returning gave no row")
    return registration_settings_of(row)


def _column_value(value: bool | int | StrEnum | None) -> int | str | None:
    if isinstance(value, StrEnum):
        return value.value
    return int(value) if isinstance(value, bool) else value


async def copy(tx: Transaction, from_subject: str, to_subject: str) -> None:
    """Copy the settings of a series, if it has any, to the series that was split off from it."""
    settings = await own_settings_of(tx, from_subject)
    if settings is not None:
        await put(tx, to_subject, settings)


async def copy_from_event(tx: Transaction, event: Event, to_subject: str) -> None:
    """Copy the settings that apply to an event, its own or its series', to an event or series made from it.

    Settings that the host has already changed on the copy stay, because the form that made the copy may be sent again.
    """
    settings = await settings_of(tx, event)
    if settings is not DEFAULT_SETTINGS and await own_settings_of(tx, to_subject) is None:
        await put(tx, to_subject, settings)


async def copy_to_dates(tx: Transaction, series_id: str, event_ids: Sequence[EventId]) -> None:
    """Give dates that leave a series the settings that they have from it. Dates with settings of their own keep them."""
    if event_ids:
        await tx.execute(_COPY_TO_DATES, series_id=series_id, ids=sorted(event_ids), now=tx.now)


async def initialize(tx: Transaction, original: Event | None, subject_id: str, needs_approval: bool | None) -> None:
    """Store the settings of a new event or series: those of the event that it copies, if any, with the choice that the
    host made in the form. None: the form did not ask.

    Settings that the host has already changed stay, because the form may be sent again.
    """
    if await own_settings_of(tx, subject_id) is None:
        if original is not None:
            await copy_from_event(tx, original, subject_id)
        await set_approval(tx, subject_id, needs_approval)


async def set_approval(tx: Transaction, subject_id: str, needs_approval: bool | None) -> None:
    """Change whether the host of a new event or series approves everybody who wants to come. Its other settings stay.
    None: no change.
    """
    settings = await own_settings_of(tx, subject_id) or DEFAULT_SETTINGS
    if needs_approval is not None and settings.needs_approval is not needs_approval:
        await put(tx, subject_id, replace(settings, needs_approval=needs_approval))


async def delete_own_settings(tx: Transaction, subject_id: str) -> None:
    """Delete the event's own settings, so that the settings of its series or the defaults apply again."""
    await tx.execute("delete from registration_settings where subject_id = :subject_id", subject_id=subject_id)


def registration_settings_of(row: Row) -> RegistrationSettings:
    """Parse a row with ``COLUMNS``."""
    return RegistrationSettings(
        limit_in_person=row["limit_in_person"],
        limit_online=row["limit_online"],
        needs_approval=bool(row["needs_approval"]),
        closes_hours_before=row["closes_hours_before"],
        max_party=row["max_party"],
        asks_names=bool(row["asks_names"]),
        is_members_only=bool(row["is_members_only"]),
        list_audience=ListAudience(row["list_audience"]),
        foreign_answers=ForeignRsvpPolicy(row["foreign_answers"]) if row["foreign_answers"] else None,
        takes_guests=bool(row["takes_guests"]),
        questions=msgspec.json.decode(row["questions"], type=tuple[RegistrationQuestion, ...]),
        revision=row["revision"],
    )
