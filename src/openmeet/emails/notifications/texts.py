"""Texts of notifications, rendered from the blocks of ``templates/<kind>.jinja``.

The block ``line`` is the sentence on the page and in JSON. ``subject`` is the heading in an e-mail, and also precedes
the title in the subject line. ``text`` is the sentences in the e-mail. Each of the three is put on one line. Two more
blocks are optional: ``quote``, a person's own words, shown unchanged; and ``action``, the label of the link to change
one's RSVP.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import jinja2

from groundwork.clock import Instant
from openmeet.domain.events import time_and_place
from openmeet.domain.events.content import changed_field_label
from openmeet.domain.events.model import Event
from openmeet.domain.events.values import in_one_line
from openmeet.domain.notifications import event_kinds
from openmeet.domain.notifications.event_kinds import DatesChanged
from openmeet.domain.notifications.model import NotificationKind, Payload, RecurrenceSummary, ShownTime
from openmeet.domain.users.model import UserId, unnamed
from openmeet.emails.notifications.current_state import CurrentState
from openmeet.i18n import formatting
from openmeet.i18n.catalogue import gettext
from openmeet.i18n.markdown import summary_of
from openmeet.i18n.templates import speak
from openmeet.recurrence import wall_time
from openmeet.recurrence.describe import describe_inside

TEMPLATES: Final = Path(__file__).parent / "templates"

# Placeholder for the title while a line is rendered. It cannot occur in stored text, because PostgreSQL rejects this
# character.
_TITLE: Final = "\x00"
# Line breaks in templates become spaces. Other white space, such as a no-break space, is intentional and stays.
_BREAKS: Final = re.compile(r"[ \t\r\n]+")


@dataclass(frozen=True, slots=True)
class Change:
    """A changed time or place: ``label`` names it, ``was`` and ``now`` are its old and new value and never empty."""

    label: str
    was: str
    now: str
    is_place: bool = False


@dataclass(frozen=True, slots=True)
class Point:
    """One piece of news in an e-mail.

    ``heading`` precedes the title in the subject line. ``quote``: a person's own words, with line breaks. ``action``:
    the label of the link to change one's RSVP, or empty.
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
    state: CurrentState,
    names: Mapping[UserId, str],
    *,
    payloads: Sequence[Payload] = (),
    is_shut_out: bool = False,
) -> tuple[str, str]:
    """The text before and after the title. ``payloads``: those of all notifications that share this line.
    ``is_shut_out``: the reader may no longer see the subject.
    """
    context = _template_context(payload, payloads or [payload], state, names, _TITLE, is_shut_out=is_shut_out)
    before, _, after = _one_line(_render_block(kind, "line", context)).partition(_TITLE)
    return before, after


def point(
    kind: NotificationKind[Any],
    payload: Payload,
    state: CurrentState,
    names: Mapping[UserId, str],
    *,
    payloads: Sequence[Payload] = (),
    title: str = "",
    is_shut_out: bool = False,
) -> Point:
    """One item of an e-mail, about notifications of one kind. ``payloads``: the payloads of all of them, oldest first."""
    context = _template_context(payload, payloads or [payload], state, names, title, is_shut_out=is_shut_out)
    heading, text, action = (_one_line(_render_block(kind, name, context)) for name in ("subject", "text", "action"))
    changes: tuple[Change, ...] = ()
    if kind is event_kinds.EVENT_CHANGED and isinstance(payload, DatesChanged) and state.event is not None:
        changes = _changes(payload, state.event, state.now)
    return Point(kind, heading, text, _render_block(kind, "quote", context), action, changes)


def _changes(payload: DatesChanged, event: Event, now: Instant) -> tuple[Change, ...]:
    """The time and place, if they differ from what they were. A change that was reversed is left out."""
    changes = []
    if payload.is_retimed(event.starts_at) and payload.started is not None and event.starts_at is not None:
        started, starts = payload.started, ShownTime(event.starts_at, event.time_zone, event.is_all_day)
        # The new time names its zone. The old time names its zone only if that is a different one.
        was = _date_time(started, now)
        if started.time_zone != starts.time_zone:
            was = f"{was}, {_zone_label(started)}"
        changes.append(Change(gettext("When"), was, when_label(event, now)))
    if payload.is_elsewhere(event.place.line_and_country):
        place = ", ".join(event.place.lines)
        nowhere = gettext("No place")
        was = in_one_line(payload.was_at or "", payload.was_in)
        changes.append(Change(gettext("Where"), was or nowhere, place or nowhere, is_place=True))
    return tuple(changes)


def as_recipient_sees(point: Point, place: str, when: str, zone: str) -> Point:
    """The point as its recipient in this time zone may see it. A changed place becomes ``place``, which may be more exact,
    and a changed time ``when``, which may have their own time; their own country is left out of the old place.
    """
    changes = tuple(
        replace(
            change,
            was=time_and_place.line_without_own_country(change.was, zone),
            now=place or change.now,
        )
        if change.is_place
        else replace(change, now=when)
        for change in point.changes
    )
    return replace(point, changes=changes)


def when_label(event: Event, now: Instant, reader_zone: str | None = None) -> str:
    """``Saturday 4 July, 18:00–20:00, Berlin time``, with the year if the date would be unclear without it, and with
    ``(12:00 for you)`` if the clock of a reader in ``reader_zone`` shows another time.
    """
    if event.starts_at is None:
        return gettext("Date to be announced")
    when = ", ".join(filter(None, (time_and_place.span_label(event, now), time_and_place.zone_label(event))))
    time = time_and_place.time_for_reader(event, reader_zone)
    return gettext("%(when)s (%(time)s for you)", when=when, time=time) if time else when


def short_day_label(event: Event) -> str:
    """The day in the event's time zone, such as ``Tue 24 Nov``; empty without a date."""
    return "" if event.starts_at is None else formatting.short_day(wall_time.local_of(event.starts_at, event.time_zone))


def _template_context(
    payload: Payload,
    payloads: Sequence[Payload],
    state: CurrentState,
    names: Mapping[UserId, str],
    title: str,
    *,
    is_shut_out: bool,
) -> dict[str, object]:
    event, own_rsvp = state.event, state.own_rsvp
    name = names.get(payload.person_id, "") if payload.person_id else ""
    starts = next_starts = offered_until = None
    if (next_date := state.next_date) is not None and next_date.starts_at is not None:
        next_starts = ShownTime(next_date.starts_at, next_date.time_zone, next_date.is_all_day)
    if event is not None and event.starts_at is not None:
        starts = ShownTime(event.starts_at, event.time_zone, event.is_all_day)
    if event is not None and own_rsvp is not None and own_rsvp.offered_until is not None:
        offered_until = ShownTime(own_rsvp.offered_until, event.time_zone)
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
        "next_starts": next_starts,
        "new_place": in_one_line(payload.is_at or "", payload.is_in) if isinstance(payload, DatesChanged) else "",
        "place": "" if event is None else ", ".join(event.place.lines),
        "mine": own_rsvp,
        "offered_until": offered_until,
        "group": state.group,
        "announcement": state.announcement,
        "chat": state.chat,
        "is_shut_out": is_shut_out,
        "now": state.now,
    }


def _render_block(kind: NotificationKind[Any], name: str, context: Mapping[str, object]) -> str:
    """The rendered text of one block; empty if the template does not have it."""
    template = ENVIRONMENT.get_template(f"{kind.name}.jinja")
    block = template.blocks.get(name)
    return "" if block is None else "".join(block(template.new_context(dict(context))))


def _one_line(text: str) -> str:
    return _BREAKS.sub(" ", text).strip()


def _date_time(when: ShownTime, now: Instant) -> str:
    """``Saturday 4 July, 18:00``, with the year if the date would be unclear without it."""
    local = wall_time.local_of(when.at, when.time_zone)
    today = wall_time.local_of(now, when.time_zone).date()
    return formatting.day(local, today) if when.is_day else formatting.span(local, None, today)


def _soon(when: ShownTime, now: Instant) -> str:
    """The start in the event's time zone: ``Tomorrow 19:00``, or ``Sat 4 Jul 19:00`` if it is later than tomorrow."""
    local = wall_time.local_of(when.at, when.time_zone)
    today = wall_time.local_of(now, when.time_zone).date()
    day = formatting.relative_day(local.date(), today) or formatting.short_day(local)
    return day if when.is_day else gettext("%(day)s %(time)s", day=day, time=formatting.clock(local))


def _short_start(when: ShownTime, now: Instant) -> str:
    """The start in the event's time zone: ``Sat 4 Jul, 19:00``."""
    day = _short_day(when, now)
    return day if when.is_day else formatting.day_and_time(day, wall_time.local_of(when.at, when.time_zone))


def _short_day(when: ShownTime, now: Instant) -> str:
    """``Sat 4 Jul``, with the year if the date would be ambiguous without it."""
    of, today = (wall_time.local_of(at, when.time_zone).date() for at in (when.at, now))
    return formatting.short_day(of, today)


def _zone_label(when: ShownTime) -> str:
    return formatting.zone_label(wall_time.local_of(when.at, when.time_zone), when.time_zone)


def _with_full_stop(text: str) -> str:
    """The text with a full stop, unless it already ends with a full stop, exclamation mark or question mark."""
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _rule_text(repeats: RecurrenceSummary) -> str:
    """The recurrence rule as part of a sentence: ``every Tuesday at 18:00``."""
    return describe_inside(repeats.pattern)


def _field_names(names: Sequence[str]) -> str:
    """The names of the changed fields: ``title, description``."""
    return ", ".join(map(changed_field_label, names))


def _environment() -> jinja2.Environment:
    # These templates produce plain text. Pages and HTML e-mails escape what they insert.
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
        "short": _short_start,
        "short_day": _short_day,
        "zone": _zone_label,
        "ended": _with_full_stop,
        "rule": _rule_text,
        "fields": _field_names,
        "summary": summary_of,
    }
    environment.globals["unnamed"] = unnamed
    environment.globals["words"] = environment.get_template("_words.jinja").module
    return environment


ENVIRONMENT: Final = _environment()
