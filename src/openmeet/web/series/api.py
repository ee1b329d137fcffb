"""Series, as JSON: create, read and preview a series, its dates, and RSVPs to and followers of all dates."""

import re
from functools import partial
from typing import Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from groundwork.clock import Instant
from groundwork.database.transaction import Transaction
from groundwork.errors import InvalidInput, NotFound
from groundwork.http.application import client_network
from groundwork.http.json_bodies import json_response, read_json
from groundwork.rate_limit.contract import Limit, spend
from openmeet.domain.attendance.model import ChangeChannel, RsvpReply
from openmeet.domain.events.edits import details_in
from openmeet.domain.events.group_of_event import group_for
from openmeet.domain.events.model import Event
from openmeet.domain.paging import packed, unpacked
from openmeet.domain.series import actions, agenda, existing_events, queries, standing_rsvps
from openmeet.domain.series.dates import checked_name
from openmeet.domain.series.model import OPENED_AHEAD_YEARS, WINDOW, PublishPolicy, Series, Timing
from openmeet.domain.series.preview import summary_of
from openmeet.domain.series.reasons import SeriesReason
from openmeet.domain.slugs import LinkKind
from openmeet.i18n.formatting import iso
from openmeet.i18n.reasons.messages import explain
from openmeet.recurrence.errors import RuleRefused
from openmeet.recurrence.pattern import parse_date
from openmeet.recurrence.wall_time import instant_of
from openmeet.web.api.etags import etag_of
from openmeet.web.api.operations import ApiOperation, Parameter
from openmeet.web.api.pagination import CURSOR, LIMIT, limit_of, paging
from openmeet.web.events import new_links
from openmeet.web.series import json_views, parse
from openmeet.web.series.create import check_timing
from openmeet.web.series.schemas import (
    AnswerAll,
    AnswerOutcome,
    AnswersOutput,
    DateList,
    DateOutput,
    FollowInput,
    FollowOutput,
    RulePreview,
    SeriesFromEvent,
    SeriesInput,
    SeriesList,
    SeriesOutput,
    TimingInput,
)
from openmeet.web.site.caller import caller_of, viewer_of
from openmeet.web.site.services import services
from openmeet.web.site.slugs import event_slug_of, series_slug_of
from openmeet.web.site.tenant_routing import database_of, workers_of_anybody

DEFAULT_DATES: Final = 30
MAX_DATES: Final = 200
PREVIEWED: Final = 10

_FROM = Parameter(
    "from",
    "Start of the window: an instant, or a wall-clock time in the series’ zone. Now by default. Ignored if there "
    "is a cursor",
)
_TO = Parameter("to", "End of the window (exclusive). Without it, only the limit applies")
_LIMIT = Parameter("limit", f"Dates per page, 1 to {MAX_DATES}", shape=int)

# The instant of the next date, and the number of dates with that instant on earlier pages.
_CURSOR_FORM = re.compile(r"([0-9]{1,18})\.([0-9]{1,3})")


async def create(request: Request) -> Response:
    caller = caller_of(request)
    body = await read_json(request, SeriesInput)
    first, timing = parse.whole_of(body)
    checked_timing = await check_timing(request, timing)
    async with database_of(request).transaction() as tx:
        group = await group_for(tx, body.group or "", caller.user_id)
        series = await actions.create(
            tx,
            caller,
            first.content,
            timing,
            policy=PublishPolicy(body.publish),
            group=group,
            ahead=checked_timing.ahead,
        )
        return await series_response(request, tx, series, status=201)


async def create_from_event(request: Request) -> Response:
    caller = caller_of(request)
    body = await read_json(request, SeriesFromEvent)

    def repeating(event: Event) -> Timing:
        return parse.timing_of(details_in(event), body.recurrence, body.rdates, body.exdates)

    async with database_of(request).transaction() as tx:
        slug = event_slug_of(request)
        series = await existing_events.start_series_with(
            tx, caller, slug, repeating, policy=PublishPolicy(body.publish)
        )
        return await series_response(request, tx, series, status=201)


async def preview(request: Request) -> Response:
    await _spend_on_preview(request)
    body = await read_json(request, TimingInput)
    _, timing = parse.whole_of(parse.untitled_series(body))
    # Anyone can call this, and a rule with many times per day takes a third of a second.
    explained = partial(summary_of, timing, services(request).clock.now(), PREVIEWED)
    meaning = await workers_of_anybody(request).run(explained)
    return json_response(json_views.preview_of(timing, meaning))


async def list_own(request: Request) -> Response:
    caller, page = caller_of(request), paging(request)
    url = services(request).settings.public_url
    async with database_of(request).reader() as reader:
        own_series, cursor = page.cut(
            await queries.of_owner(reader, caller.user_id, page), lambda one: (one.created_at, one.id)
        )
        shown = [await json_views.series_output(reader, one, caller.user_id, url) for one in own_series]
    return json_response(SeriesList(shown, cursor))


async def read(request: Request) -> Response:
    viewer = viewer_of(request)
    async with database_of(request).reader() as reader:
        await new_links.raise_if_replaced(reader, LinkKind.SERIES, series_slug_of(request))
        series = await agenda.visible(reader, series_slug_of(request), viewer)
        shown = await json_views.series_output(reader, series, viewer, services(request).settings.public_url)
    return json_response(shown, headers=etag_of(series.revision))


async def list_dates(request: Request) -> Response:
    viewer = viewer_of(request)
    limit = limit_of(request, DEFAULT_DATES, MAX_DATES)
    url = services(request).settings.public_url
    async with database_of(request).reader() as reader:
        series = await agenda.visible(reader, series_slug_of(request), viewer)
        start, past_dates = _begin(request, series, reader.now)
        end = _instant_parameter(request, "to", series, Instant(start + 100 * 6 * WINDOW))
        occurrences = await agenda.between(reader, series, viewer, start, end, limit=past_dates + limit + 1)
        shown_before = sum(line.details.starts_at == start for line in occurrences[:past_dates])
        page = occurrences[shown_before : shown_before + limit]
        dates = [json_views.date_shown(series.slug, line, reader.now, url) for line in page]
    if len(occurrences) <= shown_before + limit:
        return json_response(DateList(dates, None, None))
    following = occurrences[shown_before + limit].details.starts_at
    of_its_instant = sum(line.details.starts_at == following for line in occurrences[: shown_before + limit])
    return json_response(DateList(dates, iso(following), packed(f"{following}.{of_its_instant}")))


async def open_date(request: Request) -> Response:
    viewer = viewer_of(request)
    name = checked_name(request.path_params["originalDate"])
    async with database_of(request).transaction() as tx:
        event = await actions.open_date(tx, series_slug_of(request), name, viewer=viewer)
        if event.is_gone:
            raise NotFound(SeriesReason.DATE_REMOVED)
        line = await agenda.occurrence_of(tx, event, viewer)
        shown = json_views.date_shown(series_slug_of(request), line, tx.now, services(request).settings.public_url)
    return json_response(shown)


async def follow(request: Request) -> Response:
    caller = caller_of(request)
    body = await read_json(request, FollowInput)
    async with database_of(request).transaction() as tx:
        await actions.follow(tx, caller, series_slug_of(request), notifies=body.notifies)
    return json_response(FollowOutput(is_following=True, notifies=body.notifies))


async def unfollow(request: Request) -> Response:
    async with database_of(request).transaction() as tx:
        await actions.unfollow(tx, caller_of(request), series_slug_of(request))
    return Response(status_code=204)


async def answer_all(request: Request) -> Response:
    caller = caller_of(request)
    body = await read_json(request, AnswerAll)
    async with database_of(request).transaction() as tx:
        outcomes = await standing_rsvps.answer_all(
            tx,
            caller,
            series_slug_of(request),
            RsvpReply(body.reply),
            skips_limited=body.skip_limited,
            through=ChangeChannel.API,
        )
    return json_response(
        AnswersOutput(
            [
                AnswerOutcome(
                    original_date=one.event.position_in_series.original_date if one.event.position_in_series else "",
                    slug=one.event.slug,
                    status=one.status,
                    refused=one.refused or None,
                    why=explain(one.why) or None,
                )
                for one in outcomes
            ]
        )
    )


async def series_response(request: Request, tx: Transaction, series: Series, *, status: int = 200) -> Response:
    """Respond with the series as its host sees it and its ETag."""
    shown = await json_views.series_output(
        tx, series, caller_of(request).user_id, services(request).settings.public_url
    )
    headers = {**etag_of(series.revision), "location": f"/api/series/{quote(series.slug)}"}
    return json_response(shown, status, headers)


def _begin(request: Request, series: Series, now: Instant) -> tuple[Instant, int]:
    """Parse the cursor: the instant at which the page begins, and how many dates of that instant were already shown."""
    cursor = request.query_params.get("cursor", "")
    if not cursor:
        return _instant_parameter(request, "from", series, now), 0
    match = unpacked(_CURSOR_FORM, cursor)
    return Instant(int(match[1])), int(match[2])


def _instant_parameter(request: Request, name: str, series: Series, default: Instant) -> Instant:
    text = request.query_params.get(name, "")
    if not text:
        return default
    try:
        return instant_of(parse_date(text, series.zone_name), series.zone_name)
    except RuleRefused as wrong:
        raise InvalidInput(name, wrong.why) from None


OPERATIONS = (
    ApiOperation(
        "GET",
        "/api/series",
        "listSeries",
        "Your own series, newest first",
        list_own,
        {200: SeriesList},
        parameters=(CURSOR, LIMIT),
    ),
    ApiOperation(
        "POST",
        "/api/series",
        "createSeries",
        "Create a series. Its nearest dates become events",
        create,
        {201: SeriesOutput},
        SeriesInput,
        failures=(403, 404, 422),
    ),
    ApiOperation(
        "POST",
        "/api/series/preview",
        "previewSeries",
        "Preview a recurrence rule: its next dates, a sentence, and dates that do not exist. Stores nothing",
        preview,
        {200: RulePreview},
        TimingInput,
        needs_session=False,
        changes_nothing=True,
    ),
    ApiOperation(
        "GET",
        "/api/series/{slug}",
        "getSeries",
        "One series",
        read,
        {200: SeriesOutput},
        needs_session=False,
        failures=(404,),
    ),
    ApiOperation(
        "GET",
        "/api/series/{slug}/dates",
        "listSeriesDates",
        "Dates of a series in a time window, both stored and computed from the rule",
        list_dates,
        {200: DateList},
        parameters=(_FROM, _TO, CURSOR, _LIMIT),
        needs_session=False,
        failures=(404,),
    ),
    ApiOperation(
        "POST",
        "/api/series/{slug}/dates/{originalDate}",
        "openSeriesDate",
        f"The event of a date, stored if it was only computed. At most {OPENED_AHEAD_YEARS} years ahead (else "
        "``TooFarAhead``)",
        open_date,
        {200: DateOutput},
        needs_session=False,
        failures=(404,),
    ),
    ApiOperation(
        "PUT",
        "/api/series/{slug}/follow",
        "followSeries",
        "Follow a series, with or without notifications about new, moved and cancelled dates",
        follow,
        {200: FollowOutput},
        FollowInput,
        failures=(404, 422),
    ),
    ApiOperation("DELETE", "/api/series/{slug}/follow", "unfollowSeries", "Unfollow a series", unfollow, {204: None}),
    ApiOperation(
        "PUT",
        "/api/series/{slug}/answer",
        "answerSeries",
        "Answer every upcoming date. Returns the result for each date",
        answer_all,
        {200: AnswersOutput},
        AnswerAll,
        failures=(404, 422),
    ),
    ApiOperation(
        "POST",
        "/api/events/{slug}/series",
        "repeatEvent",
        "Make your event the first date of a new series",
        create_from_event,
        {201: SeriesOutput},
        SeriesFromEvent,
        failures=(403, 404, 422),
    ),
)


# Previews are the only expensive computation that anonymous clients can request. A form requests them while somebody
# types, at most twice a second. One response costs up to a hundred times as much as a page view.
_PREVIEW_WINDOW_SECONDS: Final = 60
_PREVIEW_SHARE: Final = 5


async def _spend_on_preview(request: Request) -> None:
    """Count one preview of this address. Raises TooMany with the time after which to retry."""
    site = services(request)
    points = site.settings.api_requests_per_minute
    # In development all clients share one address. If the API has no limit, previews have none either.
    if site.settings.is_unlimited or not points:
        return
    limit = Limit("series_previews", max(1, points // _PREVIEW_SHARE), _PREVIEW_WINDOW_SECONDS)
    await spend(site.counters, [(limit, client_network(request))], now=site.clock.now())
