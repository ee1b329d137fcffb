"""Hosts' actions on a series, as JSON: plan and apply an edit, cancel, reinstate, pause, remove, delete, gather,
picture.
"""

from collections.abc import Sequence

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from groundwork.database.transaction import Transaction
from groundwork.errors import InvalidInput, PreconditionFailed
from groundwork.http.json_bodies import json_response, read_json
from openmeet.domain.events.edits import details_in
from openmeet.domain.events.model import EventSlug
from openmeet.domain.events.rules import check_reason
from openmeet.domain.series import (
    actions,
    agenda,
    apply_edits,
    cancel_dates,
    date_queries,
    existing_events,
    materialize,
)
from openmeet.domain.series import undo as series_undo
from openmeet.domain.series.dates import checked_name, original_text
from openmeet.domain.series.edits import plan_of, series_details_at
from openmeet.domain.series.model import EditScope, Series
from openmeet.domain.series.plan import EditPlan
from openmeet.domain.series.reasons import SeriesReason
from openmeet.i18n import formatting
from openmeet.recurrence.wall_time import instead_of
from openmeet.web.api.etags import IF_MATCH, etag_of, expected_revision
from openmeet.web.api.operations import ApiOperation, Parameter
from openmeet.web.media.uploads import PictureInput, check_alt, store_uploaded
from openmeet.web.series import json_views, parse
from openmeet.web.series.api import series_response
from openmeet.web.series.schemas import (
    Cancellation,
    DatesNamed,
    EditConsequences,
    EditDone,
    EditInput,
    EventAdded,
    ExtraDate,
    Reinstatement,
    Resumption,
    SeriesAfterEdit,
    SeriesOutput,
    StatusReason,
)
from openmeet.web.site.caller import caller_of
from openmeet.web.site.services import services
from openmeet.web.site.slugs import series_slug_of
from openmeet.web.site.tenant_routing import database_of

_FAILURES = (403, 404, 412, 422)
KEEP_EVENTS = Parameter("keepEvents", "true: upcoming dates stay as single events", shape=bool, is_required=True)


async def plan(request: Request) -> Response:
    body = await read_json(request, EditInput)
    async with database_of(request).transaction() as tx:
        series = await to_change(request, tx)
        edit_plan = await _edit_plan(tx, series, body)
        shown = await json_views.consequences(tx, series, edit_plan)
    return json_response(shown, headers=etag_of(series.revision))


async def edit(request: Request) -> Response:
    body = await read_json(request, EditInput)
    async with database_of(request).transaction() as tx:
        series = await to_change(request, tx)
        edit_plan = await _edit_plan(tx, series, body)
        # Counted before the change, because afterwards the old and new state are the same.
        consequences = await json_views.consequences(tx, series, edit_plan)
        after = await apply_edits.apply_plan(tx, series, edit_plan, notifies=not body.is_silent)
        shown = await json_views.series_output(tx, after, after.owner_id, services(request).settings.public_url)
    return json_response(EditDone(shown, consequences), headers=etag_of(after.revision))


async def cancel(request: Request) -> Response:
    body = await read_json(request, Cancellation)
    reason = check_reason(body.reason)
    async with database_of(request).transaction() as tx:
        series = await lock_own_series(request, tx)
        names = await requested_dates(tx, series, body.dates, body.from_date, body.to_date)
        if names is None:
            series, count = await cancel_dates.cancel(tx, series, reason, notifies=not body.is_silent)
            return await _changed(request, tx, series, count)
        count = await cancel_dates.cancel_dates(tx, series, names, reason, notifies=not body.is_silent)
        return await _changed(request, tx, series, count)


async def reinstate(request: Request) -> Response:
    body = await read_json(request, Reinstatement)
    async with database_of(request).transaction() as tx:
        series = await to_change(request, tx)
        names = await requested_dates(tx, series, body.dates, body.from_date, body.to_date)
        if names is None:
            series, count = await actions.resume(tx, series, notifies=not body.is_silent)
            return await _changed(request, tx, series, count)
        count = await cancel_dates.reinstate_dates(tx, series, names, notifies=not body.is_silent)
        return await _changed(request, tx, series, count)


async def pause(request: Request) -> Response:
    body = await read_json(request, StatusReason)
    reason = check_reason(body.reason)
    async with database_of(request).transaction() as tx:
        series = await actions.pause(tx, await lock_own_series(request, tx), reason, notifies=not body.is_silent)
        return await series_response(request, tx, series)


async def resume(request: Request) -> Response:
    body = await read_json(request, Resumption, is_optional=True)
    async with database_of(request).transaction() as tx:
        series, _ = await actions.resume(tx, await to_change(request, tx), notifies=not body.is_silent)
        return await series_response(request, tx, series)


async def remove(request: Request) -> Response:
    body = await read_json(request, DatesNamed)
    names = single_dates(body.dates)
    async with database_of(request).transaction() as tx:
        series = await cancel_dates.remove_dates(
            tx, await lock_own_series(request, tx), names, notifies=not body.is_silent
        )
        return await series_response(request, tx, series)


async def add_date(request: Request) -> Response:
    body = await read_json(request, ExtraDate)
    async with database_of(request).transaction() as tx:
        series = await to_change(request, tx)
        (at,) = parse.dates_in([body.starts_local], series.zone_name, "startsLocal")
        skipped = instead_of(at, series.zone_name)
        if skipped is not None:
            raise InvalidInput("startsLocal", SeriesReason.SKIPPED_TIME, instead=formatting.clock(skipped))
        await cancel_dates.add_date(tx, series, original_text(at), notifies=not body.is_silent)
        return await series_response(request, tx, await actions.reread(tx, series.id))


async def undo(request: Request) -> Response:
    async with database_of(request).transaction() as tx:
        series = await actions.lock_for_undo(
            tx, caller_of(request), series_slug_of(request), expected_revision=expected_revision(request)
        )
        return await series_response(request, tx, await series_undo.undo(tx, series))


async def add(request: Request) -> Response:
    body = await read_json(request, EventAdded)
    async with database_of(request).transaction() as tx:
        series = await to_change(request, tx)
        return await series_response(
            request, tx, await existing_events.add(tx, caller_of(request), series, EventSlug(body.event))
        )


async def delete(request: Request) -> Response:
    keep_events = request.query_params.get("keepEvents", "")
    if keep_events not in {"true", "false"}:
        raise InvalidInput("keepEvents", SeriesReason.KEEP_EVENTS_NEEDED)
    async with database_of(request).transaction() as tx:
        await actions.delete(tx, await lock_own_series(request, tx), keeps_events=keep_events == "true")
    return Response(status_code=204)


async def put_picture(request: Request) -> Response:
    caller = caller_of(request)
    body = await read_json(request, PictureInput)
    db = database_of(request)
    async with db.reader() as reader:
        # Check permission before the picture is re-encoded.
        await agenda.editable(reader, series_slug_of(request), caller.user_id)
    picture = await store_uploaded(request, caller.user_id, body.image, check_alt(body.alt))
    async with db.transaction() as tx:
        series = await apply_edits.set_picture(
            tx, caller, series_slug_of(request), picture, expected_revision=expected_revision(request)
        )
        return await series_response(request, tx, series)


async def remove_picture(request: Request) -> Response:
    async with database_of(request).transaction() as tx:
        series = await apply_edits.remove_picture(
            tx, caller_of(request), series_slug_of(request), expected_revision=expected_revision(request)
        )
        return await series_response(request, tx, series)


async def lock_own_series(request: Request, tx: Transaction) -> Series:
    """The series in the path, locked, for users who may remove dates from it."""
    return await actions.lock_managed(
        tx, caller_of(request), series_slug_of(request), expected_revision=expected_revision(request)
    )


async def to_change(request: Request, tx: Transaction) -> Series:
    """The series in the path, locked, for users who may change its content."""
    return await actions.lock_to_change(
        tx, caller_of(request), series_slug_of(request), expected_revision=expected_revision(request)
    )


async def _edit_plan(tx: Transaction, series: Series, body: EditInput) -> EditPlan:
    """The plan for the request, computed from the current state while the series is locked."""
    event = before = None
    name = None if body.original_date is None else checked_name(body.original_date)
    if name is not None:
        body = msgspec.structs.replace(body, original_date=name)
        event = await date_queries.date_of(tx, series.id, name)
        if event is None and EditScope(body.scope) is EditScope.THIS:
            event = await materialize.ensure_stored(tx, series, name)
        before = series_details_at(series, name) if event is None else details_in(event)
        _require_expected_revision(body, None if event is None else event.revision)
    elif EditScope(body.scope) is EditScope.ALL:
        # Changes to all dates are relative to the first date, unless another date was edited.
        before = series_details_at(series, original_text(series.timing.pattern.start))
    edit_wanted = parse.edit_of(body, before, event, series.timing.pattern)
    parse.check_moved(body, edit_wanted, before, tx.now)
    return plan_of(series, edit_wanted, await date_queries.stored(tx, series.id), tx.now)


def _require_expected_revision(body: EditInput, revision: int | None) -> None:
    if body.expected_date_revision is not None and body.expected_date_revision != revision:
        raise PreconditionFailed(SeriesReason.DATE_CHANGED_SINCE_OPENED)


async def requested_dates(
    tx: Transaction, series: Series, dates: Sequence[str] | None, first: str | None, last: str | None
) -> list[str] | None:
    """The dates that a request names. None means the whole series. A range includes dates that are not stored yet."""
    if dates is not None and (first is not None or last is not None):
        raise InvalidInput("dates", SeriesReason.DATES_OR_RANGE)
    if dates is not None:
        return single_dates(dates)
    if first is None and last is None:
        return None
    if first is None or last is None:
        raise InvalidInput("fromDate" if first is None else "toDate", SeriesReason.RANGE_INCOMPLETE)
    names = await agenda.names_between(tx, series, first, last)
    if not names:
        raise InvalidInput("fromDate", SeriesReason.RANGE_EMPTY)
    return names


def single_dates(names: Sequence[str]) -> list[str]:
    """The names of single dates, without duplicates. Raises InvalidInput."""
    if not names or len(names) > agenda.MAX_IN_RANGE:
        raise InvalidInput("dates", SeriesReason.DATES_OUT_OF_RANGE, most=agenda.MAX_IN_RANGE)
    return [checked_name(name) for name in dict.fromkeys(names)]


async def _changed(request: Request, tx: Transaction, series: Series, count: int) -> Response:
    series = await actions.reread(tx, series.id)
    shown = await json_views.series_output(tx, series, series.owner_id, services(request).settings.public_url)
    return json_response(SeriesAfterEdit(shown, count), headers=etag_of(series.revision))


OPERATIONS = (
    ApiOperation(
        "POST",
        "/api/series/{slug}/plan",
        "planSeriesEdit",
        "The effects of an edit, in numbers. Nothing is saved",
        plan,
        {200: EditConsequences},
        EditInput,
        (IF_MATCH,),
        failures=_FAILURES,
        changes_nothing=True,
    ),
    ApiOperation(
        "POST",
        "/api/series/{slug}/edit",
        "editSeries",
        "Edit one date, this and following ones, or all",
        edit,
        {200: EditDone},
        EditInput,
        (IF_MATCH,),
        failures=_FAILURES,
    ),
    ApiOperation(
        "POST",
        "/api/series/{slug}/cancel",
        "cancelSeries",
        "Cancel dates or the whole series. They stay visible as cancelled",
        cancel,
        {200: SeriesAfterEdit},
        Cancellation,
        (IF_MATCH,),
        failures=_FAILURES,
    ),
    ApiOperation(
        "POST",
        "/api/series/{slug}/reinstate",
        "reinstateSeries",
        "Reinstate cancelled dates or the whole series",
        reinstate,
        {200: SeriesAfterEdit},
        Reinstatement,
        (IF_MATCH,),
        failures=_FAILURES,
    ),
    ApiOperation(
        "POST",
        "/api/series/{slug}/pause",
        "pauseSeries",
        "Pause a series: no new dates until it is resumed",
        pause,
        {200: SeriesOutput},
        StatusReason,
        (IF_MATCH,),
        failures=_FAILURES,
    ),
    ApiOperation(
        "POST",
        "/api/series/{slug}/resume",
        "resumeSeries",
        "Resume a series after a pause or a cancellation",
        resume,
        {200: SeriesOutput},
        Resumption,
        (IF_MATCH,),
        failures=_FAILURES,
        body_is_optional=True,
    ),
    ApiOperation(
        "POST",
        "/api/series/{slug}/remove-dates",
        "removeSeriesDates",
        "Remove dates permanently",
        remove,
        {200: SeriesOutput},
        DatesNamed,
        (IF_MATCH,),
        failures=_FAILURES,
    ),
    ApiOperation(
        "POST",
        "/api/series/{slug}/dates",
        "addSeriesDate",
        "Add a date to those of the rule",
        add_date,
        {200: SeriesOutput},
        ExtraDate,
        (IF_MATCH,),
        failures=_FAILURES,
    ),
    ApiOperation(
        "POST",
        "/api/series/{slug}/undo",
        "undoSeries",
        "Undo the last change, within ten minutes. Returns the series that was changed",
        undo,
        {200: SeriesOutput},
        None,
        (IF_MATCH,),
        failures=_FAILURES,
    ),
    ApiOperation(
        "POST",
        "/api/series/{slug}/events",
        "addSeriesEvent",
        "Add your event to a series as a date",
        add,
        {200: SeriesOutput},
        EventAdded,
        (IF_MATCH,),
        failures=_FAILURES,
    ),
    ApiOperation(
        "DELETE",
        "/api/series/{slug}",
        "deleteSeries",
        "Delete the series. Its upcoming dates are deleted too, or stay as single events",
        delete,
        {204: None},
        None,
        (IF_MATCH, KEEP_EVENTS),
        failures=_FAILURES,
    ),
    ApiOperation(
        "PUT",
        "/api/series/{slug}/picture",
        "putSeriesPicture",
        "Set the picture of the series and of its upcoming dates that have no picture of their own",
        put_picture,
        {200: SeriesOutput},
        PictureInput,
        (IF_MATCH,),
        failures=_FAILURES,
        is_idempotent=True,
    ),
    ApiOperation(
        "DELETE",
        "/api/series/{slug}/picture",
        "removeSeriesPicture",
        "Remove the picture of the series",
        remove_picture,
        {200: SeriesOutput},
        None,
        (IF_MATCH,),
        failures=_FAILURES,
    ),
)
