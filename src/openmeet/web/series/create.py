"""Create a series from an event form with a recurrence."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from groundwork.database.transaction import Transaction
from groundwork.errors import InvalidForm
from openmeet.domain.attendance import registration
from openmeet.domain.events import copy, drafts
from openmeet.domain.events.group_events import group_for
from openmeet.domain.events.model import MAX_KEY, Details, Event, EventId
from openmeet.domain.series import actions, date_queries
from openmeet.domain.series.dates import template_in
from openmeet.domain.series.model import Timing
from openmeet.domain.users.model import Caller
from openmeet.web.events.flash import said_of_series
from openmeet.web.site.caller import caller_of
from openmeet.web.site.layout import go
from openmeet.web.site.tenant_routing import database_of


@dataclass(frozen=True, slots=True)
class StartedSeries:
    """The series made from a draft: its page, the flash message, and its first date."""

    path: str
    said: str
    first: EventId


async def make(request: Request, typed: Mapping[str, str], details: Details, timing: Timing) -> Response:
    """One form makes one series, however often it is submitted. Raises AlreadyMade if its content has changed."""
    async with database_of(request).transaction() as tx:
        key = typed.get("submission", "")[:MAX_KEY] or None
        caller = caller_of(request)
        group = await group_for(tx, typed.get("group", ""), caller.user_id)
        original = await copy.original_of(tx, typed.get("copy_of", ""), caller)
        template = template_in(copy.with_what_nobody_types(details, original))
        series = await actions.create(tx, caller, template, timing, submission_key=key, group=group)
        if original is not None:
            await registration.copy_of_event(tx, original, series.id)
    said = said_of_series(series.visibility, is_hidden=series.is_hidden) if series.revision == 1 else "made_before"
    return go(f"/series/{quote(series.slug)}", said=said)


async def of_draft(tx: Transaction, caller: Caller, draft: Event, details: Details, timing: Timing) -> StartedSeries:
    """Turn a locked draft into a series in its group, with picture, links and registration settings. Raises
    RuleRefused.
    """
    template = template_in(copy.with_what_nobody_types(details, draft))
    series = await actions.create(tx, caller, template, timing, group=draft.group)
    await registration.copy_of_event(tx, draft, series.id)
    await drafts.drop(tx, draft)
    first = await date_queries.any_date(tx, series.id)
    if first is None:
        raise InvalidForm({"repeats": "No date of it can be stored yet. Choose an earlier start."})
    said = said_of_series(series.visibility, is_hidden=series.is_hidden)
    return StartedSeries(f"/series/{quote(series.slug)}", said, first)
