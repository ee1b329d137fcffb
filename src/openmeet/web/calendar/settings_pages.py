"""Calendar settings: subscribed calendars, the feed for other programs, the first day of the week."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.clock import Instant
from groundwork.errors import Failure, InvalidForm, InvalidInput, RemoteFailed, RemoteSlow, TooLarge, Why
from groundwork.http.client import ResponseTooLarge
from groundwork.http.faults import form_status_of, headers_of
from groundwork.http.forms import EMPTY, FormState, form_with_problems, read_form
from openmeet.domain.calendars import queries, subscriptions
from openmeet.domain.calendars.fetch import checked_url
from openmeet.domain.calendars.model import (
    COSTLY,
    MAX_CALENDARS,
    TONES,
    CalendarId,
    FeedFailure,
    FeedHealth,
    SubscribedCalendar,
)
from openmeet.domain.users.model import Caller
from openmeet.domain.users.queries import by_id, set_week_start
from openmeet.domain.validation import GeneralReason
from openmeet.i18n import formatting
from openmeet.i18n.catalogue import lazy
from openmeet.i18n.reasons.messages import explain
from openmeet.web.calendar import feed
from openmeet.web.calendar.pages import calendar_fetcher_of, refresh_now, zone_of
from openmeet.web.site.caller import caller_of
from openmeet.web.site.layout import go, page
from openmeet.web.site.services import services
from openmeet.web.site.tenant_routing import database_of, workers_of

SETTINGS: Final = "/settings/calendars"

# The tones of ``tokens.css``, in the same order.
TONE_LABELS: Final = (
    lazy("Pine"),
    lazy("Coral"),
    lazy("Indigo"),
    lazy("Plum"),
    lazy("Mustard"),
    lazy("Sky"),
    lazy("Rose"),
    lazy("Night blue"),
    lazy("Leaf green"),
)
# The days on which weeks start, in one country or another.
WEEK_STARTS: Final = (0, 5, 6)
_HEALTH_LABELS = {
    FeedHealth.FILE: lazy("From a file, so it isn’t updated"),
    FeedHealth.FRESH: lazy("Updated every few hours"),
    FeedHealth.FAILING: lazy("We couldn’t read it, but we’ll try again"),
    FeedHealth.GIVEN_UP: lazy("We failed to read it several times, so we’ve stopped trying"),
}
_ADVICE = {
    FeedFailure.GONE: lazy(
        "The calendar is gone from that address. Ask its owner for the new address, or choose “Remove”."
    ),
    FeedFailure.UNREACHABLE: lazy("Check that the address still works in a browser. If it does, choose “Update now”."),
    FeedFailure.NO_CALENDAR: lazy(
        "This address now leads somewhere else. Look up the calendar’s address again and add that one."
    ),
    FeedFailure.TOO_LARGE: lazy(
        "This calendar is too big for us to read. Share fewer years of it there, then choose “Update now”."
    ),
    FeedFailure.TOO_MUCH_WORK: (
        lazy("This calendar takes too long to read. Remove long series or old years there, then choose “Update now”.")
    ),
    FeedFailure.ADDRESS_LOST: lazy("Choose “Remove” and add its address again."),
}
_TOO_LARGE_TO_ADD = lazy("This calendar is too big for us to read. Share fewer years of it there, then add it again.")
_CHECK_ADDRESS = lazy("Check that the address opens in a browser, then add it again.")
_FILE_ADVICE = lazy("Its later dates take too long to calculate. Choose “Remove” and add a smaller file.")


def routes() -> list[Route]:
    return [
        Route(SETTINGS, show_settings, methods=["GET"]),
        Route(SETTINGS, add, methods=["POST"]),
        Route(f"{SETTINGS}/feed", change_feed, methods=["POST"]),
        Route(f"{SETTINGS}/week", change_week, methods=["POST"]),
        Route(f"{SETTINGS}/{{calendar_id}}", change, methods=["POST"]),
    ]


async def show_settings(request: Request) -> Response:
    return await _settings(request, caller_of(request), EMPTY)


async def add(request: Request) -> Response:
    """Subscribe to a URL. Errors are shown next to the field."""
    caller = caller_of(request)
    form = await read_form(request)
    async with database_of(request).reader() as reader:
        zone, now = await zone_of(request, reader, caller.user_id), reader.now
    try:
        address = checked_url(form.get("url", ""))
        fetcher = calendar_fetcher_of(request)
        offered = await subscriptions.preview_address(fetcher, workers_of(request, caller.user_id), address, now, zone)
        async with database_of(request).transaction() as tx:
            key, name = services(request).code_key, form.get("name", "")
            _, is_new = await subscriptions.subscribe(tx, key, caller.user_id, offered, name, fetcher)
    except InvalidForm as wrong:
        return await _settings(request, caller, form_with_problems(form, wrong), status=400)
    except Failure as failure:
        # Show every problem with a URL next to its field: not found, not a calendar, too slow, too many calendars.
        wrong_at = form_with_problems(form, InvalidForm({"url": _problem_of_address(failure)}))
        return await _settings(request, caller, wrong_at, status=form_status_of(failure), headers=headers_of(failure))
    return go(SETTINGS, flash="calendar_added" if is_new else "calendar_known")


async def change(request: Request) -> Response:
    """Handle the form of one subscribed calendar: rename it, set whether it blocks time, refresh or remove it."""
    caller = caller_of(request)
    form = await read_form(request)
    calendar_id = CalendarId(request.path_params["calendar_id"])
    match form.get("act", ""):
        case "remove":
            async with database_of(request).transaction() as tx:
                await subscriptions.remove(tx, caller.user_id, calendar_id)
            return go(SETTINGS, flash="calendar_removed")
        case "refresh":
            await refresh_now(request, caller.user_id, calendar_id)
            return go(SETTINGS, flash="calendar_read")
        case "save":
            try:
                async with database_of(request).transaction() as tx:
                    await subscriptions.edit(
                        tx,
                        caller.user_id,
                        calendar_id,
                        name=form.get("name", ""),
                        is_busy="is_busy" in form,
                        tone=_tone(form.get("tone", "")),
                    )
            except InvalidForm as wrong:
                problem = InvalidForm({f"name-{calendar_id}": wrong.problems["name"]})
                values = {**form, f"name-{calendar_id}": form.get("name", "")}
                return await _settings(request, caller, form_with_problems(values, problem), status=400)
            return go(SETTINGS, flash="calendar_saved")
        case _:
            raise InvalidInput("act", GeneralReason.CHOOSE_ONE, choices="save, refresh, remove")


async def change_week(request: Request) -> Response:
    """Set the first day of the week. Empty means the custom of the country that the user's time zone belongs to."""
    caller = caller_of(request)
    week_start = (await read_form(request)).get("week_start", "")
    if week_start not in {"", *map(str, WEEK_STARTS)}:
        raise InvalidInput(
            "week_start", GeneralReason.CHOOSE_ONE, choices=", ".join(map(formatting.weekday, WEEK_STARTS))
        )
    async with database_of(request).transaction() as tx:
        await set_week_start(tx, caller.user_id, int(week_start) if week_start else None)
    return go(SETTINGS, flash="week_saved")


async def change_feed(request: Request) -> Response:
    """Create, renew or close the secret URL."""
    caller = caller_of(request)
    form = await read_form(request)
    action = form.get("act", "")
    async with database_of(request).transaction() as tx:
        match action:
            case "open":
                await feed.open_feed(tx, services(request).code_key, caller.user_id)
            case "renew":
                await feed.renew_feed(tx, services(request).code_key, caller.user_id)
            case "close":
                await feed.close_feed(tx, caller.user_id)
            case _:
                raise InvalidInput("act", GeneralReason.CHOOSE_ONE, choices="open, renew, close")
    return go(SETTINGS, flash={"open": "feed_open", "renew": "feed_renewed", "close": "feed_closed"}[action])


async def _settings(
    request: Request,
    caller: Caller,
    form_state: FormState,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    async with database_of(request).reader() as reader:
        calendars = await queries.of_person(reader, caller.user_id)
        user = await by_id(reader, caller.user_id)
        token = await feed.token_of(reader, services(request).code_key, caller.user_id)
        zone, now = await zone_of(request, reader, caller.user_id), reader.now
    public_url = services(request).settings.public_url
    context = {
        "typed": form_state,
        "calendars": [_calendar_row(one, now) for one in calendars],
        "most": MAX_CALENDARS,
        "has_feed": token is not None,
        "feed_url": f"{public_url}/calendar/{quote(token)}.ics" if token else "",
        "tones": list(enumerate(TONE_LABELS)),
        "week_start": None if user is None else user.week_start,
        "week_starts": [(number, formatting.weekday(number)) for number in WEEK_STARTS],
        "usual_week_start": formatting.weekday(formatting.first_weekday(zone)),
        "can_read": services(request).calendar_fetcher is not None,
    }
    return page(request, "calendar/settings.html", context, status=status, headers=headers)


def _calendar_row(subscribed: SubscribedCalendar, now: Instant) -> dict[str, object]:
    return {
        "id": subscribed.id,
        "name": subscribed.name,
        "host": subscribed.host,
        "is_file": subscribed.health is FeedHealth.FILE,
        "is_failing": subscribed.reason is not None or subscribed.health in {FeedHealth.FAILING, FeedHealth.GIVEN_UP},
        "health": _HEALTH_LABELS[subscribed.health],
        "problem": _subscription_problem(subscribed),
        "dates": subscribed.dates,
        "tone": subscribed.tone,
        "read": "" if subscribed.fetched_at is None else formatting.ago(subscribed.fetched_at, now),
        "is_busy": subscribed.is_busy,
    }


def _problem_of_address(failure: Failure) -> Why:
    """Why an address cannot be added, and what the person can do about it."""
    match failure:
        case TooLarge() | ResponseTooLarge():
            return str(_TOO_LARGE_TO_ADD)
        case RemoteFailed() | RemoteSlow():
            return f"{explain(failure.quoted)} {_CHECK_ADDRESS}"
        case _:
            return failure.why


def _subscription_problem(subscribed: SubscribedCalendar) -> str:
    """An error of a subscription, and what its owner can do about it."""
    if subscribed.reason is None:
        return explain(subscribed.problem)
    if subscribed.health is FeedHealth.FILE:
        return str(_FILE_ADVICE)
    advice = _ADVICE[subscribed.reason]
    # The messages for file uploads do not fit a subscription.
    return str(advice) if subscribed.reason in COSTLY else f"{explain(subscribed.problem)} {advice}"


def _tone(text: str) -> int | None:
    """The colour chosen in a form. None leaves it unchanged."""
    return int(text) if text in set(map(str, range(TONES))) else None
