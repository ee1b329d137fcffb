"""Actions on a series' page: follow, RSVP to all dates. For its host also: cancel, pause, resume, delete, picture."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.clock import Instant
from groundwork.errors import InvalidForm
from groundwork.http.forms import EMPTY, FormState, form_with_problems, local_path, read_form
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.covers.model import cover_for
from openmeet.domain.events.rules import check_reason
from openmeet.domain.notifications import event_kinds
from openmeet.domain.page_paths import series_path
from openmeet.domain.series import actions, agenda, apply_edits, cancel_dates, date_queries, impact, standing_rsvps
from openmeet.domain.series.agenda import AgendaOccurrence
from openmeet.domain.series.dates import checked_name
from openmeet.domain.series.model import Series
from openmeet.domain.series.reasons import SeriesReason
from openmeet.i18n import formatting
from openmeet.recurrence.wall_time import local_of
from openmeet.web.media.subject import subject_of_series
from openmeet.web.media.uploads import form_of, save_sent
from openmeet.web.site.caller import caller_of
from openmeet.web.site.layout import go, page
from openmeet.web.site.reader_zone import zone_of_dates
from openmeet.web.site.slugs import series_slug_of
from openmeet.web.site.tenant_routing import database_of

# Maximum number of dates listed individually on the cancellation page.
OFFERED = 20

_DATE = "date_"


def routes() -> list[Route]:
    return [
        Route("/series/{slug}/follow", follow, methods=["POST"]),
        Route("/series/{slug}/answer", answer_all, methods=["POST"]),
        Route("/series/{slug}/new-times", confirm_new_times, methods=["POST"]),
        Route("/series/{slug}/cancel", show_cancel, methods=["GET"]),
        Route("/series/{slug}/cancel", cancel, methods=["POST"]),
        Route("/series/{slug}/pause", show_pause, methods=["GET"]),
        Route("/series/{slug}/pause", pause, methods=["POST"]),
        Route("/series/{slug}/resume", resume, methods=["POST"]),
        Route("/series/{slug}/delete", show_delete, methods=["GET"]),
        Route("/series/{slug}/delete", delete, methods=["POST"]),
        Route("/series/{slug}/picture", show_picture, methods=["GET"]),
        Route("/series/{slug}/picture", save_picture, methods=["POST"]),
        Route("/series/{slug}/picture/remove", remove_picture, methods=["POST"]),
    ]


async def follow(request: Request) -> Response:
    """Follow with or without notifications, or unfollow."""
    caller, slug = caller_of(request), series_slug_of(request)
    choice = (await read_form(request)).get("follow", "yes")
    async with database_of(request).transaction() as tx:
        if choice == "no":
            await actions.unfollow(tx, caller, slug)
        else:
            await actions.follow(tx, caller, slug, notifies=choice != "silent")
    flash = {"no": "unfollowed", "silent": "follow_silent"}.get(choice, "followed")
    return go(series_path(slug), flash=flash)


async def answer_all(request: Request) -> Response:
    """RSVP to all coming and new dates, or stop, also by declining them. Dates with limited capacity are included only if
    their checkbox is selected.
    """
    caller, slug = caller_of(request), series_slug_of(request)
    form = await read_form(request)
    async with database_of(request).transaction() as tx:
        if form.get("reply") in {"stop", "withdraw"}:
            declines = form["reply"] == "withdraw"
            await standing_rsvps.stop(tx, caller, slug, declines=declines)
            return go(series_path(slug), flash="not_going_to_any" if declines else "not_going_to_later")
        with_limited = bool(form.get("with_limited"))
        await standing_rsvps.answer_all(tx, caller, slug, RsvpReply.GOING, skips_limited=not with_limited)
        series = await agenda.visible(tx, slug, caller.user_id)
        own_dates = (await date_queries.of_series(tx, [series.id], caller.user_id))[series.id]
    return go(series_path(slug), flash="dates_answered", numbers=(own_dates.going, own_dates.dates))


async def confirm_new_times(request: Request) -> Response:
    """Confirm the new times of all moved dates that the person answered. ``next`` is the page that asked."""
    caller, slug = caller_of(request), series_slug_of(request)
    form = await read_form(request)
    async with database_of(request).transaction() as tx:
        confirmed = await standing_rsvps.confirm_new_times(tx, caller, slug)
    back = local_path(form.get("next", ""), series_path(slug))
    return go(back, flash="new_times_confirmed", numbers=(confirmed,))


async def show_cancel(request: Request) -> Response:
    return await _ask_cancel(request, FormState({"which": "some"}))


async def cancel(request: Request) -> Response:
    form = await read_form(request)
    names = [checked_name(name.removeprefix(_DATE)) for name in form if name.startswith(_DATE)]
    is_all = form.get("which") == "all"
    if not is_all and not names:
        nothing = InvalidForm({"which": SeriesReason.SCOPE_NEEDED})
        return await _ask_cancel(request, form_with_problems(form, nothing), status=400)
    try:
        reason = check_reason(form.get("reason", ""))
    except InvalidForm as wrong:
        return await _ask_cancel(request, form_with_problems(form, wrong), status=400)
    async with database_of(request).transaction() as tx:
        series = await actions.lock_managed(tx, caller_of(request), series_slug_of(request))
        notifies = not form.get("is_silent")
        if is_all:
            await cancel_dates.cancel(tx, series, reason, notifies=notifies)
        else:
            await cancel_dates.cancel_dates(tx, series, names, reason, notifies=notifies)
    return go(series_path(series.slug), flash="series_cancelled" if is_all else "dates_cancelled")


async def show_pause(request: Request) -> Response:
    series = await _own_series(request)
    return page(request, "series/pause.html", {"series": series, "address": series_path(series.slug), "typed": EMPTY})


async def pause(request: Request) -> Response:
    form = await read_form(request)
    try:
        reason = check_reason(form.get("reason", ""))
    except InvalidForm as wrong:
        series = await _own_series(request)
        context = {"series": series, "address": series_path(series.slug), "typed": form_with_problems(form, wrong)}
        return page(request, "series/pause.html", context, status=400)
    async with database_of(request).transaction() as tx:
        series = await actions.lock_managed(tx, caller_of(request), series_slug_of(request))
        await actions.pause(tx, series, reason, notifies=not form.get("is_silent"))
    return go(series_path(series.slug), flash="series_paused")


async def resume(request: Request) -> Response:
    form = await read_form(request)
    async with database_of(request).transaction() as tx:
        series = await actions.lock_to_change(tx, caller_of(request), series_slug_of(request))
        await actions.resume(tx, series, notifies=not form.get("is_silent"))
    return go(series_path(series.slug), flash="series_resumed")


async def show_delete(request: Request) -> Response:
    return await _ask_delete(request, EMPTY)


async def delete(request: Request) -> Response:
    dates_choice = (await read_form(request)).get("dates", "")
    if dates_choice not in {"keep", "delete"}:
        problem = InvalidForm({"dates": SeriesReason.FATE_OF_DATES_NEEDED})
        return await _ask_delete(request, form_with_problems({}, problem), status=400)
    async with database_of(request).transaction() as tx:
        series = await actions.lock_managed(tx, caller_of(request), series_slug_of(request))
        await actions.delete(tx, series, keeps_events=dates_choice == "keep")
    return go("/my/events", flash="series_deleted")


async def show_picture(request: Request) -> Response:
    series = await _editable_series(request)
    picture = series.content.picture
    return _picture_form_page(request, series, FormState({"alt": picture.alt if picture else ""}))


async def save_picture(request: Request) -> Response:
    series = await _editable_series(request)
    caller = caller_of(request)
    refused_form = await save_sent(
        request,
        caller.user_id,
        lambda tx, picture: apply_edits.set_picture(tx, caller, series.slug, picture),
        lambda tx, alt: apply_edits.describe_picture(tx, caller, series.slug, alt),
    )
    if refused_form is not None:
        form_state, status = refused_form
        return _picture_form_page(request, series, form_state, status=status)
    return go(series_path(series.slug), flash="picture_saved")


async def remove_picture(request: Request) -> Response:
    async with database_of(request).transaction() as tx:
        series = await apply_edits.remove_picture(tx, caller_of(request), series_slug_of(request))
    return go(series_path(series.slug), flash="picture_removed")


async def _ask_cancel(request: Request, form_state: FormState, *, status: int = 200) -> Response:
    series = await _own_series(request)
    # Uses a reader, before any change, because counting recipients must not block writers.
    async with database_of(request).reader() as reader:
        upcoming = await agenda.coming(reader, series, caller_of(request).user_id, limit=OFFERED)
        planned = [one for one in await date_queries.coming(reader, series.id) if not one.event.is_cancelled]
        effect = await impact.impact_of_action(reader, series, planned, event_kinds.EVENT_CANCELLED)
        now = reader.now
    offered = [
        (f"{_DATE}{line.original_date}", _start_label(line, now), line.counts.going)
        for line in upcoming
        if not line.is_cancelled
    ]
    context = {
        "series": series,
        "address": series_path(series.slug),
        "subject": subject_of_series(series),
        "offered": offered,
        "notified": effect.notified,
        "dates_zone": zone_of_dates(series.zone_name, now),
        "typed": form_state,
    }
    return page(request, "series/cancel.html", context, status=status)


async def _ask_delete(request: Request, form_state: FormState, *, status: int = 200) -> Response:
    series = await _own_series(request)
    async with database_of(request).reader() as reader:
        effect = await impact.impact_of_action(
            reader, series, await date_queries.coming(reader, series.id), event_kinds.EVENT_DELETED
        )
    context = {
        "series": series,
        "address": series_path(series.slug),
        "subject": subject_of_series(series),
        "answers": effect.rsvp_count,
        "notified": effect.notified,
        "typed": form_state,
    }
    return page(request, "series/delete.html", context, status=status)


async def _own_series(request: Request) -> Series:
    """The series, which the caller must own."""
    async with database_of(request).reader() as reader:
        return await agenda.find_for_host(reader, series_slug_of(request), caller_of(request).user_id)


def _start_label(line: AgendaOccurrence, now: Instant) -> str:
    starts, today = (local_of(at, line.details.time_zone) for at in (line.details.starts_at, now))
    return formatting.day_and_time(formatting.short_day(starts, today.date()), starts)


async def _editable_series(request: Request) -> Series:
    caller = caller_of(request)
    async with database_of(request).reader() as reader:
        return await agenda.editable(reader, series_slug_of(request), caller.user_id)


def _picture_form_page(request: Request, series: Series, form_state: FormState, *, status: int = 200) -> Response:
    address = series_path(series.slug)
    cover = cover_for(series.content)
    form = form_of(series.content.picture, address, cover=cover, back=address, form_state=form_state)
    context = {"series": series, "subject": subject_of_series(series), **form}
    return page(request, "series/picture.html", context, status=status)
