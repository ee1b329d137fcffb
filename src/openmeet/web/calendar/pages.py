"""My calendar, subscribed calendars, and the feed for other programs."""

from collections.abc import Mapping
from datetime import date
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from groundwork.errors import Failure, InvalidForm, InvalidInput, NotFound, Unavailable
from groundwork.http.faults import form_status_of, headers_of
from openmeet.domain.calendars import queries, subscriptions
from openmeet.domain.calendars.entries import all_of
from openmeet.domain.calendars.fetch import CalendarFetcher, checked_url
from openmeet.domain.calendars.model import COSTLY, MOST_CALENDARS, CalendarId, FailureReason, FeedHealth, Subscribed
from openmeet.domain.calendars.tasks import refresh
from openmeet.domain.users.model import Caller, UserId
from openmeet.domain.users.queries import by_id
from openmeet.i18n import formatting
from openmeet.recurrence.wall_time import is_zone, local_of
from openmeet.web.calendar import feed
from openmeet.web.calendar.view import View, day_named, shown, window_of
from openmeet.web.site.caller import caller_of
from openmeet.web.site.forms import EMPTY, Typed, read_form, typed_again
from openmeet.web.site.layout import go, page
from openmeet.web.site.services import services
from openmeet.web.site.tenant_routing import database_of, workers_of

SETTINGS = "/settings/calendars"

# The URL is a secret: no shared cache and no search engine may keep it.
_PRIVATE = {"cache-control": "private, no-cache", "x-robots-tag": "noindex, nofollow"}
_HEALTH_WORDS = {
    FeedHealth.FILE: "from a file; it does not change by itself",
    FeedHealth.FRESH: "read again every few hours",
    FeedHealth.FAILING: "could not be read the last time; we will try again",
    FeedHealth.GIVEN_UP: "could not be read several times; we no longer try by ourselves",
}
_ADVICE = {
    FailureReason.GONE: "The other side has taken it away. Ask whoever runs it for its new address, or choose “Take away”.",
    FailureReason.UNREACHABLE: "Check that the address still works in a browser. If it does, choose “Read now”.",
    FailureReason.NO_CALENDAR: "The address leads to something else now. Look up the calendar’s address again and add that.",
    FailureReason.TOO_LARGE: "This calendar is larger than we can read. Share fewer years of it at the other side, then choose “Read now”.",
    FailureReason.TOO_MUCH_WORK: (
        "Reading this calendar takes more work than we can give to one. Remove long series or old years from it at the other"
        " side, then choose “Read now”."
    ),
    FailureReason.ADDRESS_LOST: "Choose “Take away” and add its address again.",
}
_FILE_ADVICE = "Its later dates take too much work to compute. Choose “Take away” and add a smaller file."


def routes() -> list[Route]:
    return [
        Route("/my/calendar", show_calendar, methods=["GET"]),
        Route(SETTINGS, show_settings, methods=["GET"]),
        Route(SETTINGS, add, methods=["POST"]),
        Route(f"{SETTINGS}/feed", change_feed, methods=["POST"]),
        Route(f"{SETTINGS}/{{calendar_id}}", change, methods=["POST"]),
    ]


def open_routes() -> list[Route]:
    """Routes without a viewer: calendar programs have no session."""
    return [Route("/calendar/{token}.ics", serve_feed, methods=["GET"])]


async def show_calendar(request: Request) -> Response:
    caller = caller_of(request)
    try:
        view = View(request.query_params.get("view", View.MONTH.value))
    except ValueError:
        view = View.MONTH
    async with database_of(request).reader() as reader:
        zone = await zone_of(request, reader, caller.user_id)
        today = local_of(reader.now, zone).date()
        on = day_named(request.query_params.get("on", ""), today)
        _, _, start, end = window_of(view, on, zone)
        entries = await all_of(reader, caller.user_id, start, end)
        calendars = await queries.of_person(reader, caller.user_id)
    seen = shown(view, on, today, zone, entries)
    context = {
        "shown": seen,
        "views": [(one.value, one.value.capitalize(), _path(one, on)) for one in View],
        "before": _path(view, seen.before),
        "behind": _path(view, seen.behind),
        "today": _path(view, today),
        "zone_words": formatting.zone_words(local_of(start, zone), zone),
        "week_days": [(day.words.split(" ")[0], day.words[:3]) for day in seen.days[:7]],
        "has_calendars": bool(calendars),
        "failing": [one.name for one in calendars if one.health in {FeedHealth.FAILING, FeedHealth.GIVEN_UP}],
    }
    return page(request, "calendar/calendar.html", context)


async def show_settings(request: Request) -> Response:
    return await _settings(request, caller_of(request), EMPTY)


async def add(request: Request) -> Response:
    """Subscribe to a URL; errors are shown at the field."""
    caller = caller_of(request)
    typed = await read_form(request)
    async with database_of(request).reader() as reader:
        zone, now = await zone_of(request, reader, caller.user_id), reader.now
    try:
        address = checked_url(typed.get("url", ""))
        outgoing = outgoing_of(request)
        offered = await subscriptions.look(outgoing, workers_of(request, caller.user_id), address, now, zone)
        async with database_of(request).transaction() as tx:
            _, is_new = await subscriptions.subscribe(tx, caller.user_id, offered, typed.get("name", ""), outgoing)
    except InvalidForm as wrong:
        return await _settings(request, caller, typed_again(typed, wrong), status=400)
    except Failure as failure:
        # Show every problem with a URL at its field: not found, no calendar, too slow, one too many.
        wrong_at = typed_again(typed, InvalidForm({"url": failure.why}))
        return await _settings(request, caller, wrong_at, status=form_status_of(failure), headers=headers_of(failure))
    return go(SETTINGS, said="calendar_added" if is_new else "calendar_known")


async def change(request: Request) -> Response:
    """Rename it, set whether it blocks time, refresh it, or remove it."""
    caller = caller_of(request)
    typed = await read_form(request)
    calendar_id = CalendarId(request.path_params["calendar_id"])
    match typed.get("act", ""):
        case "remove":
            async with database_of(request).transaction() as tx:
                await subscriptions.remove(tx, caller.user_id, calendar_id)
            return go(SETTINGS, said="calendar_removed")
        case "refresh":
            await refresh_now(request, caller.user_id, calendar_id)
            return go(SETTINGS, said="calendar_read")
        case "save":
            try:
                async with database_of(request).transaction() as tx:
                    await subscriptions.edit(
                        tx, caller.user_id, calendar_id, name=typed.get("name", ""), is_busy="is_busy" in typed
                    )
            except InvalidForm as wrong:
                problem = InvalidForm({f"name-{calendar_id}": wrong.problems["name"]})
                values = {**typed, f"name-{calendar_id}": typed.get("name", "")}
                return await _settings(request, caller, typed_again(values, problem), status=400)
            return go(SETTINGS, said="calendar_saved")
        case _:
            raise InvalidInput("act", "Choose one of: save, refresh, remove.")


async def change_feed(request: Request) -> Response:
    """Create, renew or close the secret URL."""
    caller = caller_of(request)
    typed = await read_form(request)
    act = typed.get("act", "")
    async with database_of(request).transaction() as tx:
        match act:
            case "open":
                await feed.open_feed(tx, services(request).code_key, caller.user_id)
            case "renew":
                await feed.renew_feed(tx, services(request).code_key, caller.user_id)
            case "close":
                await feed.close_feed(tx, caller.user_id)
            case _:
                raise InvalidInput("act", "Choose one of: open, renew, close.")
    return go(SETTINGS, said={"open": "feed_open", "renew": "feed_renewed", "close": "feed_closed"}[act])


async def serve_feed(request: Request) -> Response:
    settings = services(request).settings
    async with database_of(request).reader() as reader:
        user_id = await feed.owner_of(reader, request.path_params["token"])
        user = None if user_id is None else await by_id(reader, user_id)
        if user is None:
            raise NotFound("This calendar has no such address any more.")
        file = await feed.file_of(
            reader,
            user.id,
            name=f"{user.display_name or 'My events'} · {settings.site_name}",
            public_url=settings.public_url,
            host=settings.public_host,
        )
    headers = {**_PRIVATE, "etag": feed.tag_of(file)}
    if request.headers.get("if-none-match") == headers["etag"]:
        return Response(status_code=304, headers=headers)
    return Response(file, media_type="text/calendar; charset=utf-8", headers=headers)


async def refresh_now(request: Request, user_id: UserId, calendar_id: CalendarId) -> None:
    """Refresh a calendar at its owner's request. Raises NotFound."""
    async with database_of(request).reader() as reader:
        address = await queries.address(reader, user_id, calendar_id)
        zone = await zone_of(request, reader, user_id)
    if address is None:
        raise NotFound("You have no such calendar.")
    await refresh(database_of(request), outgoing_of(request), workers_of(request, user_id), address, zone)


def outgoing_of(request: Request) -> CalendarFetcher:
    """The HTTP client for calendars; Unavailable if the site was started without it."""
    found = services(request).outgoing
    if found is None:
        raise Unavailable("This site reads no other calendars at the moment.")
    return found


async def zone_of(request: Request, reader: Reader, user_id: UserId) -> str:
    """The user's chosen zone, else that of the event they last made or answered, else the site's."""
    user = await by_id(reader, user_id)
    chosen = user.time_zone if user is not None else ""
    zone = chosen or await queries.zone_of_newest(reader, user_id) or services(request).settings.time_zone
    return zone if is_zone(zone) else "UTC"


def _path(view: View, on: date) -> str:
    return f"/my/calendar?view={view.value}&on={on.isoformat()}"


async def _settings(
    request: Request, caller: Caller, typed: Typed, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    async with database_of(request).reader() as reader:
        calendars = await queries.of_person(reader, caller.user_id)
        token = await feed.token_of(reader, services(request).code_key, caller.user_id)
        now = reader.now
    public_url = services(request).settings.public_url
    context = {
        "typed": typed,
        "calendars": [_shown(one, now) for one in calendars],
        "most": MOST_CALENDARS,
        "has_feed": token is not None,
        "feed_url": f"{public_url}/calendar/{quote(token)}.ics" if token else "",
        "can_read": services(request).outgoing is not None,
        "with_publishing": services(request).asks_to_publish,
    }
    return page(request, "calendar/settings.html", context, status=status, headers=headers)


def _shown(one: Subscribed, now: Instant) -> dict[str, object]:
    return {
        "id": one.id,
        "name": one.name,
        "host": one.host,
        "is_file": one.health is FeedHealth.FILE,
        "is_failing": one.reason is not None or one.health in {FeedHealth.FAILING, FeedHealth.GIVEN_UP},
        "health": _HEALTH_WORDS[one.health],
        "problem": _problem(one),
        "dates": one.dates,
        "read": "" if one.fetched_at is None else formatting.ago(one.fetched_at, now),
        "is_busy": one.is_busy,
    }


def _problem(one: Subscribed) -> str:
    """What went wrong, and what the owner can do."""
    if one.reason is None:
        return one.problem
    if one.health is FeedHealth.FILE:
        return _FILE_ADVICE
    advice = _ADVICE[one.reason]
    # Messages for file uploads do not fit a subscription.
    return advice if one.reason in COSTLY else f"{one.problem} {advice}"
