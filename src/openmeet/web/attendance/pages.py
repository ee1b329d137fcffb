"""RSVP from the event page with one click. Visitors sign in first. Their RSVP is completed after sign-in.

If the event requires more fields than the reply, the RSVP has its own form. The page of that form also shows the
history of the RSVP and who can see it.
"""

from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.database.transaction import Reader
from groundwork.errors import InvalidForm, InvalidInput, NotFound
from groundwork.http.forms import FormState, form_with_problems, read_form
from openmeet.domain.attendance import (
    actions,
    answer_bar_inputs,
    answer_texts,
    history,
    queries,
    registration,
    waitlist,
)
from openmeet.domain.attendance.answer_bar import GoingLeadsTo, answer_bar_of
from openmeet.domain.attendance.model import Attendance, AttendanceStatus, RsvpReply
from openmeet.domain.attendance.reasons import AttendanceReason
from openmeet.domain.attendance.registration import RegistrationSettings
from openmeet.domain.attendance.transitions import ACTION_OF_REPLY
from openmeet.domain.attendance.visibility import visible_event
from openmeet.domain.events.model import Event, EventSlug
from openmeet.domain.events.queries import by_slug
from openmeet.domain.identities.queries import shown_names
from openmeet.domain.validation import GeneralReason
from openmeet.emails.rsvp_confirmation import answer_sentence
from openmeet.outbox import publication_moves, publications
from openmeet.web.attendance import forms, resume_click
from openmeet.web.attendance.history_view import lines_of
from openmeet.web.attendance.resume_click import FLASH, store_click
from openmeet.web.site.caller import caller_of, caller_or_none
from openmeet.web.site.layout import go, page
from openmeet.web.site.tenant_routing import database_of

# The reply that restores the previous RSVP. If there was none, undo withdraws the new one.
_UNDO_REPLY = {
    AttendanceStatus.ATTENDING: RsvpReply.GOING,
    AttendanceStatus.WAITLISTED: RsvpReply.GOING,
    AttendanceStatus.PENDING: RsvpReply.GOING,
    AttendanceStatus.INTERESTED: RsvpReply.INTERESTED,
}


def routes() -> list[Route]:
    return [
        Route("/events/{slug}/answer", show, methods=["GET"]),
        Route("/events/{slug}/answer", save_reply, methods=["POST"]),
        Route("/events/{slug}/answer/publish", publish, methods=["POST"]),
        Route("/events/{slug}/answer/unpublish", unpublish, methods=["POST"]),
    ]


async def show(request: Request) -> Response:
    """The caller's RSVP with the host's questions, and its history."""
    caller_of(request)
    async with database_of(request).reader() as reader:
        event, own_rsvp, registration_settings = await _event_and_settings(reader, request)
        carried = {name: request.query_params[name] for name in forms.DETAIL_FIELDS if name in request.query_params}
        form_state = FormState({**forms.values_of(own_rsvp), **carried})
        return await _answer_page(
            reader,
            request,
            event,
            own_rsvp,
            registration_settings,
            form_state,
            reply=request.query_params.get("reply", ""),
        )


async def save_reply(request: Request) -> Response:
    slug = EventSlug(request.path_params["slug"])
    form = await read_form(request)
    try:
        reply = RsvpReply(form.get("reply", ""))
    except ValueError:
        raise InvalidInput("reply", GeneralReason.CHOOSE_ONE, choices="going, interested, declined") from None
    caller = caller_or_none(request)
    if caller is None:
        click = resume_click.path_of(slug, reply, form)
        response = go(f"/sign-in?next={quote(click, safe='')}")
        store_click(request, response, click)
        return response
    try:
        async with database_of(request).reader() as reader:
            event, own_rsvp, registration_settings = await _event_and_settings(reader, request)
    except NotFound:
        if reply is not RsvpReply.DECLINED:
            raise
        # Attendees can withdraw from an event that they can no longer see. Everyone else gets NotFound.
        await database_of(request).batch(lambda tx: actions.answer(tx, caller, slug, reply), key=slug)
        return go("/my/events", flash=FLASH.get(AttendanceStatus.DECLINED, ""))
    try:
        reply_details = forms.reply_details_of(form, forms.fields_of(event, registration_settings, own_rsvp), own_rsvp)
        saved = await database_of(request).batch(
            lambda tx: actions.answer(tx, caller, slug, reply, reply_details), key=slug
        )
    except InvalidForm as wrong:
        if forms.FULL_FORM_FIELD not in form:
            # The person clicked on the event page, but the event requires more fields. This is not an error: show the
            # form.
            parameters = {"reply": reply.value, **{name: form[name] for name in forms.DETAIL_FIELDS if name in form}}
            return go(f"/events/{quote(slug)}/answer?{urlencode(parameters)}")
        async with database_of(request).reader() as reader:
            form_state = form_with_problems(form, wrong)
            return await _answer_page(
                reader, request, event, own_rsvp, registration_settings, form_state, reply=reply.value, status=400
            )
    flash = FLASH.get(saved.status, "")
    if of_series := form.get("series", ""):
        # The person came from the list of dates of a series, where they may want to answer further dates.
        return go(f"/series/{quote(of_series, safe='')}", flash=flash or "answer_kept")
    undo = _UNDO_REPLY.get(own_rsvp.status, RsvpReply.DECLINED) if own_rsvp else RsvpReply.DECLINED
    has_changed = own_rsvp is None or own_rsvp.status is not saved.status
    is_confirmed = not has_changed and own_rsvp is not None and own_rsvp.known_starts_at != saved.known_starts_at
    # If the reply changed nothing, there is nothing to undo.
    query = f"?undo={undo.value}" if has_changed and ACTION_OF_REPLY[undo] is not ACTION_OF_REPLY[reply] else ""
    flash_name = "new_time_works" if is_confirmed else "answer_kept"
    return go(f"/events/{quote(slug)}{query}", flash=flash if has_changed else flash_name)


async def publish(request: Request) -> Response:
    """Publish the caller's RSVP again, even if it was refused, is in conflict, or was retracted by them."""
    slug = EventSlug(request.path_params["slug"])
    async with database_of(request).transaction() as tx:
        own_rsvp = await _own_answer(tx, request, slug)
        await publications.retry_now(tx, kind=publications.PublicationKind.RSVP, subject_id=own_rsvp.id)
    return go(f"/events/{slug}", flash="answer_tried")


async def unpublish(request: Request) -> Response:
    """Retract the record of the RSVP from the repository. The RSVP itself stays."""
    slug = EventSlug(request.path_params["slug"])
    async with database_of(request).transaction() as tx:
        own_rsvp = await _own_answer(tx, request, slug)
        await publication_moves.withdraw(tx, kind=publications.PublicationKind.RSVP, subject_id=own_rsvp.id)
    return go(f"/events/{slug}", flash="taken_back")


async def _answer_page(
    reader: Reader,
    request: Request,
    event: Event,
    own_rsvp: Attendance | None,
    registration_settings: RegistrationSettings,
    form_state: FormState,
    *,
    reply: str,
    status: int = 200,
) -> Response:
    changes = [] if own_rsvp is None else await history.of_rsvp(reader, own_rsvp.id)
    names = await shown_names(reader, [one.actor_id for one in changes if one.actor_id])
    is_open = not (event.is_cancelled or event.is_gone or event.is_over(reader.now))
    caller = caller_of(request)
    bar = answer_bar_of(
        await answer_bar_inputs.bar_input_of(
            reader, event, caller.user_id, rsvp=own_rsvp, settings=registration_settings
        )
    )
    context = {
        "event": event,
        "mine": own_rsvp,
        "fields": forms.fields_of(event, registration_settings, own_rsvp),
        "typed": form_state,
        "wanted": reply if reply in set(RsvpReply) else "",
        "is_open": is_open,
        "answer_sentence": answer_sentence(
            event,
            registration_settings,
            own_rsvp,
            await waitlist.before(reader, own_rsvp) if own_rsvp else 0,
            reader.now,
        ),
        "history": lines_of(changes, names, caller.user_id, event.time_zone),
        "labels": {reply.value: answer_texts.reply_label(bar, reply) for reply in RsvpReply},
        "replies": [reply.value for reply in bar.replies],
        "has_offer": bar.going is GoingLeadsTo.HELD_PLACE,
        "needs_approval": bar.going is GoingLeadsTo.REQUEST,
    }
    return page(request, "attendance/answer.html", context, status=status)


async def _event_and_settings(
    reader: Reader, request: Request
) -> tuple[Event, Attendance | None, RegistrationSettings]:
    """The event (visible to the caller), their RSVP, and the registration settings that apply."""
    caller = caller_of(request)
    event, own_rsvp = await visible_event(reader, EventSlug(request.path_params["slug"]), caller.user_id)
    return event, own_rsvp, await registration.of_event(reader, event)


async def _own_answer(reader: Reader, request: Request, slug: EventSlug) -> Attendance:
    # Checked before looking up the event, so that the response does not reveal whether it exists.
    caller = caller_of(request)
    event = await by_slug(reader, slug)
    own_rsvp = None if event is None else await queries.find(reader, event.id, caller.user_id)
    if own_rsvp is None:
        raise NotFound(AttendanceReason.NOT_ANSWERED)
    return own_rsvp
