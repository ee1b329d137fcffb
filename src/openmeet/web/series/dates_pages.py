"""Single dates of a series, for its host: cancel, reinstate, remove, add. The page shows the consequences before
confirmation.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.clock import Instant
from groundwork.database.transaction import Reader, Transaction
from groundwork.errors import InvalidForm, InvalidInput, Refused
from groundwork.http.forms import EMPTY, FormState, form_with_problems, read_form
from openmeet.domain.events.rules import check_reason
from openmeet.domain.notifications import event_kinds
from openmeet.domain.page_paths import series_path
from openmeet.domain.series import actions, agenda, cancel_dates, date_queries, impact, record_settings
from openmeet.domain.series import undo as undoing
from openmeet.domain.series.agenda import AgendaOccurrence
from openmeet.domain.series.dates import checked_name, original_text
from openmeet.domain.series.model import Series
from openmeet.domain.series.reasons import SeriesReason
from openmeet.i18n import formatting
from openmeet.i18n.catalogue import gettext, ngettext
from openmeet.recurrence.wall_time import instead_of, local_of, parse_local
from openmeet.web.media.subject import subject_of_series
from openmeet.web.series import view as series_view
from openmeet.web.site.caller import caller_of
from openmeet.web.site.layout import go, page
from openmeet.web.site.reader_zone import zone_of_dates
from openmeet.web.site.slugs import series_slug_of
from openmeet.web.site.tenant_routing import database_of

# Maximum number of dates listed individually. A range can include later ones.
OFFERED = 30
# Dates beyond this number are collapsed.
_LISTED = 12

_DATE = "date_"


class DateAction(StrEnum):
    """What can be done with selected dates."""

    CANCEL = "cancel"
    REINSTATE = "reinstate"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class DateChoice:
    """One selectable date. ``answers`` is the attendance as text. ``chips`` are pairs of text and tone."""

    field: str
    name: str
    words: str
    answers: str
    chips: tuple[tuple[str, str], ...]
    path: str
    is_cancelled: bool


def routes() -> list[Route]:
    return [
        Route("/series/{slug}/manage", show, methods=["GET"]),
        Route("/series/{slug}/manage", change, methods=["POST"]),
        Route("/series/{slug}/extra-date", add, methods=["POST"]),
        Route("/series/{slug}/undo", undo, methods=["POST"]),
        Route("/series/{slug}/publish", publish, methods=["POST"]),
    ]


async def show(request: Request) -> Response:
    async with database_of(request).reader() as reader:
        return await _dates_page(request, reader, EMPTY)


async def change(request: Request) -> Response:
    """Show the consequences first, and carry out the action after confirmation."""
    form = await read_form(request)
    async with database_of(request).transaction() as tx:
        series = await actions.lock_managed(tx, caller_of(request), series_slug_of(request))
        try:
            action, names = await _action_and_dates(tx, series, form)
            reason = check_reason(form.get("reason", ""))
        except InvalidForm as wrong:
            return await _dates_page(request, tx, form_with_problems(form, wrong), status=400)
        # The dates in a range may have changed since they were shown.
        if not form.get("confirmed") or form.get("meant", _names_digest(names)) != _names_digest(names):
            return await _confirmation_page(request, tx, series, action, names, form)
        notifies = not form.get("is_silent")
        match action:
            case DateAction.CANCEL:
                await cancel_dates.cancel_dates(tx, series, names, reason, notifies=notifies)
            case DateAction.REINSTATE:
                await agenda.require_editable(tx, series, caller_of(request).user_id)
                await cancel_dates.reinstate_dates(tx, series, names, notifies=notifies)
            case DateAction.REMOVE:
                await cancel_dates.remove_dates(tx, series, names, notifies=notifies)
    return go(series_path(series.slug), flash=_FLASH[action])


async def add(request: Request) -> Response:
    form = await read_form(request)
    async with database_of(request).transaction() as tx:
        series = await actions.lock_to_change(tx, caller_of(request), series_slug_of(request))
        try:
            local = parse_local(form.get("extra", ""), "extra")
            skipped = instead_of(local, series.zone_name)
            if skipped is not None:
                raise InvalidInput("extra", SeriesReason.SKIPPED_TIME, instead=formatting.clock(skipped))  # noqa: TRY301  # said beside the field, as the others
            await cancel_dates.add_date(tx, series, original_text(local), notifies=not form.get("is_silent"))
        except (InvalidInput, Refused) as wrong:
            form_state = form_with_problems(form, InvalidForm({"extra": wrong.why}))
            return await _dates_page(request, tx, form_state, status=400)
    return go(series_path(series.slug), flash="date_added")


async def undo(request: Request) -> Response:
    async with database_of(request).transaction() as tx:
        series = await actions.lock_for_undo(tx, caller_of(request), series_slug_of(request))
        restored = await undoing.undo(tx, series)
    return go(series_path(restored.slug), flash="series_undone")


async def publish(request: Request) -> Response:
    """Approve co-hosts' changes, for the owner: publish them to the owner's repository."""
    async with database_of(request).transaction() as tx:
        series = await record_settings.approve_publication(tx, caller_of(request), series_slug_of(request))
    return go(series_path(series.slug), flash="series_agreed")


_FLASH = {
    DateAction.CANCEL: "dates_cancelled",
    DateAction.REINSTATE: "dates_reinstated",
    DateAction.REMOVE: "dates_removed",
}

_HEARD_AS = {
    DateAction.CANCEL: event_kinds.EVENT_CANCELLED,
    DateAction.REINSTATE: event_kinds.EVENT_REINSTATED,
    DateAction.REMOVE: event_kinds.EVENT_DELETED,
}


def _confirmation_words(action: DateAction, dates: int) -> tuple[str, str, str]:
    """Heading, consequence and button."""
    match action:
        case DateAction.CANCEL:
            return (
                ngettext("Cancel this date?", "Cancel these dates?", dates),
                ngettext(
                    "It stays visible, struck through, and you can bring it back.",
                    "They stay visible, struck through, and you can bring them back.",
                    dates,
                ),
                ngettext("Cancel the date", "Cancel the dates", dates),
            )
        case DateAction.REINSTATE:
            return (
                ngettext("Bring this date back?", "Bring these dates back?", dates),
                ngettext("It’ll take place as planned.", "They’ll take place as planned.", dates),
                ngettext("Bring the date back", "Bring the dates back", dates),
            )
        case DateAction.REMOVE:
            return (
                ngettext("Remove this date permanently?", "Remove these dates permanently?", dates),
                ngettext(
                    "Its page and answers are deleted, and the series skips this date from now on.",
                    "Their pages and answers are deleted, and the series skips these dates from now on.",
                    dates,
                ),
                ngettext("Remove the date", "Remove the dates", dates),
            )


async def _action_and_dates(tx: Transaction, series: Series, form: Mapping[str, str]) -> tuple[DateAction, list[str]]:
    """The action and the selected dates: the dates with a selected checkbox, and a range. Raises InvalidForm."""
    action = form.get("act", "")
    if action not in set(DateAction):
        raise InvalidForm({"dates": SeriesReason.ACTION_NEEDED})
    names = {checked_name(name.removeprefix(_DATE)) for name in form if name.startswith(_DATE)}
    first, last = form.get("first", ""), form.get("last", "")
    if bool(first) is not bool(last):
        raise InvalidForm({"last" if first else "first": SeriesReason.RANGE_INCOMPLETE})
    if first:
        try:
            names |= set(await agenda.names_between(tx, series, first, last))
        except InvalidInput as wrong:
            raise InvalidForm({"last": wrong.why}) from None
    if len(names) > agenda.MAX_IN_RANGE:
        why = SeriesReason.TOO_MANY_DATES_CHOSEN(most=agenda.MAX_IN_RANGE)
        raise InvalidForm({"last": why})
    if not names:
        raise InvalidForm({"dates": SeriesReason.DATES_NEEDED})
    return DateAction(action), sorted(names)


async def _confirmation_page(
    request: Request, tx: Transaction, series: Series, action: DateAction, names: list[str], form: Mapping[str, str]
) -> Response:
    heading, lead, button = _confirmation_words(action, len(names))
    stored = await date_queries.named(tx, series.id, names)
    # Only a cancellation stores the dates that are not stored yet.
    stores_dates = action is DateAction.CANCEL and len(names) > len(stored)
    effect = await impact.impact_of_action(tx, series, stored, _HEARD_AS[action], stores_dates=stores_dates)
    # For a range, the form contains only the two ends, because a list of its dates could exceed the number of form
    # fields.
    fields = {name: "yes" for name in form if name.startswith(_DATE)}
    fields |= {name: form[name] for name in ("first", "last") if form.get(name)}
    context = {
        "series": series,
        "address": series_path(series.slug),
        "act": action.value,
        "heading": heading,
        "lead": lead,
        "button": button,
        "fields": fields | {"meant": _names_digest(names)},
        "dates": [_occurrence_label(name) for name in names],
        "listed": _LISTED,
        "notified": effect.notified,
        "answers": effect.rsvp_count,
        "asks_reason": action is DateAction.CANCEL,
        "typed": FormState(dict(form)),
    }
    return page(request, "series/confirm_dates.html", context)


def _names_digest(names: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]


async def _dates_page(request: Request, reader: Reader, form_state: FormState, *, status: int = 200) -> Response:
    series = await agenda.find_for_host(reader, series_slug_of(request), caller_of(request).user_id)
    lines = await agenda.coming(reader, series, series.owner_id, limit=OFFERED)
    context = {
        "series": series,
        "address": series_path(series.slug),
        "subject": subject_of_series(series),
        "offered": [_offered(series, line, reader.now) for line in lines],
        "typed": form_state,
        "dates_zone": zone_of_dates(series.zone_name, reader.now),
    }
    return page(request, "series/manage.html", context, status=status)


def _offered(series: Series, line: AgendaOccurrence, now: Instant) -> DateChoice:
    starts = local_of(line.details.starts_at, line.details.time_zone)
    is_this_year = starts.year == local_of(now, line.details.time_zone).year
    day = formatting.short_day(starts) if is_this_year else formatting.short_date(starts)
    words = formatting.day_and_time(day, starts)
    return DateChoice(
        field=f"{_DATE}{line.original_date}",
        name=line.original_date,
        words=words,
        answers=_answers_label(line),
        chips=tuple(_difference_chips(line)),
        path=f"{series_path(series.slug)}/dates/{quote(line.original_date)}",
        is_cancelled=line.is_cancelled,
    )


def _answers_label(line: AgendaOccurrence) -> str:
    """``8 of 8 going, 2 waiting``, or ``Nobody yet, 8 places``."""
    counts, places = line.counts, line.details.content.capacity
    if counts.going and places is not None:
        parts = [gettext("%(number)s of %(places)s going", number=counts.going, places=places)]
    elif counts.going:
        parts = [ngettext("%(number)s going", "%(number)s going", counts.going)]
    else:
        parts = [gettext("Nobody yet")]
        if places is not None:
            parts.append(ngettext("%(number)s place", "%(number)s places", places))
    if counts.waiting:
        parts.append(gettext("%(number)s waiting", number=counts.waiting))
    if counts.pending_people:
        parts.append(ngettext("%(number)s to decide", "%(number)s to decide", counts.pending_people))
    if counts.interested:
        parts.append(ngettext("%(number)s maybe", "%(number)s maybe", counts.interested))
    return ", ".join(parts)


def _difference_chips(line: AgendaOccurrence) -> list[tuple[str, str]]:
    """How the date differs from the other dates."""
    chips = []
    if line.is_cancelled:
        chips.append((gettext("Cancelled"), "warn"))
    if line.event is not None and line.event.is_draft:
        chips.append((gettext("Draft"), "warn"))
    if (
        line.details.content.capacity is not None
        and line.counts.seats >= line.details.content.capacity
        and not line.is_cancelled
    ):
        chips.append((gettext("Full"), "plain"))
    return [*chips, *series_view.difference_chips(line)]


def _occurrence_label(name: str) -> str:
    at = parse_local(name, "date")
    return formatting.day_and_time(formatting.short_date(at), at)
