"""The text of notifications: renders the blocks of ``templates/<kind>.jinja``.

``line`` is the sentence on the page and in JSON, ``subject`` the heading in an e-mail and before the title in its
subject, ``text`` the sentences in the e-mail; each is put on one line. Two more blocks are optional: ``quote``, text that
a person wrote, shown as it is; and ``action``, the label of the link to change one's RSVP.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import jinja2

from groundwork.clock import Instant
from openmeet.domain.events import time_and_place
from openmeet.domain.events.content import changed_field_label
from openmeet.domain.events.model import Event
from openmeet.domain.notifications import kinds
from openmeet.domain.notifications.kinds import DatesChanged, NotificationKind, Payload
from openmeet.domain.notifications.model import Repeats, When
from openmeet.domain.users.model import UserId, unnamed
from openmeet.emails.notifications import conditions
from openmeet.emails.notifications.conditions import Present
from openmeet.i18n import formatting
from openmeet.i18n.catalogue import gettext
from openmeet.i18n.markdown import summary_of
from openmeet.i18n.templates import speak
from openmeet.recurrence import wall_time
from openmeet.recurrence.describe import describe_inside

TEMPLATES: Final = Path(__file__).parent / "templates"
BLOCKS: Final = ("line", "subject", "text")

# Stands for the title while a line is rendered. No stored text contains it: PostgreSQL takes no such character.
_TITLE: Final = "\x00"
# Line breaks of templates are spaces. Other white space, such as a no-break space, was meant.
_BREAKS: Final = re.compile(r"[ \t\r\n]+")


@dataclass(frozen=True, slots=True)
class Change:
    """``label`` says what changed: when it starts, or where it is. ``was`` and ``now``: never empty."""

    label: str
    was: str
    now: str


@dataclass(frozen=True, slots=True)
class Point:
    """One thing to say in an e-mail. ``heading`` precedes the title in its subject; ``quote`` was written by a person,
    with line breaks; ``action``: label of the link to change one's RSVP, or empty.
    """

    kind: NotificationKind[Any]
    heading: str
    words: str
    quote: str = ""
    action: str = ""
    changes: tuple[Change, ...] = ()


def line(
    kind: NotificationKind[Any],
    payload: Payload,
    present: Present,
    names: Mapping[UserId, str],
    *,
    is_shut_out: bool = False,
) -> tuple[str, str]:
    """The sentence before and after the title. ``is_shut_out``: the reader may no longer see the subject."""
    context = _context(payload, [payload], present, names, _TITLE, is_shut_out=is_shut_out)
    before, _, after = _one_line(_block(kind, "line", context)).partition(_TITLE)
    return before, after


def point(
    kind: NotificationKind[Any],
    payload: Payload,
    present: Present,
    names: Mapping[UserId, str],
    *,
    payloads: Sequence[Payload] = (),
    title: str = "",
    is_shut_out: bool = False,
) -> Point:
    """What an e-mail says about notifications of one kind. ``payloads``: of all of them, oldest first."""
    context = _context(payload, payloads or [payload], present, names, title, is_shut_out=is_shut_out)
    heading, text, action = (_one_line(_block(kind, name, context)) for name in ("subject", "text", "action"))
    changes: tuple[Change, ...] = ()
    if kind is kinds.EVENT_CHANGED and isinstance(payload, DatesChanged) and present.event is not None:
        changes = _changes(payload, present.event)
    return Point(kind, heading, text, _block(kind, "quote", context), action, changes)


def _changes(payload: DatesChanged, event: Event) -> tuple[Change, ...]:
    """What is otherwise than it was; what changed back is no change."""
    found = []
    if conditions.is_retimed(payload, event) and payload.started is not None and event.starts_at is not None:
        started, starts = payload.started, When(event.starts_at, event.time_zone, event.is_all_day)
        # The zone stands below, for the new time; the old one has it where it is another.
        was = _date_time(started)
        if started.time_zone != starts.time_zone:
            was = f"{was}, {_zone(started)}"
        found.append(Change(gettext("Starts"), was, _date_time(starts)))
    if conditions.is_elsewhere(payload, event):
        place = ", ".join(event.place.lines)
        found.append(Change(gettext("Where"), payload.was_at or gettext("No place"), place or gettext("No place")))
    return tuple(found)


def when_label(event: Event) -> str:
    """``Saturday 4 July 2026, 18:00–20:00, Berlin time``."""
    if event.starts_at is None:
        return gettext("Date to be announced")
    return ", ".join(filter(None, (time_and_place.span_label(event), time_and_place.zone_label(event))))


def short_day_label(event: Event) -> str:
    """``Tue 24 Nov`` where the event is; empty without a date."""
    return "" if event.starts_at is None else formatting.short_day(wall_time.local_of(event.starts_at, event.time_zone))


def _context(
    payload: Payload,
    payloads: Sequence[Payload],
    present: Present,
    names: Mapping[UserId, str],
    title: str,
    *,
    is_shut_out: bool,
) -> dict[str, object]:
    event, mine = present.event, present.mine
    name = names.get(payload.person_id, "") if payload.person_id else ""
    starts = offered_until = None
    if event is not None and event.starts_at is not None:
        starts = When(event.starts_at, event.time_zone, event.is_all_day)
    if event is not None and mine is not None and mine.offered_until is not None:
        offered_until = When(mine.offered_until, event.time_zone)
    return {
        "payload": payload,
        "payloads": payloads,
        "names": names,
        "is_named": bool(name),
        "who": name or gettext("Somebody"),
        "person": name or unnamed(),
        "title": title,
        "event": event,
        "starts": starts,
        "place": "" if event is None else ", ".join(event.place.lines),
        "mine": mine,
        "offered_until": offered_until,
        "group": present.group,
        "announcement": present.announcement,
        "chat": present.chat,
        "is_shut_out": is_shut_out,
        "now": present.now,
    }


def _block(kind: NotificationKind[Any], name: str, context: Mapping[str, object]) -> str:
    """The text of one block; empty where the template has no such block."""
    template = ENVIRONMENT.get_template(f"{kind.name}.jinja")
    block = template.blocks.get(name)
    return "" if block is None else "".join(block(template.new_context(dict(context))))


def _one_line(text: str) -> str:
    return _BREAKS.sub(" ", text).strip()


def _date_time(when: When) -> str:
    local = wall_time.local_of(when.at, when.time_zone)
    return formatting.day(local) if when.is_day else formatting.span(local, None)


def _soon(when: When, now: Instant) -> str:
    """``Tomorrow 19:00``, where it takes place; ``Sat 4 Jul 19:00`` if it is not that near."""
    local = wall_time.local_of(when.at, when.time_zone)
    today = wall_time.local_of(now, when.time_zone).date()
    day = formatting.relative_day(local.date(), today) or formatting.short_day(local)
    return day if when.is_day else gettext("%(day)s %(time)s", day=day, time=formatting.clock(local))


def _short(when: When, now: Instant) -> str:
    """``Sat 4 Jul, 19:00``, where it takes place."""
    day = _short_day(when, now)
    return day if when.is_day else formatting.day_and_time(day, wall_time.local_of(when.at, when.time_zone))


def _short_day(when: When, now: Instant) -> str:
    """``Sat 4 Jul``; with the year where it could be another one."""
    of, today = (wall_time.local_of(at, when.time_zone).date() for at in (when.at, now))
    words = formatting.short_day(of)
    return words if formatting.day(of, today) == formatting.long_day(of) else f"{words} {of.year}"


def _day(when: When) -> str:
    return formatting.day(wall_time.local_of(when.at, when.time_zone))


def _zone(when: When) -> str:
    return formatting.zone_label(wall_time.local_of(when.at, when.time_zone), when.time_zone)


def _ended(text: str) -> str:
    """The text with a full stop, unless it ends like a sentence."""
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _rule(repeats: Repeats) -> str:
    """The rule inside of a sentence: ``every Tuesday at 18:00``."""
    return describe_inside(repeats.pattern)


def _fields(names: Sequence[str]) -> str:
    """What changed, in words: ``title, description``."""
    return ", ".join(map(changed_field_label, names))


def _environment() -> jinja2.Environment:
    # Plain text: pages and HTML e-mails escape what they insert.
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=False,  # noqa: S701
        undefined=jinja2.StrictUndefined,
        extensions=["jinja2.ext.i18n"],
    )
    speak(environment)
    environment.filters |= {
        "date_time": _date_time,
        "soon": _soon,
        "short": _short,
        "short_day": _short_day,
        "day": _day,
        "zone": _zone,
        "ended": _ended,
        "rule": _rule,
        "fields": _fields,
        "summary": summary_of,
    }
    environment.globals |= {
        "unnamed": unnamed,
        "is_retimed": conditions.is_retimed,
        "is_elsewhere": conditions.is_elsewhere,
    }
    environment.globals["words"] = environment.get_template("_words.jinja").module
    return environment


ENVIRONMENT: Final = _environment()
