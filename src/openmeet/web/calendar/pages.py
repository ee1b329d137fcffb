"""Calendar pages: the user's calendar, subscribed calendars, and the feed for other programs."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.database.transaction import Reader
from groundwork.errors import NotFound, Unavailable
from groundwork.http.forms import read_form
from openmeet.domain.calendars import queries, subscriptions
from openmeet.domain.calendars.entries import all_of, order
from openmeet.domain.calendars.fetch import CalendarFetcher
from openmeet.domain.calendars.model import CalendarEntry, CalendarId, CalendarReason, EntryKind, FeedHealth
from openmeet.domain.calendars.tasks import refresh
from openmeet.domain.covers.model import tone_for
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.events.queries import several
from openmeet.domain.paging import packed, unpacked
from openmeet.domain.users.model import Caller, UserId
from openmeet.domain.users.queries import by_id
from openmeet.i18n import formatting, languages
from openmeet.recurrence.wall_time import local_of
from openmeet.web.calendar import feed
from openmeet.web.calendar_layout.month_view import cells, month_layout
from openmeet.web.calendar_layout.view import (
    PATH,
    VIEW_LABELS,
    Period,
    View,
    clock_changes,
    clock_on,
    covered_days,
    day_named,
    look_of,
    overlaps_on,
    path_of,
    period_of,
    start_in_own_zone,
    title_of,
)
from openmeet.web.calendar_layout.week_view import week_layout, week_view
from openmeet.web.events.listing import CardList, EventCard, card_of, facts_of
from openmeet.web.site.caller import caller_of
from openmeet.web.site.layout import go, page
from openmeet.web.site.reader_zone import ShownZone, shown_zone
from openmeet.web.site.services import services
from openmeet.web.site.tenant_routing import database_of, workers_of

# Maximum number of entries on the chosen day below a month, and on a page of the agenda.
MAX_ON_DAY = 20
MAX_LISTED = 50
# Maximum number of sentences about overlaps per day.
MAX_OVERLAPS = 2

_CURSOR = re.compile(r"(-?[0-9]{1,19}) (\S{1,100})")

# The URL is a secret, so shared caches must not store it and search engines must not index it.
_PRIVATE = {"cache-control": "private, no-cache", "x-robots-tag": "noindex, nofollow"}


@dataclass(frozen=True, slots=True)
class OtherCard:
    """An entry of another calendar."""

    title: str
    iso: str
    clock: str
    place: str
    calendar: str
    tone: int
    is_cancelled: bool


@dataclass(slots=True)
class DayOfCards:
    """A day. ``relative`` is ``Today``, ``Tomorrow`` or empty. ``further`` is the number of entries that are not
    listed.
    """

    key: str
    words: str
    relative: str
    overlaps: Sequence[str] = ()
    cards: list[EventCard | OtherCard] = field(default_factory=list)
    further: int = 0


def routes() -> list[Route]:
    return [
        Route(PATH, show_calendar, methods=["GET"]),
        Route(f"{PATH}/calendars/{{calendar_id}}", switch, methods=["POST"]),
    ]


def open_routes() -> list[Route]:
    """Routes that need no sign-in, because calendar programs have no session."""
    return [Route("/calendar/{token}.ics", serve_feed, methods=["GET"])]


async def show_calendar(request: Request) -> Response:
    caller = caller_of(request)
    query_params = request.query_params
    view = View(query_params.get("view", "")) if query_params.get("view", "") in set(View) else View.MONTH
    async with database_of(request).reader() as reader:
        user = await by_id(reader, caller.user_id)
        zone = await zone_of(request, reader, caller.user_id)
        today = local_of(reader.now, zone).date()
        week_start = user.week_start if user is not None else None
        period = period_of(
            view,
            day_named(query_params.get("on", ""), today),
            today,
            zone,
            formatting.first_weekday(zone) if week_start is None else week_start,
        )
        entries = await all_of(reader, caller.user_id, *period.instants, only_shown=True)
        calendars = await queries.of_person(reader, caller.user_id)
        shown = await _shown_entries(request, reader, caller, period, entries)
    context = {
        "period": period,
        "views": [(one, VIEW_LABELS[one], path_of(one, period.on)) for one in View],
        "before": path_of(view, period.before),
        "after": path_of(view, period.after),
        "to_today": path_of(view, today),
        "is_empty": not entries,
        "calendar_zone": shown_zone(
            zone, formatting.zone_label(local_of(period.instants[0], zone), zone), period.instants
        ),
        "week_days": [(formatting.weekday(day.weekday()), formatting.weekday_in_short(day)) for day in period.days[:7]],
        "clock_changes": clock_changes(period.days, zone),
        "calendars": [(one.id, one.name, one.tone, one.is_shown) for one in calendars],
        "failing": [one.name for one in calendars if one.health in {FeedHealth.FAILING, FeedHealth.GIVEN_UP}],
        **shown,
    }
    return page(request, "calendar/calendar.html", context)


async def _shown_entries(
    request: Request, reader: Reader, caller: Caller, period: Period, entries: Sequence[CalendarEntry]
) -> dict[str, object]:
    """The entries that the view shows. Their number is limited, however many entries there are."""
    spans = [covered_days(entry, period.zone) for entry in entries]
    month = month_layout(period, spans) if period.view is View.MONTH else None
    week = week_layout(period, entries) if period.view is View.WEEK else None
    listed: dict[date, Sequence[CalendarEntry]] = {}
    further, more = 0, ""
    by_key = {entry.key: entry for entry in entries}
    match period.view:
        case View.MONTH if month is not None:
            # All-day entries first.
            on_day = sorted((by_key[key] for key in month.of_day[period.on]), key=lambda entry: not entry.is_all_day)
            listed = {period.on: on_day[:MAX_ON_DAY]}
            further = max(len(on_day) - MAX_ON_DAY, 0)
        case View.AGENDA:
            after = parse_cursor(request.query_params.get("after", ""))
            entries_after = [entry for entry in entries if after is None or order(entry) > after]
            listed = {**_by_first_day(period, entries_after[:MAX_LISTED])}
            if len(entries_after) > MAX_LISTED:
                more = f"{path_of(View.AGENDA, period.on)}&after={format_cursor(entries_after[MAX_LISTED - 1])}"
        case _:
            pass
    keys = {entry.key for of_day in listed.values() for entry in of_day}
    keys |= (month.keys if month else set()) | (week.keys if week else set())
    event_ids = [EventId(key) for key in keys if by_key[key].kind is not EntryKind.SUBSCRIBED]
    events: dict[str, Event] = {event.id: event for event in await several(reader, event_ids)}
    tones: dict[str, int] = {event.id: tone_for(event.content) for event in events.values()}
    title_languages: dict[str, str] = {
        event.id: languages.marked_as(event.content.title, event.content.description, spoken=event.content.languages)
        for event in events.values()
    }
    looks = {key: look_of(by_key[key], period.zone, tones, title_languages) for key in keys}
    public_url = services(request).settings.public_url
    return {
        "weeks": cells(period, month, looks, _day_path, chosen=period.on) if month else (),
        "week": week_view(period, week, by_key, looks, reader.now) if week else None,
        "days": await _day_cards(reader, public_url, caller.user_id, period, listed, events) if listed else (),
        "further": further,
        "more": more,
    }


async def _day_cards(
    reader: Reader,
    public_url: str,
    viewer: UserId,
    period: Period,
    listed: Mapping[date, Sequence[CalendarEntry]],
    events: Mapping[str, Event],
) -> list[DayOfCards]:
    """Cards of the listed entries, by day. ``events`` must contain, by id, at least the events of this site among those
    entries.
    """
    listed_keys = {entry.key for entries in listed.values() for entry in entries}
    own_events = [event for key, event in events.items() if key in listed_keys]
    facts = await facts_of(reader, own_events, CardList(public_url, viewer)) if own_events else None
    days = []
    for day, entries in listed.items():
        relative = formatting.relative_day(day, period.today)
        day_of_cards = DayOfCards(
            day.isoformat(), formatting.long_day(day), relative, overlaps_on(day, period.zone, entries, MAX_OVERLAPS)
        )
        for entry in entries:
            clock = clock_on(entry, day, period.zone)
            event = events.get(entry.key)
            if event is not None and facts is not None:
                card = card_of(event, facts)
                day_of_cards.cards.append(
                    replace(
                        card,
                        time_tag=formatting.time_tag(entry.starts_at, clock),
                        zone=ShownZone(own) if (own := start_in_own_zone(entry, period.zone)) else None,
                        place=entry.place or card.place,
                    )
                )
            elif entry.kind is EntryKind.SUBSCRIBED:
                day_of_cards.cards.append(_other_card(entry, clock))
        days.append(day_of_cards)
    return days


def _other_card(entry: CalendarEntry, clock: str) -> OtherCard:
    return OtherCard(
        title=title_of(entry),
        iso=formatting.iso(entry.starts_at),
        clock=clock,
        place=entry.place,
        calendar=entry.calendar,
        tone=entry.tone,
        is_cancelled=entry.is_cancelled,
    )


def _by_first_day(period: Period, entries: Sequence[CalendarEntry]) -> dict[date, list[CalendarEntry]]:
    """Each entry once, under its first day within the period. Days without entries are left out."""
    entries_by_day: dict[date, list[CalendarEntry]] = {}
    for entry in entries:
        span = covered_days(entry, period.zone)
        day = max(span.first, period.start)
        if day <= min(span.last, period.end - timedelta(days=1)):
            entries_by_day.setdefault(day, []).append(entry)
    return dict(sorted(entries_by_day.items()))


def _day_path(day: date) -> str:
    return f"{path_of(View.MONTH, day)}#day"


async def switch(request: Request) -> Response:
    """Show or hide a calendar, then show the same page again."""
    caller = caller_of(request)
    form = await read_form(request)
    calendar_id = CalendarId(request.path_params["calendar_id"])
    async with database_of(request).transaction() as tx:
        await subscriptions.show(tx, caller.user_id, calendar_id, is_shown=form.get("shown", "") == "yes")
    view = View(form.get("view", "")) if form.get("view", "") in set(View) else View.MONTH
    return go(path_of(view, day_named(form.get("on", ""), local_of(services(request).clock.now(), "UTC").date())))


async def serve_feed(request: Request) -> Response:
    settings = services(request).settings
    async with database_of(request).reader() as reader:
        user_id = await feed.owner_of(reader, request.path_params["token"])
        user = None if user_id is None else await by_id(reader, user_id)
        if user is None:
            raise NotFound(CalendarReason.NO_SUCH_ADDRESS)
        file = await feed.file_of(
            reader,
            user.id,
            name=f"{user.display_name or 'My events'} · {settings.site_name}",
            public_url=settings.public_url,
        )
    headers = {**_PRIVATE, "etag": feed.tag_of(file)}
    if request.headers.get("if-none-match") == headers["etag"]:
        return Response(status_code=304, headers=headers)
    return Response(file, media_type="text/calendar; charset=utf-8", headers=headers)


async def refresh_now(request: Request, user_id: UserId, calendar_id: CalendarId) -> None:
    """Refresh a calendar at the request of its owner. Raises NotFound."""
    async with database_of(request).reader() as reader:
        address = await queries.address(reader, user_id, calendar_id)
    if address is None:
        raise NotFound(CalendarReason.NO_SUCH_CALENDAR)
    site_zone = services(request).settings.time_zone
    await refresh(database_of(request), calendar_fetcher_of(request), workers_of(request, user_id), address, site_zone)


def calendar_fetcher_of(request: Request) -> CalendarFetcher:
    """The HTTP client for calendars. Raises Unavailable if the site was started without it."""
    calendar_fetcher = services(request).calendar_fetcher
    if calendar_fetcher is None:
        raise Unavailable(CalendarReason.READS_NO_CALENDARS)
    return calendar_fetcher


async def zone_of(request: Request, reader: Reader, user_id: UserId) -> str:
    """The time zone that the user chose, or that of the event that they last created or answered, or the site's."""
    return await queries.zone_of_person(reader, user_id, services(request).settings.time_zone)


def format_cursor(entry: CalendarEntry) -> str:
    """The cursor for the entries after this one."""
    return packed("{} {}".format(*order(entry)))


def parse_cursor(text: str) -> tuple[int, str] | None:
    """The sort position in a cursor, or None if there is no cursor. Raises InvalidInput."""
    if not text:
        return None
    position = unpacked(_CURSOR, text)
    return int(position[1]), position[2]
