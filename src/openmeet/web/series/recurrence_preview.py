"""Preview of a form's dates while somebody types. Rules are expanded in worker processes and counted per client,
because a rule can take a third of a second.
"""

from collections.abc import Mapping
from functools import partial
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.errors import InvalidForm, TooLarge, TooMany, Unavailable
from groundwork.http.forms import FormState
from groundwork.workers.pool import ChargedPool
from openmeet.domain.events import queries as event_queries
from openmeet.domain.events.model import Details, EventSlug
from openmeet.domain.series import queries
from openmeet.domain.series.model import SeriesSlug, Timing
from openmeet.domain.series.preview import summary_of
from openmeet.domain.series.reasons import SeriesReason
from openmeet.i18n.catalogue import current
from openmeet.recurrence.errors import RuleRefused
from openmeet.web.series import conflicts, recurrence_form
from openmeet.web.series.recurrence_form import RecurrenceFormState
from openmeet.web.site.caller import caller_or_none
from openmeet.web.site.layout import page
from openmeet.web.site.services import services
from openmeet.web.site.tenant_routing import database_of, workers_of, workers_of_anybody

NOT_SHOWN = SeriesReason.DATES_NOT_SHOWN
NOT_CHECKED = SeriesReason.DATES_NOT_CHECKED


async def form_state(request: Request, form: Mapping[str, str], *, may_skip: bool = True) -> RecurrenceFormState:
    """``recurrence_form.form_state``, without dates if no worker is free. Must not be called inside a transaction."""
    now = services(request).clock.now()
    if not form.get("repeats"):
        return recurrence_form.form_state(form, now, may_skip=may_skip)
    work = partial(recurrence_form.localized_form_state, current().tag, dict(form), now, may_skip=may_skip)
    try:
        return await _workers(request).run(work)
    except (TooMany, TooLarge, Unavailable):
        return recurrence_form.form_state(form, now, may_skip=may_skip, message=NOT_SHOWN)


async def timing_of(request: Request, form: Mapping[str, str], details: Details) -> Timing | None:
    """``recurrence_form.submitted_timing``, which also checks that the rule has dates. Raises InvalidForm. Must not be
    called inside a transaction.
    """
    timing = recurrence_form.submitted_timing(form, details)
    if timing is None:
        return None
    try:
        await _workers(request).run(partial(summary_of, timing, details.starts_at, 1))
    except RuleRefused as wrong:
        raise InvalidForm({"repeats": wrong.why}) from None
    except (TooMany, TooLarge, Unavailable):
        raise InvalidForm({"repeats": NOT_CHECKED}) from None
    return timing


PATH = "/recurrence/preview"


def routes() -> list[Route]:
    return [Route(PATH, show, methods=["GET"])]


def path_for(*, event: str = "", series: str = "") -> str:
    """The URL from which a form fetches its dates. ``event`` or ``series`` is the slug of the object that it edits."""
    about = {name: slug for name, slug in (("event", event), ("series", series)) if slug}
    return f"{PATH}?{urlencode(about)}" if about else PATH


async def show(request: Request) -> Response:
    """An HTML fragment: the recurrence part of a form with its next dates. The query contains the fields of the form.

    ``event`` or ``series`` in the query is the slug of the object that the form edits. That object is left out of the
    conflicts.
    """
    form = dict(request.query_params)
    # Dates of an existing series cannot be skipped. They are cancelled one by one, and attendees are notified.
    repeats = await form_state(request, form, may_skip=not form.get("series"))
    first = series_id = None
    if repeats.meaning is not None and (form.get("event") or form.get("series")):
        async with database_of(request).reader() as reader:
            first = await event_queries.by_slug(reader, EventSlug(form.get("event", "")))
            series = await queries.by_slug(reader, SeriesSlug(form.get("series", "")))
        series_id = None if series is None else series.id
    clashes = await conflicts.in_form(request, form, repeats.meaning, edited_series=series_id, first_event=first)
    context = {"typed": FormState(form), "repeats": repeats, "clashes": clashes, "action": "", "dates_from": ""}
    return page(request, "series/repeats.html", context)


def _workers(request: Request) -> ChargedPool:
    caller = caller_or_none(request)
    return workers_of_anybody(request) if caller is None else workers_of(request, caller.user_id)
