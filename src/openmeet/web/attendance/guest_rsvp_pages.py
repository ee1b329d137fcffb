"""The RSVP form for guests, and the page that the confirmation link opens."""

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.database.transaction import Reader
from groundwork.errors import InvalidForm, InvalidInput, NotFound, Refused, TooMany, Why
from groundwork.http.forms import FormState, read_form
from openmeet.domain.attendance import answer_texts, attendee_summary, queries, registration
from openmeet.domain.attendance.answer_bar import AnswerState, GoingOutcome, answer_bar_of
from openmeet.domain.attendance.answer_bar_inputs import bar_input_of
from openmeet.domain.attendance.answer_texts import AnswerFigures
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.events.model import Event, EventSlug
from openmeet.domain.events.time_and_place import removal_notice
from openmeet.domain.guest_rsvps import actions as guest_rsvp_actions
from openmeet.domain.guest_rsvps.actions import GuestRsvpReason
from openmeet.domain.guest_rsvps.queries import GuestRsvpId
from openmeet.domain.guest_rsvps.queries import find as find_guest_rsvp
from openmeet.domain.identities.queries import shown_names
from openmeet.domain.notifications import email_links
from openmeet.domain.notifications.email_links import EmailLink, LinkPurpose
from openmeet.domain.page_paths import event_path
from openmeet.domain.sign_in.model import check_email
from openmeet.domain.users.actions import check_name
from openmeet.domain.validation import INVALID_LINK, GeneralReason
from openmeet.emails.notifications.texts import when_label
from openmeet.i18n.catalogue import gettext, lazy
from openmeet.web.attendance import forms
from openmeet.web.media.subject import subject_of_event
from openmeet.web.site.caller import caller_or_none
from openmeet.web.site.cookies import read_cookie, set_cookie
from openmeet.web.site.layout import go, page
from openmeet.web.site.rate_limits import spend_on
from openmeet.web.site.services import services
from openmeet.web.site.slugs import event_slug_of
from openmeet.web.site.tenant_routing import database_of

# The URL is a secret or the page shows an e-mail address, so caches must not store it and search engines must not index
# it.
_HEADERS = {"cache-control": "no-store", "x-robots-tag": "noindex, nofollow"}

# Cookie with the id of the newest guest RSVP that was entered in this browser.
_GUEST_RSVP_COOKIE = "openmeet_guest_answer"

# The label of the button that confirms, if the person gets what they replied, such as a place. Otherwise the label is as
# in the answer bar.
_CONFIRM_LABELS = {
    RsvpReply.GOING: lazy("Yes, I’m going"),
    RsvpReply.INTERESTED: lazy("Maybe I’ll go"),
    RsvpReply.DECLINED: lazy("No, I can’t go"),
}


def routes() -> list[Route]:
    return [
        Route("/events/{slug}/guest-answer", show_form, methods=["GET"]),
        Route("/events/{slug}/guest-answer", request_answer, methods=["POST"]),
        Route("/events/{slug}/guest-answer/sent", show_sent, methods=["GET"]),
        Route("/answers/confirm/{token}", show_confirm, methods=["GET"]),
        Route("/answers/confirm/{token}", confirm, methods=["POST"]),
    ]


async def show_form(request: Request) -> Response:
    slug = event_slug_of(request)
    if caller_or_none(request) is not None:
        return go(event_path(slug))
    async with database_of(request).reader() as reader:
        guest_form = await _load_form(reader, slug)
    return _guest_form_page(request, guest_form, FormState(forms.values_of(None)))


async def request_answer(request: Request) -> Response:
    slug = event_slug_of(request)
    form = await read_form(request)
    async with database_of(request).reader() as reader:
        guest_form = await _load_form(reader, slug)
    problems: dict[str, Why] = {}
    email = name = guest_rsvp_id = ""
    try:
        email = check_email(form.get("email", ""))
    except InvalidForm as wrong:
        problems |= wrong.problems
    try:
        name = check_name(form.get("display_name", ""))
    except InvalidForm as wrong:
        problems |= wrong.problems
    if form.get("reply", "") not in set(RsvpReply):
        raise InvalidInput("reply", GeneralReason.CHOOSE_ONE, choices=", ".join(RsvpReply))
    asked = guest_form.fields.field_names
    if asked and not problems and forms.FULL_FORM_FIELD not in form and asked.isdisjoint(form):
        # The form on the event's page does not have these fields. They are the next step and not a mistake.
        return _guest_form_page(request, guest_form, FormState({**forms.values_of(None), **form}))
    try:
        reply_details = forms.reply_details_of(form, guest_form.fields)
        if not problems:
            await spend_on(request, guest_rsvp_actions.GUEST_EMAIL_LIMIT)
            async with database_of(request).transaction() as tx:
                guest_rsvp = await guest_rsvp_actions.request_rsvp(
                    tx,
                    slug,
                    email=email,
                    display_name=name,
                    reply=RsvpReply(form["reply"]),
                    reply_details=reply_details,
                )
            guest_rsvp_id = guest_rsvp.id
    except InvalidForm as wrong:
        problems |= wrong.problems
    except TooMany as limit:
        return _guest_form_page(request, guest_form, FormState(form, {"email": limit.why}), status=429)
    if problems:
        return _guest_form_page(request, guest_form, FormState(form, problems), status=400)
    response = go(f"{event_path(slug)}/guest-answer/sent")
    set_cookie(request, response, _GUEST_RSVP_COOKIE, guest_rsvp_id)
    return response


async def show_sent(request: Request) -> Response:
    """Say where the link was sent. Only the browser in which the address was entered shows it."""
    slug = event_slug_of(request)
    async with database_of(request).reader() as reader:
        event = (await guest_rsvp_actions.require_open_to_guests(reader, slug)).event
        sent = await find_guest_rsvp(reader, GuestRsvpId(read_cookie(request, _GUEST_RSVP_COOKIE)))
    address = sent.email if sent is not None and sent.event_id == event.id else ""
    context = {
        "event": event,
        "subject": subject_of_event(event, reader.now),
        "address": address,
        "with_mailbox": services(request).dev_mailbox is not None,
    }
    return page(request, "attendance/sent.html", context, headers=_HEADERS)


async def show_confirm(request: Request) -> Response:
    """Show what the button will do. Opening the page changes nothing, because mail servers open links before people do.

    After the link has expired, people can answer again on the same page.
    """
    async with database_of(request).reader() as reader:
        try:
            guest_rsvp, event = await guest_rsvp_actions.pending_rsvp(reader, _guest_rsvp_id(request))
        except NotFound as expired:
            return await _form_after_expiry(reader, request, expired)
        person = await guest_rsvp_actions.answering_person(reader, guest_rsvp)
        own_rsvp = None if person is None else await queries.find(reader, event.id, person)
        event_registration = await registration.registration_of(reader, event)
        bar_input = await bar_input_of(reader, event_registration, person, rsvp=own_rsvp)
        figures, now = await _figures_of(reader, event), reader.now
    bar = answer_bar_of(bar_input)
    reply = guest_rsvp.request.reply
    gets_place = reply is not RsvpReply.GOING or bar.going_outcome is GoingOutcome.PLACE
    is_used = guest_rsvp.used_at is not None
    context = {
        "event": event,
        "when": "" if event.starts_at is None else when_label(event, now),
        "removal_notice": removal_notice(event, now),
        # The event may be full by now, or closed. The host's questions have been answered.
        "sentence": ""
        if is_used or bar.state is AnswerState.OPEN
        else answer_texts.sentence_of(bar, bar_input, figures),
        "button": _CONFIRM_LABELS[reply] if gets_place else answer_texts.reply_label(bar, reply),
        "is_accepted": is_used or reply in bar.replies,
        "is_used": is_used,
    }
    return page(request, "attendance/confirm.html", context, headers=_HEADERS)


async def confirm(request: Request) -> Response:
    """Record the RSVP and redirect to its page, where it can be changed or declined."""
    try:
        async with database_of(request).transaction() as tx:
            event, _, saved = await guest_rsvp_actions.confirm(tx, _guest_rsvp_id(request))
            token = await email_links.token_for(
                tx, services(request).code_key, EmailLink(saved.user_id, LinkPurpose.ANSWER, event.id)
            )
    except NotFound as not_found:
        if not_found.name != INVALID_LINK:
            raise
        async with database_of(request).reader() as reader:
            return await _form_after_expiry(reader, request, not_found)
    return go(f"/mail/answer/{token}")


async def _form_after_expiry(reader: Reader, request: Request, expired: NotFound) -> Response:
    """The form of the event that an expired link names. Raises ``expired`` if that event takes no such answers."""
    try:
        guest_form = await _load_form(reader, EventSlug(request.query_params.get("event", "")))
    except (NotFound, Refused):
        raise expired from None
    problems = {"": gettext("This link no longer works. Answer again, and we’ll send you a new one.")}
    return _guest_form_page(
        request, guest_form, FormState(forms.values_of(None), problems), status=404, headers=_HEADERS
    )


def _guest_rsvp_id(request: Request) -> GuestRsvpId:
    guest_rsvp_id = guest_rsvp_actions.rsvp_id_of_token(services(request).code_key, request.path_params["token"])
    if guest_rsvp_id is None:
        raise NotFound(GuestRsvpReason.LINK_OVER, name=INVALID_LINK)
    return guest_rsvp_id


@dataclass(frozen=True, slots=True)
class GuestForm:
    """The form of an event, with the sentence and the labels of the answer bar that a visitor sees."""

    event: Event
    fields: forms.AnswerFields
    sentence: str
    replies: tuple[tuple[RsvpReply, str], ...]


async def _load_form(reader: Reader, slug: EventSlug) -> GuestForm:
    """The form for visitors of this event. Raises NotFound (no such event, or not visible to visitors) and Refused (no
    answers without an account).
    """
    event_registration = await guest_rsvp_actions.require_open_to_guests(reader, slug)
    bar_input = await bar_input_of(reader, event_registration, None, rsvp=None)
    bar = answer_bar_of(bar_input)
    return GuestForm(
        event_registration.event,
        await forms.fields_now(reader, event_registration, None),
        answer_texts.sentence_of(bar, bar_input, await _figures_of(reader, event_registration.event)),
        tuple(
            (reply, answer_texts.reply_label(bar, reply)) for reply in bar.replies if reply is not RsvpReply.DECLINED
        ),
    )


async def _figures_of(reader: Reader, event: Event) -> AnswerFigures:
    counts = (await attendee_summary.counts_shown(reader, [event.id]))[event.id]
    host = (await shown_names(reader, [event.author_id]))[event.author_id]
    return AnswerFigures(host=host, waiting=counts.waiting, going=counts.going, taken=counts.seats)


def _guest_form_page(
    request: Request,
    guest_form: GuestForm,
    form_state: FormState,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    labels = {"email": gettext("E-mail address"), "display_name": gettext("Your name"), **guest_form.fields.labels}
    context = {
        "event": guest_form.event,
        "subject": subject_of_event(guest_form.event, services(request).clock.now()),
        "typed": form_state,
        "fields": guest_form.fields,
        "labels": labels,
        "sentence": guest_form.sentence,
        "replies": guest_form.replies,
    }
    return page(request, "attendance/guest_form.html", context, status=status, headers=headers)
