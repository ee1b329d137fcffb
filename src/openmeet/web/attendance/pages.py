"""A person's own RSVP: one click on the event page, and a page with the complete form and the RSVP's history.

A click leads to that page if the event asks for more than the reply. Visitors sign in first (``resume_click``).
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
    moved_dates,
    registration,
    rules,
    visibility,
    waitlist,
)
from openmeet.domain.attendance.answer_bar import REPLY_OF_STATUS, AnswerState, GoingOutcome, answer_bar_of
from openmeet.domain.attendance.model import Attendance, AttendanceStatus, PendingFor, RsvpReply
from openmeet.domain.attendance.registration import EventRegistration
from openmeet.domain.events.model import Event
from openmeet.domain.page_paths import event_path, series_path
from openmeet.domain.validation import GeneralReason
from openmeet.emails.rsvp_confirmation import answer_sentence
from openmeet.outbox import publication_withdrawals, publications
from openmeet.web.attendance import forms, resume_click
from openmeet.web.attendance.resume_click import store_click
from openmeet.web.attendance.view import FLASH_AFTER_REPLY, history_section
from openmeet.web.media.subject import subject_of_event
from openmeet.web.site.caller import caller_of, caller_or_none
from openmeet.web.site.layout import go, page
from openmeet.web.site.slugs import event_slug_of
from openmeet.web.site.tenant_routing import database_of


def routes() -> list[Route]:
    return [
        Route("/events/{slug}/answer", show, methods=["GET"]),
        Route("/events/{slug}/answer", save_reply, methods=["POST"]),
        Route("/events/{slug}/answer/publish", publish, methods=["POST"]),
        Route("/events/{slug}/answer/unpublish", withdraw_record, methods=["POST"]),
    ]


async def show(request: Request) -> Response:
    """The caller's RSVP with the host's questions, and its history."""
    async with database_of(request).reader() as reader:
        event_registration, own_rsvp = await _event_and_rsvp(reader, request)
        details_in_url = {
            name: request.query_params[name] for name in forms.DETAIL_FIELDS if name in request.query_params
        }
        form_state = FormState({**forms.values_of(own_rsvp), **details_in_url})
        return await _answer_page(
            reader,
            request,
            event_registration,
            own_rsvp,
            form_state,
            reply=request.query_params.get("reply", ""),
        )


async def save_reply(request: Request) -> Response:
    """Record the reply of a signed-in person. Visitors sign in first; their click is kept meanwhile."""
    slug = event_slug_of(request)
    form = await read_form(request)
    try:
        reply = RsvpReply(form.get("reply", ""))
    except ValueError:
        raise InvalidInput("reply", GeneralReason.CHOOSE_ONE, choices=", ".join(RsvpReply)) from None
    caller = caller_or_none(request)
    if caller is None:
        click = resume_click.path_of(slug, reply, form)
        response = go(f"/sign-in?next={quote(click, safe='')}")
        store_click(request, response, click)
        return response
    try:
        async with database_of(request).reader() as reader:
            event_registration, own_rsvp = await _event_and_rsvp(reader, request)
    except NotFound:
        if reply is not RsvpReply.DECLINED:
            raise
        # Attendees can decline an event that they can no longer see. Everyone else gets NotFound.
        await database_of(request).batch(lambda tx: actions.answer(tx, caller, slug, reply), key=slug)
        return go("/my/events", flash=FLASH_AFTER_REPLY.get(AttendanceStatus.DECLINED, ""))
    try:
        reply_details = forms.reply_details_of(form, forms.fields_of(event_registration, own_rsvp))
        saved = await database_of(request).batch(
            lambda tx: actions.answer(tx, caller, slug, reply, reply_details), key=slug
        )
    except InvalidForm as wrong:
        if forms.FULL_FORM_FIELD not in form:
            # The person clicked on the event page, but the event requires more fields. This is not an error: show the
            # form.
            parameters = {"reply": reply.value, **{name: form[name] for name in forms.DETAIL_FIELDS if name in form}}
            return go(f"{event_path(slug)}/answer?{urlencode(parameters)}")
        async with database_of(request).reader() as reader:
            form_state = form_with_problems(form, wrong)
            return await _answer_page(
                reader, request, event_registration, own_rsvp, form_state, reply=reply.value, status=400
            )
    if series_slug := form.get(forms.SERIES_FIELD, ""):
        # The person came from the list of dates of a series, where they may want to answer further dates.
        date = f"#{quote(slug)}" if forms.FROM_LIST_FIELD in form else ""
        return go(
            f"{series_path(series_slug)}{date}",
            flash=_flash_after_reply(event_registration.event, reply, own_rsvp, saved),
        )
    return _redirect_after_reply(event_registration.event, reply, own_rsvp, saved)


def _redirect_after_reply(event: Event, reply: RsvpReply, before: Attendance | None, saved: Attendance) -> Response:
    """Redirect to the event page with a flash message, and a button to undo the reply if it changed the status."""
    path, flash = event_path(event.slug), _flash_after_reply(event, reply, before, saved)
    if not rules.changes_status(before, saved):
        return go(path, flash=flash)
    undoing_reply = _undoing_reply(before)
    query = f"?undo={undoing_reply.value}" if undoing_reply is not None and undoing_reply is not reply else ""
    return go(f"{path}{query}", flash=flash)


def _undoing_reply(before: Attendance | None) -> RsvpReply | None:
    """The reply that gives somebody their previous status again, "going" only if there is room. If they had no RSVP, it
    declines. None if the previous status cannot be restored: a reply cannot return somebody to the waitlist,
    to an offer, to an unanswered invitation, or to an unclear or unconfirmed reply.

    The event page offers it only while the event accepts that reply.
    """
    if before is None:
        return RsvpReply.DECLINED
    if before.status is AttendanceStatus.WAITLISTED or before.pending_for in {
        PendingFor.UNCLEAR,
        PendingFor.UNCONFIRMED,
    }:
        return None
    return REPLY_OF_STATUS.get(before.status)


def _flash_after_reply(event: Event, reply: RsvpReply, before: Attendance | None, saved: Attendance) -> str:
    """The flash message that says what the reply changed."""
    if before is None or rules.changes_status(before, saved):
        return FLASH_AFTER_REPLY.get(saved.status, "")
    if reply is RsvpReply.GOING and moved_dates.is_moved_since(event, before.known_starts_at):
        return "new_time_works"
    return "answer_kept" if before.revision == saved.revision else "answer_saved"


async def publish(request: Request) -> Response:
    """Try again to publish the caller's RSVP, even if it was refused, is in conflict, or they withdrew its record."""
    caller, slug = caller_of(request), event_slug_of(request)
    async with database_of(request).transaction() as tx:
        own_rsvp = await visibility.own_rsvp(tx, slug, caller.user_id)
        is_due = await publications.retry_now(tx, kind=publications.PublicationKind.RSVP, subject_id=own_rsvp.id)
    return go(event_path(slug), flash="answer_tried" if is_due else "nothing_to_sync")


async def withdraw_record(request: Request) -> Response:
    """Withdraw the record of the caller's RSVP, so that the publisher retracts it. The RSVP itself stays."""
    caller, slug = caller_of(request), event_slug_of(request)
    async with database_of(request).transaction() as tx:
        own_rsvp = await visibility.own_rsvp(tx, slug, caller.user_id)
        has_copy = await publication_withdrawals.withdraw(
            tx, kind=publications.PublicationKind.RSVP, subject_id=own_rsvp.id
        )
    return go(event_path(slug), flash="answer_record_withdrawn" if has_copy else "no_record_to_withdraw")


async def _answer_page(
    reader: Reader,
    request: Request,
    event_registration: EventRegistration,
    own_rsvp: Attendance | None,
    form_state: FormState,
    *,
    reply: str,
    status: int = 200,
) -> Response:
    event = event_registration.event
    is_open = not (event.is_cancelled or event.is_gone or event.is_over(reader.now))
    caller = caller_of(request)
    changes = own_rsvp and await history_section(
        reader,
        (own_rsvp.id, caller.user_id),
        caller.user_id,
        event.time_zone,
        path=f"{event_path(event.slug)}/answer",
        cursor=request.query_params.get("before", ""),
    )
    bar = answer_bar_of(await answer_bar_inputs.bar_input_of(reader, event_registration, caller.user_id, rsvp=own_rsvp))
    fields = await forms.fields_now(reader, event_registration, own_rsvp)
    context = {
        "event": event,
        "subject": subject_of_event(event, reader.now),
        "own_rsvp": own_rsvp,
        "fields": fields,
        # The person has a place and could bring others, but no places are left for them now.
        "has_no_place_for_others": own_rsvp is not None
        and own_rsvp.is_seated
        and not fields.party_options
        and event_registration.settings.max_party > own_rsvp.party,
        "typed": form_state,
        "selected_reply": reply if reply in set(RsvpReply) else "",
        "is_open": is_open,
        "answer_sentence": answer_sentence(
            event_registration,
            own_rsvp,
            await waitlist.people_ahead(reader, own_rsvp) if own_rsvp else 0,
            reader.now,
        ),
        "history": changes,
        "current_reply": bar.current_reply,
        "labels": {reply.value: answer_texts.reply_label(bar, reply) for reply in RsvpReply},
        "replies": [reply.value for reply in bar.replies],
        "is_moved": bar.state is AnswerState.MOVED,
        "needs_approval": bar.going_outcome is GoingOutcome.REQUEST,
    }
    return page(request, "attendance/answer.html", context, status=status)


async def _event_and_rsvp(reader: Reader, request: Request) -> tuple[EventRegistration, Attendance | None]:
    """The event, which the caller can see, with its registration settings, and their RSVP to it. Raises NotFound."""
    caller = caller_of(request)
    event, own_rsvp = await visibility.visible_event(reader, event_slug_of(request), caller.user_id)
    return await registration.registration_of(reader, event), own_rsvp
