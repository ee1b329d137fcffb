"""Impact of an action on a series, as JSON: cancel, pause, remove dates, delete. Nothing is saved."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from groundwork.errors import InvalidInput
from groundwork.http.json_bodies import json_response, read_json
from openmeet.domain.events.rules import check_reason
from openmeet.domain.notifications import event_kinds
from openmeet.domain.series import date_queries, impact
from openmeet.domain.series.impact import SeriesImpact
from openmeet.domain.series.model import Series
from openmeet.domain.series.reasons import SeriesReason
from openmeet.web.api.etags import IF_MATCH, etag_of
from openmeet.web.api.operations import ApiOperation
from openmeet.web.series.hosting_api import KEEP_EVENTS, lock_own_series, requested_dates, single_dates
from openmeet.web.series.schemas import Cancellation, DatesNamed
from openmeet.web.site.tenant_routing import database_of

_FAILURES = (403, 404, 412, 422)


class ActionImpact(msgspec.Struct, rename="camel"):
    """The impact. ``dates`` is the number of affected dates, including dates that the request names but that are not
    stored yet.

    ``answers`` is the number of RSVPs to them, and ``singleChanges`` the number of dates that override the series.
    ``peopleTold`` are notified unless the host turns that off. ``peopleMailed`` of them get an e-mail, at once or in a
    digest.
    """

    dates: int
    answers: int
    single_changes: int
    people_told: int
    people_mailed: int
    revision: int


async def plan_cancellation(request: Request) -> Response:
    body = await read_json(request, Cancellation)
    check_reason(body.reason)
    async with database_of(request).transaction() as tx:
        series = await lock_own_series(request, tx)
        names = await requested_dates(tx, series, body.dates, body.from_date, body.to_date)
        occurrences = await (
            date_queries.coming(tx, series.id) if names is None else date_queries.named(tx, series.id, names)
        )
        upcoming = [one for one in occurrences if not one.event.is_cancelled]
        dates = None if names is None else len(names) - (len(occurrences) - len(upcoming))
        stores_dates = names is not None and len(names) > len(occurrences)
        effect = await impact.impact_of_action(
            tx, series, upcoming, event_kinds.EVENT_CANCELLED, dates=dates, stores_dates=stores_dates
        )
        return _impact_response(series, effect)


async def plan_pause(request: Request) -> Response:
    async with database_of(request).transaction() as tx:
        series = await lock_own_series(request, tx)
        return _impact_response(
            series,
            await impact.impact_of_action(
                tx, series, await date_queries.coming(tx, series.id), event_kinds.SERIES_PAUSED, dates=0
            ),
        )


async def plan_removal(request: Request) -> Response:
    body = await read_json(request, DatesNamed)
    names = single_dates(body.dates)
    async with database_of(request).transaction() as tx:
        series = await lock_own_series(request, tx)
        occurrences = await date_queries.named(tx, series.id, names)
        return _impact_response(
            series, await impact.impact_of_action(tx, series, occurrences, event_kinds.EVENT_DELETED, dates=len(names))
        )


async def plan_deletion(request: Request) -> Response:
    keep_events = request.query_params.get("keepEvents", "")
    if keep_events not in {"true", "false"}:
        raise InvalidInput("keepEvents", SeriesReason.KEEP_EVENTS_NEEDED)
    async with database_of(request).transaction() as tx:
        series = await lock_own_series(request, tx)
        if keep_events == "true":
            # Nobody is notified, because the dates with RSVPs still take place.
            return _impact_response(series, SeriesImpact(0, 0, 0, 0, 0))
        return _impact_response(
            series,
            await impact.impact_of_action(
                tx, series, await date_queries.coming(tx, series.id), event_kinds.EVENT_DELETED
            ),
        )


def _impact_response(series: Series, effect: SeriesImpact) -> Response:
    shown = ActionImpact(
        dates=effect.dates,
        answers=effect.rsvp_count,
        single_changes=effect.single_changes,
        people_told=effect.notified,
        people_mailed=effect.mailed,
        revision=series.revision,
    )
    return json_response(shown, headers=etag_of(series.revision))


OPERATIONS = (
    ApiOperation(
        "POST",
        "/api/series/{slug}/cancel/plan",
        "planSeriesCancellation",
        "The effects of a cancellation, in numbers. Nothing is saved",
        plan_cancellation,
        {200: ActionImpact},
        Cancellation,
        (IF_MATCH,),
        failures=_FAILURES,
        changes_nothing=True,
    ),
    ApiOperation(
        "POST",
        "/api/series/{slug}/pause/plan",
        "planSeriesPause",
        "The effects of a pause, in numbers. Nothing is saved",
        plan_pause,
        {200: ActionImpact},
        None,
        (IF_MATCH,),
        failures=_FAILURES,
        changes_nothing=True,
    ),
    ApiOperation(
        "POST",
        "/api/series/{slug}/remove-dates/plan",
        "planSeriesRemoval",
        "The effects of removing dates permanently, in numbers. Nothing is saved",
        plan_removal,
        {200: ActionImpact},
        DatesNamed,
        (IF_MATCH,),
        failures=_FAILURES,
        changes_nothing=True,
    ),
    ApiOperation(
        "POST",
        "/api/series/{slug}/delete/plan",
        "planSeriesDeletion",
        "The effects of deleting the series, in numbers. Nothing is saved",
        plan_deletion,
        {200: ActionImpact},
        None,
        (IF_MATCH, KEEP_EVENTS),
        failures=_FAILURES,
        changes_nothing=True,
    ),
)
