"""The page that an e-mail to people on an imported list leads to: accept or decline the invitation. The same as JSON. To
decline, only the token in the e-mail is needed.
"""

from typing import Literal
from urllib.parse import quote

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.database.transaction import Reader
from groundwork.errors import InvalidInput
from groundwork.http.forms import read_form
from groundwork.http.json_bodies import json_response
from openmeet.domain.attendance import answer_texts, registration
from openmeet.domain.attendance.answer_bar import answer_bar_of
from openmeet.domain.attendance.answer_bar_inputs import bar_input_of
from openmeet.domain.attendance.answer_texts import AnswerFigures
from openmeet.domain.attendance.attendee_summary import counts_shown
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.attendance.queries import find as find_rsvp
from openmeet.domain.events.model import Event, EventSlug
from openmeet.domain.events.queries import by_slug
from openmeet.domain.imports import people
from openmeet.domain.imports.model import ContactStage
from openmeet.domain.page_paths import event_path, group_path
from openmeet.domain.users.model import Caller
from openmeet.domain.validation import GeneralReason
from openmeet.i18n.catalogue import gettext
from openmeet.web.api.operations import ApiOperation
from openmeet.web.attendance.view import FLASH_AFTER_REPLY
from openmeet.web.site.caller import caller_of, caller_or_none
from openmeet.web.site.layout import go, page
from openmeet.web.site.reader_zone import zone_of
from openmeet.web.site.services import services
from openmeet.web.site.tenant_routing import database_of
from openmeet.web.site.time_tags import span_tags

# The URL is a secret, so caches must not store it and search engines must not index it.
_PRIVATE = {"cache-control": "no-store", "x-robots-tag": "noindex, nofollow"}


def routes() -> list[Route]:
    return [
        Route("/arrivals/{token}", show_invitation, methods=["GET"]),
        Route("/arrivals/{token}", answer_invitation, methods=["POST"]),
    ]


async def show_invitation(request: Request) -> Response:
    """The invitation. Opening it changes nothing, because mail servers open links before people do."""
    return await _invitation_page(request)


def open_routes() -> list[Route]:
    """Routes for mail programs, which post from anywhere and without cookies. The token is the only credential (RFC
    8058).
    """
    return [
        Route("/mail/decline/list/{token}", show_instead, methods=["GET"]),
        Route("/mail/decline/list/{token}", decline_by_mail, methods=["POST"]),
    ]


async def show_instead(request: Request) -> Response:
    """Show a page that asks for confirmation, because opening a link must not act at once."""
    return go(f"/arrivals/{quote(request.path_params['token'])}")


async def decline_by_mail(request: Request) -> Response:
    """One-click decline. The body is ignored, and the response is not a redirect."""
    person_id = people.person_in(services(request).code_key, request.path_params["token"])
    async with database_of(request).transaction() as tx:
        await people.decline(tx, services(request).code_key, person_id)
    return Response(gettext("You won’t get any more e-mails about this invitation.") + "\n", media_type="text/plain")


async def answer_invitation(request: Request) -> Response:
    """Accept or decline the invitation. Accepting requires signing in, declining does not."""
    form = await read_form(request)
    person_id = people.person_in(services(request).code_key, request.path_params["token"])
    if form.get("act") == "no":
        async with database_of(request).transaction() as tx:
            await people.decline(tx, services(request).code_key, person_id)
        return await _invitation_page(request)
    if form.get("act") != "yes":
        raise InvalidInput("act", GeneralReason.CHOOSE_ONE, choices="yes, no")
    caller = caller_of(request)
    async with database_of(request).transaction() as tx:
        path = await people.accept(tx, caller, person_id)
        event = await by_slug(tx, EventSlug(path.removeprefix("/events/")))
        own_rsvp = None if event is None else await find_rsvp(tx, event.id, caller.user_id)
    return go(path, flash="joined" if own_rsvp is None else FLASH_AFTER_REPLY.get(own_rsvp.status, ""))


async def _invitation_page(request: Request) -> Response:
    person_id = people.person_in(services(request).code_key, request.path_params["token"])
    caller = caller_or_none(request)
    async with database_of(request).reader() as reader:
        person, event, group = await people.find_invitation(reader, person_id)
        is_open = person.stage is ContactStage.INVITED
        sentence, accept = await _answer_to(reader, event, caller) if event and caller and is_open else ("", "")
    context = {
        "person": person,
        "event": event,
        "group": group,
        "when": span_tags(event) if event else "",
        "zone": zone_of(event) if event else None,
        "message": person.message,
        "stage": person.stage.value,
        "is_known": caller is not None,
        "sentence": sentence,
        "accept": accept if event else gettext("Join"),
        "sign_in": f"/sign-in?next={quote(request.url.path)}",
    }
    return page(request, "imports/invitation.html", context, headers=_PRIVATE)


async def _answer_to(reader: Reader, event: Event, caller: Caller) -> tuple[str, str]:
    """The sentence of the answer bar, and the label of the button that accepts. The label is empty if the event does not
    accept that answer.
    """
    event_registration = await registration.registration_of(reader, event)
    own_rsvp = await find_rsvp(reader, event.id, caller.user_id)
    rsvp = own_rsvp or people.invited_rsvp(event.id, caller.user_id, reader.now)
    bar_input = await bar_input_of(reader, event_registration, caller.user_id, rsvp=rsvp)
    bar = answer_bar_of(bar_input)
    counts = (await counts_shown(reader, [event.id]))[event.id]
    sentence = answer_texts.sentence_of(bar, bar_input, AnswerFigures(waiting=counts.waiting))
    return sentence, answer_texts.reply_label(bar, RsvpReply.GOING) if RsvpReply.GOING in bar.replies else ""


class InvitationPreviewOutput(msgspec.Struct, rename="camel"):
    """The event (``guests``) or group (``members``) of the invitation. Includes the inviter's message."""

    what: Literal["guests", "members"]
    title: str
    url: str
    message: str
    state: Literal["invited", "accepted", "declined"]


class ArrivalAccepted(msgspec.Struct, rename="camel"):
    """The event or group that was joined."""

    url: str


async def show_preview(request: Request) -> Response:
    """Show the invitation. This changes nothing, because mail servers open links before people do."""
    person_id = people.person_in(services(request).code_key, request.path_params["token"])
    async with database_of(request).reader() as reader:
        person, event, group = await people.find_invitation(reader, person_id)
    path = event_path(event.slug) if event else group_path(group.slug) if group else "/"
    title = event.title if event else group.details.name if group else ""
    url = f"{services(request).settings.public_url}{path}"
    shown = msgspec.convert(
        {"what": person.what, "title": title, "url": url, "message": person.message, "state": person.stage},
        InvitationPreviewOutput,
    )
    return json_response(shown, headers={"cache-control": "no-store"})


async def accept(request: Request) -> Response:
    caller = caller_of(request)
    person_id = people.person_in(services(request).code_key, request.path_params["token"])
    async with database_of(request).transaction() as tx:
        path = await people.accept(tx, caller, person_id)
    return json_response(ArrivalAccepted(f"{services(request).settings.public_url}{path}"))


async def decline(request: Request) -> Response:
    person_id = people.person_in(services(request).code_key, request.path_params["token"])
    async with database_of(request).transaction() as tx:
        await people.decline(tx, services(request).code_key, person_id)
    return Response(status_code=204)


_ARRIVAL = "/api/arrivals/{token}"

OPERATIONS = (
    ApiOperation(
        "GET",
        _ARRIVAL,
        "showArrival",
        "The event or group of an invitation from an imported list, for anyone with its token. Changes nothing",
        show_preview,
        {200: InvitationPreviewOutput},
        needs_session=False,
        failures=(404,),
    ),
    ApiOperation(
        "POST",
        _ARRIVAL,
        "acceptArrival",
        "Accept the invitation: you attend the event or join the group",
        accept,
        {200: ArrivalAccepted},
        failures=(403, 404, 422),
    ),
    ApiOperation(
        "DELETE",
        _ARRIVAL,
        "declineArrival",
        "Decline the invitation. No more e-mails are sent about it",
        decline,
        {204: None},
        needs_session=False,
        failures=(404,),
    ),
)
