"""Host message pages: the form, a preview with the number of recipients, and the sent messages."""

import secrets
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.clock import Instant
from groundwork.errors import InvalidForm, InvalidInput, Refused, TooMany
from groundwork.http.forms import FormState, form_with_problems, read_form
from openmeet.domain.events.model import MAX_KEY, Event
from openmeet.domain.host_messages import actions, queries
from openmeet.domain.host_messages.actions import check
from openmeet.domain.host_messages.queries import Addressees, HostMessage, MessageId, MessageState
from openmeet.domain.page_paths import event_path
from openmeet.emails.notifications.preview import message_mail
from openmeet.i18n import formatting
from openmeet.i18n.catalogue import lazy
from openmeet.recurrence import wall_time
from openmeet.web.media.subject import subject_of_event
from openmeet.web.site.caller import caller_of
from openmeet.web.site.layout import go, page
from openmeet.web.site.services import services
from openmeet.web.site.slugs import event_slug_of
from openmeet.web.site.tenant_routing import database_of

LABELS = {"addressees": lazy("Recipients"), "text": lazy("Message"), "send_at": lazy("Send at")}
WORDS = {
    Addressees.GOING: lazy("going"),
    Addressees.INTERESTED: lazy("maybe"),
    Addressees.WAITING: lazy("waiting for a place"),
    Addressees.ATTENDED: lazy("were there (checked in)"),
}
CHOICES = {
    Addressees.GOING: lazy("People who are going"),
    Addressees.INTERESTED: lazy("People who said maybe"),
    Addressees.WAITING: lazy("People waiting for a place or for your answer"),
    Addressees.ATTENDED: lazy("People who were there (checked in)"),
}
_STATES = {
    MessageState.SCHEDULED: lazy("will be sent later"),
    MessageState.SENT: lazy("sent"),
    MessageState.CALLED_OFF: lazy("not sent"),
}


def routes() -> list[Route]:
    return [
        Route("/events/{slug}/messages", show, methods=["GET"]),
        Route("/events/{slug}/messages", write, methods=["POST"]),
        Route("/events/{slug}/messages/{message}/call-off", call_off, methods=["POST"]),
    ]


async def show(request: Request) -> Response:
    return await _message_form_page(request, None)


async def write(request: Request) -> Response:
    form = await read_form(request)
    addressees = [choice.value for choice in Addressees if form.get(f"addressees.{choice.value}")]
    try:
        send_at = await _send_at(request, form)
        if form.get("step") != "send":
            return await _preview_page(request, form, addressees, send_at)
        async with database_of(request).transaction() as tx:
            message = await actions.write(
                tx,
                caller_of(request),
                event_slug_of(request),
                form.get("text", ""),
                addressees,
                send_at=send_at,
                submission_key=form.get("submission", "")[:MAX_KEY] or None,
            )
    except InvalidForm as wrong:
        return await _message_form_page(request, form_with_problems(form, wrong), status=400)
    except (Refused, TooMany) as refused:
        status = 429 if isinstance(refused, TooMany) else 422
        renewed = {"submission": secrets.token_urlsafe(16)} if isinstance(refused, actions.AlreadyWritten) else {}
        return await _message_form_page(request, FormState({**form, **renewed}, {"": refused.why}), status=status)
    flash = "message_sent" if message.state is MessageState.SENT else "message_scheduled"
    return go(f"{event_path(event_slug_of(request))}/messages", flash=flash)


async def call_off(request: Request) -> Response:
    async with database_of(request).transaction() as tx:
        await actions.cancel(tx, caller_of(request), event_slug_of(request), MessageId(request.path_params["message"]))
    return go(f"{event_path(event_slug_of(request))}/messages", flash="message_called_off")


async def _preview_page(
    request: Request, form: dict[str, str], addressees: list[str], send_at: Instant | None
) -> Response:
    """Show the message and the number of its recipients before anything is sent."""
    caller = caller_of(request)
    async with database_of(request).reader() as reader:
        event = await actions.find_for_host(reader, caller, event_slug_of(request))
        text, checked_addressees = check(form.get("text", ""), addressees, send_at, reader.now)
        recipients = await actions.recipients(reader, event, checked_addressees, caller.user_id)
        mail = await message_mail(
            reader,
            event,
            caller.user_id,
            text,
            public_url=services(request).settings.public_url,
            is_going=bool({Addressees.GOING, Addressees.ATTENDED} & set(checked_addressees)),
        )
    preview = {
        "mail": mail,
        "reached": len(recipients.reached),
        "unreached": recipients.unreached,
        "whom": ", ".join(str(WORDS[one]) for one in checked_addressees),
        "at": "" if send_at is None else _time_label(send_at, event, reader.now),
    }
    return await _message_form_page(request, FormState(form), preview=preview)


async def _message_form_page(
    request: Request, form_state: FormState | None, *, preview: dict[str, object] | None = None, status: int = 200
) -> Response:
    """The form, empty without ``form_state``."""
    async with database_of(request).reader() as reader:
        caller = caller_of(request)
        event = await actions.find_for_host(reader, caller, event_slug_of(request))
        counts = await actions.counts(reader, event, caller.user_id)
        written = await queries.of_event(reader, event.id)
    context = {
        "event": event,
        "subject": subject_of_event(event, reader.now),
        "typed": form_state or _empty_form(counts, is_over=event.is_over(reader.now)),
        "labels": LABELS,
        "lengths": {"text": queries.MAX_TEXT},
        "preview": preview,
        "choices": [
            (one.value, CHOICES[one], counts[one])
            for one in Addressees
            # Before the event, nobody was there.
            if one is not Addressees.ATTENDED or counts[one] or event.is_over(reader.now)
        ],
        "written": [_message_row(one, event, reader.now) for one in written],
    }
    return page(request, "host_messages/messages.html", context, status=status)


def _empty_form(counts: Mapping[Addressees, int], *, is_over: bool) -> FormState:
    """A new form for the first audience that has people. Once the event is over, it is for the people who were there, if
    anybody was checked in.
    """
    first = next((one for one in Addressees if counts[one]), Addressees.GOING)
    if is_over and counts[Addressees.ATTENDED]:
        first = Addressees.ATTENDED
    return FormState({"submission": secrets.token_urlsafe(16), f"addressees.{first.value}": "yes"})


def _message_row(message: HostMessage, event: Event, now: Instant) -> dict[str, object]:
    at = message.sent_at or message.send_at
    return {
        "id": message.id,
        "text": message.text,
        "when": _time_label(at, event, now),
        "whom": ", ".join(str(WORDS[addressee]) for addressee in message.addressees),
        "state": _STATES[message.state],
        "recipients": message.recipients,
        "is_sent": message.state is MessageState.SENT,
        "may_be_called_off": message.state is MessageState.SCHEDULED,
    }


def _time_label(at: Instant, event: Event, now: Instant) -> str:
    local = wall_time.local_of(at, event.time_zone)
    today = wall_time.local_of(now, event.time_zone).date()
    return f"{formatting.span(local, None, today)} {formatting.zone_label(local, event.time_zone)}"


async def _send_at(request: Request, form: dict[str, str]) -> Instant | None:
    text = form.get("send_at", "").strip()
    if not text:
        return None
    async with database_of(request).reader() as reader:
        event = await actions.find_for_host(reader, caller_of(request), event_slug_of(request))
    try:
        local = wall_time.parse_local(text, "send_at")
    except InvalidInput as wrong:
        raise InvalidForm({"send_at": wrong.why}) from None
    return wall_time.instant_of(local, event.time_zone)
