"""Calendar file of a group for one reader: its series, each as a whole, and its single events.

The number of queries does not depend on the number of series, which ``series.feeds`` limits. Remote events are written
as single dates, because the group cannot vouch for a rule that somebody else maintains.
"""

from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from groundwork.errors import InvalidInput, NotFound
from groundwork.http.forms import read_form
from openmeet.domain.events.values import Visibility
from openmeet.domain.groups import actions, calendar_feeds, rules
from openmeet.domain.groups.model import Group, GroupId
from openmeet.domain.groups.reasons import GroupReason
from openmeet.domain.groups.rules import GroupPermission
from openmeet.domain.moderation.blocks import blockers_of
from openmeet.domain.search.group_events import between_in_group, seen_in_group
from openmeet.domain.series.calendar_uids import sequences
from openmeet.domain.series.model import Series
from openmeet.domain.users.model import UserId
from openmeet.domain.validation import GeneralReason
from openmeet.web.events import feeds
from openmeet.web.groups import feeds as group_feed
from openmeet.web.groups.access import path_of, slug_of
from openmeet.web.series.feeds import WholeSeries, listable_series, with_stored_dates
from openmeet.web.site.caller import caller_of
from openmeet.web.site.layout import go
from openmeet.web.site.services import services
from openmeet.web.site.tenant_routing import database_of


async def calendar_file(
    reader: Reader, group: Group, public_url: str, *, member: UserId | None, runs: bool
) -> tuple[bytes, Instant]:
    """The file, and the time of its last change. ``member`` is the reader if they are a member. ``runs``: they are an
    admin of the group.
    """
    start, end = Instant(reader.now - group_feed.PAST), Instant(reader.now + group_feed.AHEAD)
    series = await _whole_series(reader, group.id, start, member=member, runs=runs)
    single = await between_in_group(
        reader, group.id, start, end, group_feed.MOST, member=member, besides=[one.series.id for one in series]
    )
    listed = [*single, *(event for one in series for event in one.shown)]
    numbers = await sequences(reader, [event.id for event in listed])
    file = group_feed.calendar_of(group, series, single, numbers, reader.now, public_url, is_public=member is None)
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


def routes() -> list[Route]:
    return [Route("/groups/{slug}/calendar", change, methods=["POST"])]


def open_routes() -> list[Route]:
    """Routes that need no sign-in, because calendar programs have no session."""
    return [Route("/group-calendars/{token}.ics", serve, methods=["GET"])]


async def change(request: Request) -> Response:
    """Create, renew or close the secret URL."""
    caller = caller_of(request)
    action = (await read_form(request)).get("act", "")
    async with database_of(request).transaction() as tx:
        group, membership = await actions.lock_visible(tx, caller, slug_of(request))
        match action:
            case "open" | "renew":
                await calendar_feeds.renew(tx, services(request).code_key, group, membership)
            case "close":
                await calendar_feeds.close(tx, group.id, caller.user_id)
            case _:
                raise InvalidInput("act", GeneralReason.CHOOSE_ONE, choices="open, renew, close")
    flash = {"open": "feed_open", "renew": "feed_renewed", "close": "feed_closed"}[action]
    return go(f"{path_of(group)}/events", flash=flash)


async def serve(request: Request) -> Response:
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


async def url_for(reader: Reader, request: Request, group: Group, member: UserId) -> str | None:
    """The member's current URL. None if they have none, empty if it cannot be shown again."""
    token = await calendar_feeds.token_of(reader, services(request).code_key, group.id, member)
    return None if token is None else feed_url(request, token)


def feed_url(request: Request, token: str) -> str:
    """The full URL for a token. Empty if there is none."""
    public_url = services(request).settings.public_url
    return f"{public_url}/group-calendars/{quote(token)}.ics" if token else ""
