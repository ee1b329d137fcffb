"""Expand a form's rule in worker processes, counted per client, because a rule may take a third of a second."""

from collections.abc import Mapping
from functools import partial

from starlette.requests import Request

from groundwork.clock import Instant
from groundwork.errors import InvalidForm, TooLarge, TooMany, Unavailable
from groundwork.workers.pool import ChargedPool
from openmeet.domain.events.model import Details
from openmeet.domain.series.model import Timing
from openmeet.domain.series.preview import summary_of
from openmeet.domain.series.reasons import SeriesReason
from openmeet.i18n.catalogue import current, speaking
from openmeet.recurrence.errors import RuleRefused
from openmeet.web.series import recurrence_form
from openmeet.web.series.recurrence_form import RecurrenceFormState
from openmeet.web.site.caller import caller_or_none
from openmeet.web.site.services import services
from openmeet.web.site.tenant_routing import workers_of, workers_of_anybody

NOT_SHOWN = SeriesReason.DATES_NOT_SHOWN
NOT_CHECKED = SeriesReason.DATES_NOT_CHECKED


async def asked(request: Request, typed: Mapping[str, str]) -> RecurrenceFormState:
    """``recurrence_form.asked``; without dates if no worker is free. Must not be called inside a transaction."""
    now = services(request).clock.now()
    if not typed.get("repeats"):
        return recurrence_form.asked(typed, now)
    try:
        return await _workers(request).run(partial(_asked, current().tag, dict(typed), now))
    except (TooMany, TooLarge, Unavailable):
        return recurrence_form.asked(typed, now, instead=NOT_SHOWN)


def _asked(language: str, typed: Mapping[str, str], now: Instant) -> RecurrenceFormState:
    """In a worker, which does not know the language of the request."""
    with speaking(language):
        return recurrence_form.asked(typed, now)


async def timing_of(request: Request, typed: Mapping[str, str], details: Details) -> Timing | None:
    """``recurrence_form.timing_typed`` for a rule with dates. Raises InvalidForm. Must not be called inside a
    transaction.
    """
    timing = recurrence_form.timing_typed(typed, details)
    if timing is None:
        return None
    try:
        await _workers(request).run(partial(summary_of, timing, details.starts_at, 1))
    except RuleRefused as wrong:
        raise InvalidForm({"repeats": wrong.why}) from None
    except (TooMany, TooLarge, Unavailable):
        raise InvalidForm({"repeats": NOT_CHECKED}) from None
    return timing


def _workers(request: Request) -> ChargedPool:
    caller = caller_or_none(request)
    return workers_of_anybody(request) if caller is None else workers_of(request, caller.user_id)
