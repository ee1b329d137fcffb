"""How people get into an event, as its host has it: places per way, approval, deadline, parties, questions, who sees the list.

An event without settings of its own has those of its series, and else the defaults. Pure, but for ``of_event`` in
``joining_queries``.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from groundwork.clock import Instant
from groundwork.errors import InvalidForm
from groundwork.fresh_id import new_id
from openmeet.domain.attendance.model import MOST_IN_PARTY
from openmeet.domain.events.model import MAX_CAPACITY, Event, Mode
from openmeet.domain.validation import choice
from openmeet.i18n.markdown import one_line

MAX_QUESTIONS = 10
MAX_QUESTION = 200
MAX_CHOICES = 20
MAX_CHOICE = 100
MAX_HOURS_BEFORE = 24 * 90


class ListAudience(StrEnum):
    """Who sees by name who comes; everybody who sees the event sees how many."""

    EVERYONE = "everyone"
    ATTENDEES = "attendees"
    HOSTS = "hosts"


class ForeignAnswers(StrEnum):
    """What answers of people lead to who never signed in here, are no members and were not invited."""

    COUNT = "count"
    APPROVE = "need_approval"
    APART = "apart"


@dataclass(frozen=True, slots=True)
class Question:
    """Something the host asks everybody who comes; with ``choices`` one of them is the answer."""

    id: str
    words: str
    choices: tuple[str, ...] = ()
    is_required: bool = False

    @property
    def options(self) -> list[tuple[str, str]]:
        """The choices as forms offer them."""
        return [(choice, choice) for choice in self.choices]


@dataclass(frozen=True, slots=True)
class Joining:
    """The settings. ``revision`` is 0 where the host never touched them; ``max_party`` 1 means that everybody comes alone."""

    limit_in_person: int | None = None
    limit_online: int | None = None
    needs_approval: bool = False
    closes_hours_before: int | None = None
    max_party: int = 1
    asks_names: bool = False
    is_members_only: bool = False
    list_audience: ListAudience = ListAudience.EVERYONE
    foreign_answers: ForeignAnswers | None = None
    takes_guests: bool = True
    questions: tuple[Question, ...] = ()
    revision: int = 0

    def foreign_on(self, event: Event) -> ForeignAnswers:
        """The host's choice, or what is right without one: places that are few are not for whoever writes first."""
        if self.foreign_answers is not None:
            return self.foreign_answers
        has_limit = self.has_limit(event.capacity, event.mode)
        return ForeignAnswers.APART if has_limit else ForeignAnswers.COUNT

    def has_limit(self, capacity: int | None, mode: Mode) -> bool:
        """Whether places are limited: those of the event, or of a way where it is held in both."""
        by_mode = self.limit_in_person is not None or self.limit_online is not None
        return capacity is not None or (mode is Mode.HYBRID and by_mode)


DEFAULT = Joining()

_ONE_WAY = "This event is not held both in person and online: limit the places of the event itself instead."


def question_id() -> str:
    """A name for a new question that no other one of the installation has."""
    return f"q{new_id(Instant(0))[-12:]}"


@dataclass(frozen=True, slots=True)
class JoiningSubmission:
    """The settings as typed: every field is text. ``questions`` are rows of (id, words, choices one per line, required)."""

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
    questions: Sequence[tuple[str, str, str, str]] = ()


def check(typed: JoiningSubmission, event: Event, before: Joining = DEFAULT) -> Joining:
    """What was typed about this event, as settings. InvalidForm lists every field that is wrong.

    What was so ``before`` may stay so: an event that is held in person for once keeps its places online.
    """
    problems: dict[str, str] = {}
    places = f"A whole number from 1 to {MAX_CAPACITY}; empty for no limit."
    in_person = _number(typed.limit_in_person, 1, MAX_CAPACITY, "limit_in_person", places, problems)
    online = _number(typed.limit_online, 1, MAX_CAPACITY, "limit_online", places, problems)
    hours = _number(
        typed.closes_hours_before,
        0,
        MAX_HOURS_BEFORE,
        "closes_hours_before",
        f"Hours before the start, 0 to {MAX_HOURS_BEFORE}; empty for no deadline.",
        problems,
    )
    party = _number(typed.max_party, 1, MOST_IN_PARTY, "max_party", f"A number from 1 to {MOST_IN_PARTY}.", problems)
    audience = choice(ListAudience, typed.list_audience, "list_audience", problems)
    foreign = (
        choice(ForeignAnswers, typed.foreign_answers, "foreign_answers", problems) if typed.foreign_answers else None
    )
    if typed.is_members_only and event.group is None:
        problems["is_members_only"] = "This event is in no group, so it has no members."
    if event.mode is not Mode.HYBRID:
        for field, limit in (("limit_in_person", in_person), ("limit_online", online)):
            if limit is not None and limit != getattr(before, field):
                problems[field] = _ONE_WAY
    questions = _questions(typed.questions, problems)
    if problems or audience is None:
        raise InvalidForm(problems)
    return Joining(
        limit_in_person=in_person,
        limit_online=online,
        needs_approval=bool(typed.needs_approval),
        closes_hours_before=hours,
        max_party=party or 1,
        asks_names=bool(typed.asks_names),
        is_members_only=bool(typed.is_members_only),
        list_audience=audience,
        foreign_answers=foreign,
        takes_guests=bool(typed.takes_guests),
        questions=questions,
    )


def _questions(rows: Sequence[tuple[str, str, str, str]], problems: dict[str, str]) -> tuple[Question, ...]:
    found: list[Question] = []
    for place, (name, words, choices, required) in enumerate(rows, 1):
        text = one_line(words)
        options = tuple(dict.fromkeys(filter(None, (one_line(line) for line in choices.split("\n")))))
        if not text:
            if options:
                problems[f"question_{place}"] = "Write the question that these are answers to."
            continue
        if len(text) > MAX_QUESTION:
            problems[f"question_{place}"] = f"A question has at most {MAX_QUESTION} characters."
        if len(options) == 1:
            problems[f"choices_{place}"] = "One answer is no choice. Give at least two, or none for a free text."
        if len(options) > MAX_CHOICES or any(len(option) > MAX_CHOICE for option in options):
            problems[f"choices_{place}"] = f"At most {MAX_CHOICES} answers of {MAX_CHOICE} characters each."
        found.append(Question(name, text, options, bool(required)))
    if len(found) > MAX_QUESTIONS:
        problems["questions"] = f"At most {MAX_QUESTIONS} questions."
    return tuple(found)


def _number(text: str, least: int, most: int, field: str, why: str, problems: dict[str, str]) -> int | None:
    if not text.strip():
        return None
    if not re.fullmatch(r"[0-9]{1,7}", text.strip()) or not least <= int(text) <= most:
        problems[field] = why
        return None
    return int(text)
