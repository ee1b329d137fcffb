"""Check-in and tickets, as JSON."""

from typing import ClassVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from groundwork.database.transaction import Transaction
from groundwork.errors import InvalidInput, NotFound
from groundwork.http.json_bodies import json_response, read_json
from openmeet.domain.attendance import host_decisions, host_list, rsvp_list_texts
from openmeet.domain.attendance.model import Attendance, AttendanceId, AttendanceStatus
from openmeet.domain.attendance.reasons import AttendanceReason
from openmeet.domain.check_in import tickets as actions
from openmeet.domain.check_in.tickets import CheckInReason
from openmeet.domain.identities.queries import shown_names
from openmeet.i18n.formatting import iso_or_none
from openmeet.web.api.operations import ApiOperation
from openmeet.web.check_in import pages
from openmeet.web.site.caller import caller_of
from openmeet.web.site.services import services
from openmeet.web.site.slugs import event_slug_of
from openmeet.web.site.tenant_routing import database_of

_PATH = "/api/events/{slug}/check-ins"


class CheckInInput(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """The attendee to check in. Send exactly one of the ticket code and the attendance id."""

    EXAMPLE: ClassVar[dict[str, object]] = {"ticketCode": "7KQM-4T2P-9XAB"}

    ticket_code: str | None = None
    attendance_id: str | None = None


class CheckInOutput(msgspec.Struct, rename="camel"):
    """The attendee's status, and how many of the expected attendees have checked in.

    If ``isRepeated`` is true, they were already checked in, and ``thereSince`` is the time of the first check-in.
    """

    attendance_id: str
    display_name: str
    status: AttendanceStatus
    party: int
    people_there: int
    people_expected: int
    there_since: str | None
    is_repeated: bool


class TicketOutput(msgspec.Struct, rename="camel"):
    """The caller's ticket. ``scanUrl`` is the content of its QR code."""

    ticket_code: str
    scan_url: str
    party: int


async def check_in(request: Request) -> Response:
    caller, body = caller_of(request), await read_json(request, CheckInInput)
    if (body.ticket_code is None) is (body.attendance_id is None):
        raise InvalidInput("ticketCode", CheckInReason.TICKET_NEEDED)
    if body.attendance_id is not None:
        attendance_id = AttendanceId(body.attendance_id)
    else:
        attendance_id = await pages.holder_of_code(request, body.ticket_code or "")
    async with database_of(request).transaction() as tx:
        before = attendance_id in await actions.check_in_times_of(tx, [attendance_id])
        saved = await host_decisions.check_in(tx, caller, event_slug_of(request), attendance_id)
        shown = await _check_in_output(tx, saved, is_repeated=before)
    return json_response(shown)


async def undo(request: Request) -> Response:
    caller = caller_of(request)
    async with database_of(request).transaction() as tx:
        attendance_id = AttendanceId(request.path_params["attendanceId"])
        shown = await _check_in_output(
            tx, await host_decisions.undo_check_in(tx, caller, event_slug_of(request), attendance_id)
        )
    return json_response(shown)


async def show_ticket(request: Request) -> Response:
    caller = caller_of(request)
    async with database_of(request).reader() as reader:
        event, own_rsvp = await actions.own_ticket(reader, caller, event_slug_of(request))
    code = actions.code_of(services(request).code_key, own_rsvp.id)
    address = pages.ticket_url(services(request).settings.public_url, event.slug, code)
    return json_response(TicketOutput(code, address, own_rsvp.party))


async def _check_in_output(tx: Transaction, saved: Attendance, *, is_repeated: bool = False) -> CheckInOutput:
    listed = await host_list.entries_by_ids(tx, saved.event_id, [saved.id])
    if not listed:
        raise NotFound(AttendanceReason.NO_SUCH_ANSWER)
    names = await shown_names(tx, [saved.user_id])
    counts = await actions.counts(tx, saved.event_id)
    name = rsvp_list_texts.text_of(listed[0], names).name
    since = (await actions.check_in_times_of(tx, [saved.id])).get(saved.id)
    return CheckInOutput(
        saved.id,
        name,
        saved.status,
        saved.party,
        counts.there,
        counts.expected,
        iso_or_none(since),
        is_repeated,
    )


OPERATIONS = (
    ApiOperation(
        "POST",
        _PATH,
        "checkIn",
        "Check in an attendee, from a day before the start until a week after the end. Repeating it changes nothing",
        check_in,
        {200: CheckInOutput},
        CheckInInput,
        failures=(403, 404, 422),
    ),
    ApiOperation(
        "DELETE",
        f"{_PATH}/{{attendanceId}}",
        "undoCheckIn",
        "Undo a check-in",
        undo,
        {200: CheckInOutput},
        failures=(403, 404),
    ),
    ApiOperation(
        "GET",
        "/api/events/{slug}/ticket",
        "showTicket",
        "Your own ticket",
        show_ticket,
        {200: TicketOutput},
        failures=(404,),
    ),
)
