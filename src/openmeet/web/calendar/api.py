"""The caller's calendar, as JSON: entries, conflicts, subscribed calendars, the feed. Only the caller can see it."""

import re
from typing import ClassVar, Literal
from urllib.parse import quote

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from groundwork.clock import HOUR, Instant
from groundwork.errors import InvalidInput, NotFound
from groundwork.http.json_bodies import json_response, read_json
from openmeet.domain.calendars import queries, subscriptions
from openmeet.domain.calendars.entries import MAX_SPANS, all_of, conflicts, order
from openmeet.domain.calendars.fetch import checked_url
from openmeet.domain.calendars.model import (
    MAX_CALENDARS,
    WIDEST,
    CalendarEntry,
    CalendarId,
    CalendarReason,
    Span,
    SubscribedCalendar,
)
from openmeet.i18n.formatting import iso, iso_or_none
from openmeet.i18n.reasons.messages import explain
from openmeet.web.api import pagination
from openmeet.web.api.etags import IF_MATCH, require_match_with_shown
from openmeet.web.api.instants import parse_instant
from openmeet.web.api.operations import ApiOperation, Parameter
from openmeet.web.calendar import feed
from openmeet.web.calendar.pages import calendar_fetcher_of, format_cursor, parse_cursor, refresh_now, zone_of
from openmeet.web.site.caller import caller_of
from openmeet.web.site.services import services
from openmeet.web.site.tenant_routing import database_of, workers_of

DEFAULT_LIMIT = 200
MAX_LIMIT = 1_000


class EntryOutput(msgspec.Struct, rename="camel"):
    """One calendar entry. ``event`` is the slug of an event on this site, ``calendar`` the name of a subscribed
    calendar. With ``isDraft``, only the hosts can see the event, as in the event itself.
    """

    kind: Literal["hosting", "going", "waiting", "interested", "invited", "subscribed"]
    title: str
    place: str
    starts_at: str
    ends_at: str | None
    time_zone: str
    is_all_day: bool
    is_cancelled: bool
    is_draft: bool
    is_busy: bool
    event: str | None
    calendar: str | None


class CalendarPage(msgspec.Struct, rename="camel"):
    """Entries in order. ``cursor`` leads to the next page of the same time window."""

    entries: list[EntryOutput]
    cursor: str | None


class TimeSpanInput(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """A time span to check. Without an end it lasts one hour."""

    starts_at: str
    ends_at: str | None = None


class ConflictsInput(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """``event`` is the slug of an event to leave out of the conflicts."""

    spans: list[TimeSpanInput]
    event: str | None = None


class ConflictsOutput(msgspec.Struct, rename="camel"):
    """For each span, in order, the conflicting entries."""

    conflicts: list[list[EntryOutput]]


class SubscribedOutput(msgspec.Struct, rename="camel"):
    """A subscribed calendar. ``host`` is the server in its URL. The full URL is never shown again."""

    id: str
    name: str
    host: str
    health: Literal["file", "fresh", "failing", "given_up"]
    reason: Literal["gone", "unreachable", "no_calendar", "too_large", "too_much_work", "address_lost"] | None
    problem: str
    is_busy: bool
    dates: int
    fetched_at: str | None
    next_fetch_at: str | None


class SubscribedPage(msgspec.Struct, rename="camel"):
    """The caller's subscribed calendars, oldest first; ``cursor`` is null on the last page."""

    calendars: list[SubscribedOutput]
    cursor: str | None


class SubscriptionInput(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """Either a URL (``https:`` or ``webcal:``) or the text of a file."""

    EXAMPLE: ClassVar[dict[str, object]] = {
        "ics": "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nEND:VCALENDAR\r\n",
        "name": "Choir",
    }

    url: str | None = None
    ics: str | None = None
    name: str = ""


class SubscriptionEdit(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """All editable fields."""

    name: str
    is_busy: bool


class FeedOutput(msgspec.Struct, rename="camel"):
    """The secret URL of the caller's own events. Null if the feed is off, or if it is so old that its URL cannot be
    shown again.
    """

    url: str | None


async def show(request: Request) -> Response:
    caller = caller_of(request)
    start, end = _window(request)
    limit = _limit_parameter(request)
    after = parse_cursor(request.query_params.get("cursor", ""))
    async with database_of(request).reader() as reader:
        entries = await all_of(reader, caller.user_id, start, end)
    entries_after = [entry for entry in entries if after is None or order(entry) > after]
    shown = entries_after[:limit]
    cursor = format_cursor(shown[-1]) if len(entries_after) > limit else None
    return json_response(CalendarPage([_entry_output(entry) for entry in shown], cursor))


async def check(request: Request) -> Response:
    caller = caller_of(request)
    body = await read_json(request, ConflictsInput)
    if not 1 <= len(body.spans) <= MAX_SPANS:
        raise InvalidInput("spans", CalendarReason.TIMES_OUT_OF_RANGE, most=MAX_SPANS)
    spans = [_span(one, number) for number, one in enumerate(body.spans)]
    async with database_of(request).reader() as reader:
        excluded_event = await queries.excluded_event(reader, body.event) if body.event else None
        clashes = await conflicts(reader, caller.user_id, spans, exclude=excluded_event)
    return json_response(ConflictsOutput([[_entry_output(entry) for entry in one] for one in clashes]))


async def show_subscribed(request: Request) -> Response:
    caller, page = caller_of(request), pagination.paging(request)
    async with database_of(request).reader() as reader:
        calendars = await queries.of_person(reader, caller.user_id, page)
    shown, cursor = page.cut(calendars, lambda one: (one.created_at, one.id))
    return json_response(SubscribedPage([_subscribed_output(one) for one in shown], cursor))


async def subscribe(request: Request) -> Response:
    """Fetch and store a calendar. If the URL is already subscribed to, return the existing subscription."""
    caller = caller_of(request)
    body = await read_json(request, SubscriptionInput)
    async with database_of(request).reader() as reader:
        zone, now = await zone_of(request, reader, caller.user_id), reader.now
    if (body.url is None) is (body.ics is None):
        raise InvalidInput("url", CalendarReason.URL_OR_FILE_NEEDED)
    fetcher = None
    if body.url is not None:
        # Report an invalid URL first, even if this site does not fetch calendars.
        address = checked_url(body.url)
        fetcher = calendar_fetcher_of(request)
        offered = await subscriptions.preview_address(fetcher, workers_of(request, caller.user_id), address, now, zone)
    else:
        workers = workers_of(request, caller.user_id)
        offered = await subscriptions.preview_file(workers, (body.ics or "").encode(), now, zone)
    async with database_of(request).transaction() as tx:
        key = services(request).code_key
        calendar, is_new = await subscriptions.subscribe(tx, key, caller.user_id, offered, body.name, fetcher)
    return json_response(
        _subscribed_output(calendar), 201 if is_new else 200, {"location": f"/api/me/calendars/{quote(calendar.id)}"}
    )


async def show_one(request: Request) -> Response:
    caller = caller_of(request)
    async with database_of(request).reader() as reader:
        subscription = await queries.find(reader, caller.user_id, _calendar_id(request))
    if subscription is None:
        raise NotFound(CalendarReason.NO_SUCH_CALENDAR)
    return json_response(_subscribed_output(subscription))


async def edit(request: Request) -> Response:
    caller = caller_of(request)
    body = await read_json(request, SubscriptionEdit)
    async with database_of(request).transaction() as tx:
        before = await queries.find(tx, caller.user_id, _calendar_id(request))
        if before is not None:
            require_match_with_shown(request, _subscribed_output(before))
        saved = await subscriptions.edit(
            tx, caller.user_id, _calendar_id(request), name=body.name, is_busy=body.is_busy
        )
    return json_response(_subscribed_output(saved))


async def remove(request: Request) -> Response:
    caller = caller_of(request)
    async with database_of(request).transaction() as tx:
        await subscriptions.remove(tx, caller.user_id, _calendar_id(request))
    return Response(status_code=204)


async def refresh(request: Request) -> Response:
    caller = caller_of(request)
    await refresh_now(request, caller.user_id, _calendar_id(request))
    return await show_one(request)


async def show_feed(request: Request) -> Response:
    caller = caller_of(request)
    async with database_of(request).reader() as reader:
        token = await feed.token_of(reader, services(request).code_key, caller.user_id)
    return json_response(_feed_output(request, token))


async def renew_feed(request: Request) -> Response:
    """Create a new URL. The previous one stops working."""
    caller = caller_of(request)
    async with database_of(request).transaction() as tx:
        token = await feed.renew_feed(tx, services(request).code_key, caller.user_id)
    return json_response(_feed_output(request, token), 201)


async def close_feed(request: Request) -> Response:
    caller = caller_of(request)
    async with database_of(request).transaction() as tx:
        await feed.close_feed(tx, caller.user_id)
    return Response(status_code=204)


def _feed_output(request: Request, token: str | None) -> FeedOutput:
    return FeedOutput(f"{services(request).settings.public_url}/calendar/{quote(token)}.ics" if token else None)


def _calendar_id(request: Request) -> CalendarId:
    return CalendarId(request.path_params["id"])


def _entry_output(entry: CalendarEntry) -> EntryOutput:
    return EntryOutput(
        kind=entry.kind.value,
        title=entry.title,
        place=entry.place,
        starts_at=iso(entry.starts_at),
        ends_at=iso(entry.ends_at) if entry.has_end else None,
        time_zone=entry.time_zone,
        is_all_day=entry.is_all_day,
        is_cancelled=entry.is_cancelled,
        is_draft=entry.is_held,
        is_busy=entry.is_busy,
        event=entry.slug or None,
        calendar=entry.calendar or None,
    )


def _subscribed_output(subscribed: SubscribedCalendar) -> SubscribedOutput:
    return SubscribedOutput(
        id=subscribed.id,
        name=subscribed.name,
        host=subscribed.host,
        health=subscribed.health.value,
        reason=None if subscribed.reason is None else subscribed.reason.value,
        problem=explain(subscribed.problem),
        is_busy=subscribed.is_busy,
        dates=subscribed.dates,
        fetched_at=iso_or_none(subscribed.fetched_at),
        next_fetch_at=iso_or_none(subscribed.next_fetch_at),
    )


def _window(request: Request) -> tuple[Instant, Instant]:
    start = parse_instant(request.query_params.get("from", ""), "from")
    end = parse_instant(request.query_params.get("to", ""), "to")
    if not start < end <= start + WIDEST:
        raise InvalidInput("to", CalendarReason.MALFORMED_WINDOW)
    return start, end


def _span(span: TimeSpanInput, number: int) -> Span:
    start = parse_instant(span.starts_at, f"spans[{number}].startsAt")
    end = start if span.ends_at is None else parse_instant(span.ends_at, f"spans[{number}].endsAt")
    if not start <= end <= start + WIDEST:
        raise InvalidInput(f"spans[{number}].endsAt", CalendarReason.MALFORMED_TIME)
    return Span(start, Instant(start + HOUR) if span.ends_at is None else end)


def _limit_parameter(request: Request) -> int:
    text = request.query_params.get("limit", str(DEFAULT_LIMIT))
    if not re.fullmatch(r"[0-9]{1,4}", text) or not 1 <= int(text) <= MAX_LIMIT:
        raise InvalidInput("limit", CalendarReason.LIMIT_NOT_A_NUMBER, most=MAX_LIMIT)
    return int(text)


_WINDOW = (
    Parameter("from", "The instant at which the window begins", is_required=True),
    Parameter("to", "The instant at which the window ends (exclusive), at most 366 days later", is_required=True),
)

OPERATIONS = (
    ApiOperation(
        "GET",
        "/api/me/calendar",
        "showMyCalendar",
        "Events that you attend, wait for or host, and entries of subscribed calendars, in a time range",
        show,
        {200: CalendarPage},
        parameters=(
            *_WINDOW,
            Parameter("limit", f"Entries per page, 1 to {MAX_LIMIT}", shape=int),
            pagination.CURSOR,
        ),
    ),
    ApiOperation(
        "POST",
        "/api/me/calendar/conflicts",
        "checkConflicts",
        "Your conflicts at these times. Stores nothing",
        check,
        {200: ConflictsOutput},
        ConflictsInput,
        changes_nothing=True,
    ),
    ApiOperation(
        "GET",
        "/api/me/calendars",
        "listMyCalendars",
        f"Your subscribed calendars, at most {MAX_CALENDARS}",
        show_subscribed,
        {200: SubscribedPage},
        parameters=(pagination.CURSOR, pagination.LIMIT),
    ),
    ApiOperation(
        "POST",
        "/api/me/calendars",
        "subscribeToCalendar",
        "Subscribe to a calendar. A URL that is already subscribed to returns the existing one",
        subscribe,
        {201: SubscribedOutput, 200: SubscribedOutput},
        SubscriptionInput,
        failures=(413, 422, 502, 504),
        is_idempotent=True,
    ),
    ApiOperation(
        "GET",
        "/api/me/calendars/{id}",
        "showMyCalendarSubscription",
        "One subscribed calendar",
        show_one,
        {200: SubscribedOutput},
        failures=(404,),
    ),
    ApiOperation(
        "PUT",
        "/api/me/calendars/{id}",
        "saveMyCalendarSubscription",
        "Rename a calendar, or change whether it counts as busy time",
        edit,
        {200: SubscribedOutput},
        SubscriptionEdit,
        (IF_MATCH,),
        failures=(404, 412),
    ),
    ApiOperation(
        "DELETE",
        "/api/me/calendars/{id}",
        "unsubscribeFromCalendar",
        "Unsubscribe from a calendar and delete its entries",
        remove,
        {204: None},
        failures=(404,),
    ),
    ApiOperation(
        "POST",
        "/api/me/calendars/{id}/refresh",
        "refreshMyCalendar",
        "Refresh a calendar now, and return the result",
        refresh,
        {200: SubscribedOutput},
        failures=(404,),
        is_idempotent=True,
    ),
    ApiOperation(
        "GET",
        "/api/calendar-feed",
        "showMyFeed",
        "The secret URL of your calendar",
        show_feed,
        {200: FeedOutput},
    ),
    ApiOperation(
        "POST",
        "/api/calendar-feed",
        "renewMyFeed",
        "Create or replace the secret URL. The old one stops working",
        renew_feed,
        {201: FeedOutput},
    ),
    ApiOperation("DELETE", "/api/calendar-feed", "closeMyFeed", "Remove the secret URL", close_feed, {204: None}),
)
