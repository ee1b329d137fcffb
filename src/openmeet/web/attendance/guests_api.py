"""RSVPs by e-mail, as JSON."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from groundwork.http.json_bodies import json_response, read_json
from openmeet.domain.attendance.model import AnswerMode, ReplyDetails
from openmeet.domain.events.model import EventSlug
from openmeet.domain.guest_rsvps import actions
from openmeet.domain.sign_in.model import check_email
from openmeet.domain.users.actions import check_name
from openmeet.i18n.formatting import iso
from openmeet.web.api.operations import ApiOperation
from openmeet.web.attendance.api import ModeName, QuestionAnswered, ReplyName, reply_of
from openmeet.web.site.rate_limits import spend_on
from openmeet.web.site.tenant_routing import database_of


class GuestAnswerInput(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """An RSVP without an account. It takes effect once the link in the e-mail is confirmed."""

    email: str
    display_name: str
    reply: ReplyName
    party: int | None = None
    mode: ModeName | None = None
    guest_names: list[str] | None = None
    answers: list[QuestionAnswered] | None = None


class GuestAnswerOutput(msgspec.Struct, rename="camel"):
    """The time at which the link in the e-mail expires. The response is the same for known and unknown addresses."""

    expires_at: str


async def ask(request: Request) -> Response:
    body = await read_json(request, GuestAnswerInput)
    email, name = check_email(body.email), check_name(body.display_name)
    await spend_on(request, actions.EMAILS)
    reply_details = ReplyDetails(
        party=body.party,
        mode=AnswerMode(body.mode) if body.mode else None,
        guest_names=None if body.guest_names is None else tuple(body.guest_names),
        form_responses=None if body.answers is None else {one.question_id: one.answer for one in body.answers},
    )
    async with database_of(request).transaction() as tx:
        slug = EventSlug(request.path_params["slug"])
        guest_rsvp = await actions.request_answer(
            tx, slug, email=email, display_name=name, reply=reply_of(body.reply), reply_details=reply_details
        )
    return json_response(GuestAnswerOutput(iso(guest_rsvp.expires_at)), 202)


OPERATIONS = (
    ApiOperation(
        "POST",
        "/api/events/{slug}/guest-answers",
        "askToConfirmAnswer",
        "Answer without an account; a link in an e-mail confirms it",
        ask,
        {202: GuestAnswerOutput},
        GuestAnswerInput,
        needs_session=False,
        failures=(404, 422, 429),
    ),
)
