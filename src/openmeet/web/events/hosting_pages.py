"""Hosts' actions on the event page: edit, cancel, reinstate, delete, turn into a draft."""

from urllib.parse import quote

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.database.transaction import Reader
from groundwork.errors import InvalidForm, NotFound, PreconditionFailed
from groundwork.http.forms import FormState, form_with_problems, outdated_form, read_form
from openmeet.domain.attendance import capacity_change, event_hosting, queries
from openmeet.domain.attendance.event_changes import count_people_concerned
from openmeet.domain.attendance.event_hosting import unpublish
from openmeet.domain.events import event_access, permissions, rules
from openmeet.domain.events.model import Event
from openmeet.domain.events.permissions import EventPermission
from openmeet.domain.events.queries import by_slug
from openmeet.domain.events.submissions import submission_of, values_of, values_of_event
from openmeet.domain.page_paths import event_path
from openmeet.i18n.catalogue import lazy
from openmeet.web.api.etags import revision_in_form
from openmeet.web.attendance.lower_limit import CONFIRMED_LIMITS, ask_to_confirm_lower_limit
from openmeet.web.events import place_field
from openmeet.web.events.form_page import (
    CONFIRMED_START,
    IS_CORRECTION,
    SAVE_LABEL,
    EventForm,
    form_page,
    require_confirmed_past_start,
)
from openmeet.web.events.form_summaries import current_value_label
from openmeet.web.events.new_pages import new_page_instead
from openmeet.web.media.subject import PageSubject, subject_of_event
from openmeet.web.site.caller import caller_of
from openmeet.web.site.confirmation import confirmation_field
from openmeet.web.site.layout import go, page
from openmeet.web.site.services import services
from openmeet.web.site.slugs import event_slug_of
from openmeet.web.site.tenant_routing import database_of

_CHANGED_MEANWHILE = lazy(
    "This event was changed after you opened this form. What you typed is still here. Fields that differ show the"
    ' current version next to them. Save again to use yours, or <a href="/events/%(slug)s" target="_blank">open '
    "its page</a>"
    " (in a new tab)."
)
_DELETED_MEANWHILE = lazy(
    "This event was deleted after you opened this form. What you typed is still here. To use it, create a new event."
)


def routes() -> list[Route]:
    return [
        Route("/events/{slug}/edit", show_edit, methods=["GET"]),
        Route("/events/{slug}/edit", save, methods=["POST"]),
        Route("/events/{slug}/cancel", show_cancel, methods=["GET"]),
        Route("/events/{slug}/cancel", cancel, methods=["POST"]),
        Route("/events/{slug}/reinstate", reinstate, methods=["POST"]),
        Route("/events/{slug}/delete", show_delete, methods=["GET"]),
        Route("/events/{slug}/delete", delete, methods=["POST"]),
        Route("/events/{slug}/to-draft", make_draft, methods=["POST"]),
    ]


async def show_edit(request: Request) -> Response:
    event = await hosted_event(request)
    if event.is_draft:
        return go(f"{event_path(event.slug)}/draft")
    return await _edit_form_page(request, FormState(_form_values(event)), event)


async def save(request: Request) -> Response:
    form = place_field.read(request, await read_form(request))
    try:
        return await _save(request, form)
    except NotFound:
        event = await _deleted_event(request)
        if event is None:
            raise
        return await new_page_instead(request, values_of(submission_of(form)), event.group, _DELETED_MEANWHILE)


async def _save(request: Request, form: dict[str, str]) -> Response:
    event = await hosted_event(request)
    submission = submission_of(form)
    revision = form.get("revision", "")
    if place_field.is_sent_to_fill_in(form):
        filled, place_answer = await place_field.filled_in(request, {**values_of(submission), **form})
        return await _edit_form_page(request, FormState(filled), event, place_answer=place_answer)
    kept = {name: form.get(name, "") for name in (CONFIRMED_START, CONFIRMED_LIMITS, IS_CORRECTION)}
    shown = {**form, **values_of(submission), "revision": revision, **kept}
    try:
        details = rules.check(submission, event)
        place_field.require_known_town(request, form, details, event)
        require_confirmed_past_start(request, form, details, event, SAVE_LABEL)
        async with database_of(request).transaction() as tx:
            locked = await event_hosting.lock(tx, event.slug) or event
            ask_to_confirm_lower_limit(
                form,
                "capacity",
                key=f"{submission.capacity} {submission.mode}",
                impact=await capacity_change.impact_of_details(tx, [(locked, details)]),
            )
            saved = await event_hosting.revise(
                tx,
                caller_of(request),
                event.slug,
                details,
                expected_revision=revision_in_form(revision),
                is_correction=bool(form.get(IS_CORRECTION)),
            )
            seats_held = await queries.seats_held(tx, event.id)
    except InvalidForm as wrong:
        shown |= confirmation_field(form, CONFIRMED_START, wrong) | confirmation_field(form, CONFIRMED_LIMITS, wrong)
        return await _edit_form_page(request, form_with_problems(shown, wrong), event, status=400)
    except PreconditionFailed:
        newest = await hosted_event(request)
        return await _edit_form_page(request, _outdated(shown, newest), newest, status=409)
    flash = "date_saved" if event.position_in_series else "event_saved"
    if saved.revision == event.revision:
        flash = "event_unchanged"
    places = saved.content.capacity
    if places is not None and places != event.content.capacity and seats_held > places:
        flash = "event_saved_full"
    return go(event_path(event.slug), flash=flash)


async def _edit_form_page(
    request: Request,
    form_state: FormState,
    event: Event,
    *,
    status: int = 200,
    place_answer: place_field.PlaceField = place_field.NOT_ASKED,
) -> Response:
    async with database_of(request).reader() as reader:
        role = await event_access.role_of(reader, event, caller_of(request).user_id)
        notified = await count_people_concerned(reader, event, except_id=caller_of(request).user_id)
    may_remove = permissions.may(role, EventPermission.DELETE)
    form = EventForm(
        typed=form_state,
        event=event,
        place_answer=place_answer,
        may_remove=may_remove,
        has_attendees=notified > 0,
    )
    return form_page(request, form, status=status)


async def show_cancel(request: Request) -> Response:
    event, notified = await _hosted_event_and_notified(request, EventPermission.CANCEL)
    return _cancel_page(request, event, notified, FormState({"reason": event.status_reason}))


async def cancel(request: Request) -> Response:
    event, notified = await _hosted_event_and_notified(request, EventPermission.CANCEL)
    form = await read_form(request)
    try:
        reason = rules.check_reason(form.get("reason", ""))
    except InvalidForm as wrong:
        return _cancel_page(request, event, notified, form_with_problems(form, wrong), status=400)
    async with database_of(request).transaction() as tx:
        await event_hosting.cancel(tx, caller_of(request), event.slug, reason)
    return go(event_path(event.slug), flash="event_cancelled" if notified else "event_cancelled_alone")


def _cancel_page(
    request: Request, event: Event, notified: int, form_state: FormState, *, status: int = 200
) -> Response:
    context = {
        "event": event,
        "subject": _subject(request, event),
        "notified": notified,
        "typed": form_state,
    }
    return page(request, "events/cancel.html", context, status=status)


def _subject(request: Request, event: Event) -> PageSubject:
    return subject_of_event(event, services(request).clock.now())


async def reinstate(request: Request) -> Response:
    slug = event_slug_of(request)
    async with database_of(request).transaction() as tx:
        await event_hosting.reinstate(tx, caller_of(request), slug)
    return go(event_path(slug), flash="event_reinstated")


async def show_delete(request: Request) -> Response:
    event, notified = await _hosted_event_and_notified(request, EventPermission.DELETE)
    return page(
        request, "events/delete.html", {"event": event, "subject": _subject(request, event), "notified": notified}
    )


async def delete(request: Request) -> Response:
    async with database_of(request).transaction() as tx:
        await event_hosting.delete(tx, caller_of(request), event_slug_of(request))
    return go("/my/events?which=hosting", flash="event_deleted")


async def make_draft(request: Request) -> Response:
    """Turn the event back into a draft that only hosts can see. Possible while nobody has answered."""
    async with database_of(request).transaction() as tx:
        event = await unpublish(tx, caller_of(request), event_slug_of(request))
    return go(f"{event_path(event.slug)}/draft", flash="event_unpublished")


def _outdated(shown: dict[str, str], newest: Event) -> FormState:
    problem = Markup(_CHANGED_MEANWHILE.filled(slug=quote(newest.slug)))  # noqa: S704  # a message of ours, with a quoted slug
    return outdated_form(shown, _form_values(newest), problem, label=current_value_label)


def _form_values(event: Event) -> dict[str, str]:
    return {**values_of_event(event), "revision": str(event.revision)}


async def hosted_event(request: Request, act: EventPermission = EventPermission.EDIT) -> Event:
    """The event, to which the caller may do this. Raises NotFound, Forbidden."""
    async with database_of(request).reader() as reader:
        return await _require_hosted(reader, request, act)


async def _hosted_event_and_notified(request: Request, act: EventPermission) -> tuple[Event, int]:
    """``hosted_event``, and how many people are notified when the caller cancels or deletes it."""
    async with database_of(request).reader() as reader:
        event = await _require_hosted(reader, request, act)
        number = await count_people_concerned(reader, event, except_id=caller_of(request).user_id)
    return event, number


async def _require_hosted(reader: Reader, request: Request, act: EventPermission) -> Event:
    user_id = caller_of(request).user_id
    event = await event_access.require_visible(reader, await by_slug(reader, event_slug_of(request)), user_id)
    await event_access.require_editable(reader, event, user_id, act)
    return event


async def _deleted_event(request: Request) -> Event | None:
    """The event, if it was deleted and the caller was allowed to edit it."""
    async with database_of(request).reader() as reader:
        event = await by_slug(reader, event_slug_of(request))
        if event is None or not event.is_gone:
            return None
        role = await event_access.role_of(reader, event, caller_of(request).user_id)
        return event if permissions.may(role, EventPermission.EDIT) else None
