"""Create a series from an event form with a recurrence."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from groundwork.database.transaction import Transaction
from groundwork.errors import InvalidForm
from openmeet.domain.attendance import registration
from openmeet.domain.events import co_hosts, drafts
from openmeet.domain.events.group_of_event import group_for
from openmeet.domain.events.model import MAX_KEY, Details, Event, EventId
from openmeet.domain.page_paths import series_path
from openmeet.domain.series import actions, date_queries, materialize
from openmeet.domain.series.model import Timing
from openmeet.domain.series.reasons import SeriesReason
from openmeet.domain.users.model import Caller
from openmeet.recurrence.expansion import Occurrence
from openmeet.web.events import form_summaries
from openmeet.web.events.flash import flash_of_series
from openmeet.web.site.caller import caller_of
from openmeet.web.site.layout import go
from openmeet.web.site.services import services
from openmeet.web.site.tenant_routing import database_of


@dataclass(frozen=True, slots=True)
class StartedSeries:
    """A series created from a draft: its page, the flash message, and its first date."""

    path: str
    flash: str
    first: EventId


@dataclass(frozen=True, slots=True)
class CheckedTiming:
    """A timing with its first dates, which are computed before a transaction is opened."""

    timing: Timing
    ahead: Sequence[Occurrence]


async def check_timing(request: Request, timing: Timing) -> CheckedTiming:
    """Compute the first dates in a thread. Raises RuleRefused if the rule has no dates."""
    now = services(request).clock.now()
    return CheckedTiming(timing, await asyncio.to_thread(materialize.first_dates, timing, now))


async def create_series(request: Request, form: Mapping[str, str], details: Details, timing: Timing) -> Response:
    """Create the series. One form creates one series, however often it is submitted. Raises SeriesAlreadyCreated if it
    was submitted before with different content.
    """
    checked_timing = await check_timing(request, timing)
    async with database_of(request).transaction() as tx:
        key = form.get("submission", "")[:MAX_KEY] or None
        caller = caller_of(request)
        group = await group_for(tx, form.get("group", ""), caller.user_id)
        original = await drafts.original_of(tx, form.get("copy_of", ""), caller)
        content = drafts.with_untyped_fields(details, original).content
        series = await actions.create(
            tx, caller, content, timing, submission_key=key, group=group, ahead=checked_timing.ahead
        )
        await registration.initialize(tx, original, series.id, form_summaries.approval_in(form))
    flash = flash_of_series(series.visibility, is_hidden=series.is_hidden) if series.revision == 1 else "made_before"
    return go(series_path(series.slug), flash=flash)


async def of_draft(
    tx: Transaction, caller: Caller, draft: Event, details: Details, checked_timing: CheckedTiming
) -> StartedSeries:
    """Turn a locked draft into a series in its group, with its picture, links and registration settings."""
    content = drafts.with_untyped_fields(details, draft).content
    series = await actions.create(
        tx, caller, content, checked_timing.timing, group=draft.group, ahead=checked_timing.ahead
    )
    await registration.copy_from_event(tx, draft, series.id)
    await drafts.drop(tx, draft)
    first = await date_queries.any_date(tx, series.id)
    if first is None:
        raise InvalidForm({"repeats": SeriesReason.FIRST_DATE_TOO_FAR_AHEAD})
    await co_hosts.move_to_dates(tx, draft, [one.event for one in await date_queries.stored(tx, series.id)])
    flash = flash_of_series(series.visibility, is_hidden=series.is_hidden)
    return StartedSeries(series_path(series.slug), flash, first)
