"""The weekly e-mail “Your week”: the events of the next seven days, and what waits for an answer."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final

from groundwork.clock import Instant
from groundwork.database.transaction import Database, Reader
from openmeet.domain.attendance import answer_badges
from openmeet.domain.attendance import queries as attendance_queries
from openmeet.domain.attendance.answer_bar import AnswerBar, AnswerBarInput, AnswerState, answer_bar_of
from openmeet.domain.attendance.answer_bar_inputs import bar_inputs_of
from openmeet.domain.events import time_and_place
from openmeet.domain.events.event_access import managed_among
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.identities.queries import shown_names
from openmeet.domain.moderation.visibility import is_person_suspended
from openmeet.domain.notifications import email_links, preferences, rules
from openmeet.domain.notifications.email_links import EmailLink, LinkPurpose
from openmeet.domain.notifications.model import Channel, NotificationTopic
from openmeet.domain.page_paths import event_path
from openmeet.domain.search import my_event_lists, waiting_events
from openmeet.domain.users.model import UserId
from openmeet.domain.users.queries import by_id
from openmeet.emails.render import TEMPLATES, EmailContext, render_html
from openmeet.emails.unsubscribe import unsubscribe_label
from openmeet.i18n import formatting
from openmeet.i18n.catalogue import gettext, ngettext
from openmeet.i18n.markdown import one_line
from openmeet.outbox.emails import Composer, DueEmail, OutgoingEmail
from openmeet.recurrence.wall_time import local_of

# The most events of each list in one e-mail. The page lists all of them.
MAX_EVENTS: Final = 10
# The most waiting events that are counted. More are read than shown, because not all of them can be answered.
MAX_COUNTED: Final = 50


@dataclass(frozen=True, slots=True)
class EventLine:
    """One event in the e-mail. ``when`` begins with what waits for the person, if anything does. ``role`` is their
    answer, or that they host.
    """

    title: str
    url: str
    when: str
    place: str
    role: str = ""


@dataclass(frozen=True, slots=True)
class _Viewed:
    """What one person sees of the events: their answer bars, the names of the hosts, and the person's time zone."""

    person: UserId
    time_zone: str
    now: Instant
    public_url: str
    inputs: dict[EventId, AnswerBarInput]
    bars: dict[EventId, AnswerBar]
    names: dict[UserId, str]


def week_composer(site: EmailContext) -> Composer:
    """Composer of ``WEEK_MAIL``. Composes nothing if the week is over or has nothing in it, if the person has switched
    the e-mail off or has no address, or if they are suspended.
    """

    async def compose(db: Database, due: DueEmail) -> OutgoingEmail | None:
        user_id, monday = UserId(due.person), date.fromisoformat(due.subject_id)
        async with db.transaction() as tx:
            user, hours = await by_id(tx, user_id), await preferences.hours(tx, user_id)
            chosen = (await preferences.of_person(tx, user_id))[NotificationTopic.WEEK]
            if user is None or user.email is None or hours is None or Channel.EMAIL not in chosen:
                return None
            _, ends_at = rules.week_from(monday, hours.time_zone)
            if tx.now >= ends_at or await is_person_suspended(tx, user_id):
                return None
            events, found = await my_event_lists.week_of(tx, user_id, ends_at, MAX_EVENTS)
            candidates = await my_event_lists.waiting_for(tx, user_id, MAX_COUNTED)
            viewed = await _viewed(tx, site, user_id, hours.time_zone, [*events, *candidates])
            waiting = waiting_events.answerable(candidates, viewed.bars)
            if not events and not waiting:
                return None
            waiting_lines = await _waiting_lines(tx, viewed, waiting[:MAX_EVENTS])
            link = EmailLink(user_id, LinkPurpose.UNSUBSCRIBE, NotificationTopic.WEEK)
            stop_url = f"{site.public_url}/mail/stop/{await email_links.token_for(tx, site.key, link)}"
        subject = _subject(found, len(waiting))
        context = {
            "days": formatting.short_days(monday, monday + timedelta(days=6)),
            "events": [_event_line(event, viewed) for event in events],
            "events_left_out": found - len(events),
            "waiting": waiting_lines,
            "waiting_left_out": len(waiting) - len(waiting_lines),
            "asks_host": any(viewed.bars[one.id].state is AnswerState.NEEDS_DECISIONS for one in waiting),
            "stop_label": unsubscribe_label(NotificationTopic.WEEK),
            "stop_url": stop_url,
            "site_name": site.site_name,
            "site_url": site.public_url,
            "name": one_line(user.display_name),
        }
        return OutgoingEmail(
            user.email,
            subject,
            TEMPLATES.get_template("week.txt").render(context),
            html=render_html("week.html", site, subject, context),
            unsubscribe_url=stop_url,
        )

    return compose


def _subject(events: int, waiting: int) -> str:
    """``Your week: 4 events, 2 to answer``. Without the part that is zero."""
    of_events = ngettext("%(number)s event", "%(number)s events", events)
    to_answer = ngettext("%(number)s to answer", "%(number)s to answer", waiting)
    if not waiting:
        return gettext("Your week: %(events)s", events=of_events)
    if not events:
        return gettext("Your week: %(to_answer)s", to_answer=to_answer)
    return gettext("Your week: %(events)s, %(to_answer)s", events=of_events, to_answer=to_answer)


async def _viewed(
    reader: Reader, site: EmailContext, person: UserId, time_zone: str, listed: Sequence[Event]
) -> _Viewed:
    events = list({event.id: event for event in listed}.values())
    ids = [event.id for event in events]
    inputs = await bar_inputs_of(
        reader,
        events,
        person,
        own_rsvps=await attendance_queries.of_user(reader, person, ids),
        counts=await attendance_queries.counts(reader, ids),
        hosted=await managed_among(reader, events, person),
    )
    names = await shown_names(reader, [event.author_id for event in events])
    bars = {event_id: answer_bar_of(one) for event_id, one in inputs.items()}
    return _Viewed(person, time_zone, reader.now, site.public_url, inputs, bars, dict(names))


async def _waiting_lines(reader: Reader, viewed: _Viewed, waiting: Sequence[Event]) -> list[EventLine]:
    moved = await waiting_events.series_moved(reader, viewed.person, waiting, viewed.bars)
    lines = []
    for event in waiting:
        bar, bar_input = viewed.bars[event.id], viewed.inputs[event.id]
        sentence = waiting_events.sentence_of(bar, bar_input, viewed.names[event.author_id], moved.get(event.id))
        line = _line(event, viewed)
        lines.append(replace(line, when=f"{sentence} {line.when}"))
    return lines


def _event_line(event: Event, viewed: _Viewed) -> EventLine:
    bar = viewed.bars[event.id]
    if bar.state is AnswerState.NEEDS_DECISIONS:  # the other list says so
        bar = replace(bar, state=AnswerState.HOSTING)
    badge = answer_badges.badge_of(bar)
    return replace(_line(event, viewed), role="" if badge is None else str(badge.words))


def _line(event: Event, viewed: _Viewed) -> EventLine:
    return EventLine(
        one_line(event.title),
        f"{viewed.public_url}{event_path(event.slug)}",
        _when(event, viewed),
        time_and_place.place_label(event),
    )


def _when(event: Event, viewed: _Viewed) -> str:
    """``Tue 24 Nov · 19:00–21:30``, with the time zone if the person's clock shows another time."""
    if event.starts_at is None:
        return str(time_and_place.TO_BE_ANNOUNCED)
    starts = local_of(event.starts_at, event.time_zone)
    day = formatting.short_day(starts, local_of(viewed.now, event.time_zone).date())
    is_elsewhere = starts.utcoffset() != local_of(event.starts_at, viewed.time_zone).utcoffset()
    zone = time_and_place.zone_label(event) if is_elsewhere else ""
    return f"{day} · {', '.join(filter(None, (time_and_place.clock_label(event), zone)))}"
