"""A group as a calendar file and as a feed, for everyone and for each member, who has a secret URL of their own, on the
group's page and as JSON. The public ones contain what everyone who can see the group may read; none has a join link.

In the calendar, each series is one event with its rule, plus one event for each date that differs or is cancelled.
Remote events are written as single dates, because the group cannot vouch for a rule that somebody else maintains. The
number of queries does not depend on the number of series, which ``series.feeds`` limits. Source: RFC 5545 (through
``icalendar``). The output is deterministic, so the ETag of an unchanged file stays the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from urllib.parse import quote

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.clock import DAY, Instant
from groundwork.database.transaction import Reader
from groundwork.errors import InvalidInput, NotFound
from groundwork.http.forms import read_form
from groundwork.http.json_bodies import json_response
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.events.values import Visibility
from openmeet.domain.groups import actions, calendar_feeds, rules
from openmeet.domain.groups.model import Group, GroupId
from openmeet.domain.groups.reasons import GroupReason
from openmeet.domain.groups.rules import GroupPermission
from openmeet.domain.icalendar.properties import ELSEWHERE
from openmeet.domain.icalendar.write import FeedAddress, write_calendar
from openmeet.domain.moderation.blocks import blockers_of
from openmeet.domain.page_paths import group_path
from openmeet.domain.search.group_event_lists import between_in_group, seen_in_group
from openmeet.domain.series import calendar_uids
from openmeet.domain.series.calendar_uids import CalendarIdentity
from openmeet.domain.series.feed_queries import WholeSeries, listable_series, with_stored_dates
from openmeet.domain.series.model import Series
from openmeet.domain.users.model import UserId
from openmeet.domain.validation import GeneralReason
from openmeet.i18n.catalogue import gettext
from openmeet.web.api.operations import ApiOperation
from openmeet.web.events import feeds
from openmeet.web.events.feeds import Feed
from openmeet.web.series.feeds import entries_of
from openmeet.web.site.caller import caller_of
from openmeet.web.site.layout import go
from openmeet.web.site.services import services
from openmeet.web.site.slugs import group_slug_of
from openmeet.web.site.tenant_routing import database_of

AHEAD = 2 * 366 * DAY
MAX_EVENTS = 2_000
NEWEST = 50


def routes() -> list[Route]:
    return [Route("/groups/{slug}/calendar", change_calendar, methods=["POST"])]


def open_routes() -> list[Route]:
    """Routes that need no sign-in, because calendar programs have no session."""
    return [Route("/group-calendars/{token}.ics", serve_member_calendar, methods=["GET"])]


async def change_calendar(request: Request) -> Response:
    """Create, renew or close the secret URL."""
    caller = caller_of(request)
    action = (await read_form(request)).get("act", "")
    async with database_of(request).transaction() as tx:
        group, membership = await actions.lock_visible(tx, caller, group_slug_of(request))
        match action:
            case "open" | "renew":
                await calendar_feeds.renew(tx, services(request).code_key, group, membership)
            case "close":
                await calendar_feeds.close(tx, group.id, caller.user_id)
            case _:
                raise InvalidInput("act", GeneralReason.CHOOSE_ONE, choices="open, renew, close")
    flash = {"open": "feed_open", "renew": "feed_renewed", "close": "feed_closed"}[action]
    return go(f"{group_path(group.slug)}/events", flash=flash)


async def serve_member_calendar(request: Request) -> Response:
    settings = services(request).settings
    async with database_of(request).reader() as reader:
        feed_reader = await calendar_feeds.reader_of(reader, request.path_params["token"])
        if feed_reader is None:
            raise NotFound(GroupReason.NO_SUCH_ADDRESS)
        group, membership = feed_reader
        file, changed = await calendar_file(
            reader,
            group,
            settings.public_url,
            member=membership.user_id,
            runs=rules.may(membership.role, GroupPermission.EDIT_ANY_EVENT),
        )
    response = feeds.feed_response(request, file, feeds.CALENDAR, changed, f"{quote(group.slug)}.ics")
    response.headers["x-robots-tag"] = "noindex, nofollow"
    return response


def calendar_of(
    group: Group,
    series: Sequence[WholeSeries],
    events: Sequence[Event],
    identities: Mapping[EventId, CalendarIdentity],
    now: Instant,
    public_url: str,
    *,
    is_public: bool,
) -> bytes:
    """The file of these series and single events, with their identities (``calendar_uids``).

    ``is_public`` selects the public file, whose URL is not secret. The text of an event of a followed host says that
    another host holds it.
    """
    entries = [entry for one in series for entry in entries_of(one, identities, now, public_url)]
    for event in events:
        entry = feeds.entry_of(event, identities[event.id], public_url)
        if entry is not None and not is_own(group, event):
            description = "\n\n".join(filter(None, (gettext("From another app"), entry.description)))
            entry = replace(entry, description=description, categories=(ELSEWHERE, *entry.categories))
        if entry is not None:
            entries.append(entry)
    page = f"{public_url}{group_path(group.slug)}"
    return write_calendar(entries, name=group.details.name, feed=FeedAddress(page, f"{page}.ics" if is_public else ""))


def feed_of(group: Group, public_url: str, kind: str) -> Feed:
    """The feed, as ``kind``: ``atom`` or ``json``."""
    address = f"{public_url}{group_path(group.slug)}"
    return Feed(group.details.name, f"urn:uuid:{group.id}", address, f"{address}.{kind}", group.updated_at)


def is_own(group: Group, event: Event) -> bool:
    """Whether the group hosts the event. Otherwise the group follows the host of the event."""
    return event.group is not None and event.group.id == group.id


async def calendar_file(
    reader: Reader, group: Group, public_url: str, *, member: UserId | None, runs: bool
) -> tuple[bytes, Instant]:
    """The file, and the time of its last change. ``member`` is the reader if they are a member. ``runs``: they are an
    admin of the group.
    """
    start, end = Instant(reader.now - feeds.KEPT_AFTER_END), Instant(reader.now + AHEAD)
    series = await _whole_series(reader, group.id, start, member=member, runs=runs)
    single = await between_in_group(
        reader, group.id, start, end, MAX_EVENTS, member=member, besides=[one.series.id for one in series]
    )
    listed = [*single, *(event for one in series for event in one.shown)]
    identities = await calendar_uids.identities(reader, [event.id for event in listed])
    file = calendar_of(group, series, single, identities, reader.now, public_url, is_public=member is None)
    since = max([group.updated_at, *(one.series.updated_at for one in series)])
    return file, feeds.changed_at(listed, reader.now, since)


async def _whole_series(
    reader: Reader, group_id: GroupId, since: Instant, *, member: UserId | None, runs: bool
) -> list[WholeSeries]:
    """The series of the group that this reader may see, with their dates from ``since`` onward."""
    seen, values = seen_in_group(group_id, member)
    series_of_group = await listable_series(reader, "group_id", group_id, seen, values)
    blockers = await blockers_of(reader, {one.owner_id for one in series_of_group}, member)
    series = [
        one for one in series_of_group if _may_see(one, member, is_kept_away=one.owner_id in blockers and not runs)
    ]
    return await with_stored_dates(reader, series, since, seen, values)


def _may_see(series: Series, member: UserId | None, *, is_kept_away: bool) -> bool:
    """The same rule as in the group's lists. Non-members see public events. Members see all except events restricted to
    the host.
    """
    if member is None:
        return not series.is_hidden and series.content.visibility is Visibility.PUBLIC
    if member == series.owner_id:
        return True
    return not series.is_hidden and not (is_kept_away and series.visibility is Visibility.PRIVATE)


async def calendar_url_for(reader: Reader, request: Request, group: Group, member: UserId) -> str | None:
    """The member's current URL. None if they have none, empty if it cannot be shown again."""
    token = await calendar_feeds.token_of(reader, services(request).code_key, group.id, member)
    return None if token is None else calendar_feed_url(request, token)


def calendar_feed_url(request: Request, token: str) -> str:
    """The full URL of a group's calendar for the member with this token; empty for an empty token."""
    public_url = services(request).settings.public_url
    return f"{public_url}/group-calendars/{quote(token)}.ics" if token else ""


class GroupFeedOutput(msgspec.Struct, rename="camel"):
    """The caller's secret URL of the group's calendar. Null if there is none, or if it is so old that it cannot be
    shown again.
    """

    url: str | None


async def show_group_feed(request: Request) -> Response:
    caller = caller_of(request)
    async with database_of(request).reader() as reader:
        group, membership = await actions.visible(reader, group_slug_of(request), caller.user_id)
        rules.require_permission(membership.role if membership else None, GroupPermission.VIEW)
        url = await calendar_url_for(reader, request, group, caller.user_id)
    return json_response(GroupFeedOutput(url or None))


async def renew_group_feed(request: Request) -> Response:
    """Create a new URL. The previous one stops working."""
    caller = caller_of(request)
    async with database_of(request).transaction() as tx:
        group, membership = await actions.lock_visible(tx, caller, group_slug_of(request))
        token = await calendar_feeds.renew(tx, services(request).code_key, group, membership)
    return json_response(GroupFeedOutput(calendar_feed_url(request, token)), 201)


async def close_group_feed(request: Request) -> Response:
    caller = caller_of(request)
    async with database_of(request).transaction() as tx:
        group, _ = await actions.lock_visible(tx, caller, group_slug_of(request))
        await calendar_feeds.close(tx, group.id, caller.user_id)
    return Response(status_code=204)


OPERATIONS = (
    ApiOperation(
        "GET",
        "/api/groups/{slug}/calendar-feed",
        "showGroupFeed",
        "Your secret URL of a group’s calendar",
        show_group_feed,
        {200: GroupFeedOutput},
        failures=(403, 404),
    ),
    ApiOperation(
        "POST",
        "/api/groups/{slug}/calendar-feed",
        "renewGroupFeed",
        "Create or replace the secret URL of a group’s calendar. The old one stops working",
        renew_group_feed,
        {201: GroupFeedOutput},
        failures=(403, 404),
    ),
    ApiOperation(
        "DELETE",
        "/api/groups/{slug}/calendar-feed",
        "closeGroupFeed",
        "Remove your secret URL of the group’s calendar",
        close_group_feed,
        {204: None},
        failures=(404,),
    ),
)
