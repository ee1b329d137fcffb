"""Hosts' decisions about attendees, as JSON."""

from collections.abc import AsyncIterator, Sequence
from typing import Annotated, ClassVar, Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from groundwork.database.transaction import Database, Reader
from groundwork.errors import InvalidInput, NotFound
from groundwork.http.json_bodies import json_response, read_json
from openmeet.domain.attendance import (
    history,
    host_decisions,
    host_list,
    invitations,
    registration,
    rsvp_details,
    rsvp_list,
    rsvp_list_texts,
)
from openmeet.domain.attendance.host_decisions import DECIDED_AT_ONCE, HostDecision
from openmeet.domain.attendance.host_list import HostListFilter
from openmeet.domain.attendance.model import AttendanceId, AttendanceMode, AttendanceStatus
from openmeet.domain.attendance.reasons import AttendanceReason
from openmeet.domain.attendance.rsvp_list import RsvpListEntry
from openmeet.domain.events.model import Event, EventSlug
from openmeet.domain.identities.queries import shown_names
from openmeet.domain.users.model import Caller
from openmeet.i18n.formatting import iso, iso_or_none
from openmeet.web.api.operations import ApiOperation, Parameter
from openmeet.web.api.pagination import CURSOR, LIMIT, limit_of, paging
from openmeet.web.attendance import attendees_csv
from openmeet.web.attendance.api import History, ModeName, history_output
from openmeet.web.attendance.invitation_limit import spend_on_invitation
from openmeet.web.site.caller import caller_of
from openmeet.web.site.slugs import event_slug_of
from openmeet.web.site.tenant_routing import database_of

DEFAULT_LIMIT = 100
MAX_LIMIT = 500

_BASE = "/api/events/{slug}/attendances"


class FormResponseOutput(msgspec.Struct, rename="camel"):
    """A response to a host's question, with the question as it was worded then. The question may have been changed or
    deleted since.
    """

    question_id: str
    question: str
    answer: str


class HostAttendeeOutput(msgspec.Struct, rename="camel"):
    """One RSVP as hosts see it. ``checkedInAt`` is null before check-in.

    If somebody was invited by e-mail address, ``displayName`` is that address and ``personId`` is null until they
    answer. Otherwise the host would learn who owns the address. Somebody who answers with neither an account nor a
    name keeps the address as ``displayName``.
    """

    id: str
    person_id: str | None
    display_name: str
    status: AttendanceStatus
    party: int
    guest_names: list[str]
    mode: ModeName | None
    pending_for: Literal["approval", "apart", "unclear"] | None
    is_guest: bool
    is_private: bool
    offered_until: str | None
    answered_at: str
    checked_in_at: str | None
    answers: list[FormResponseOutput]


class AnswersByStatus(msgspec.Struct, rename="camel"):
    """Number of RSVPs to an event by status, on all pages together."""

    attending: int
    interested: int
    declined: int
    pending: int
    waitlisted: int
    invited: int
    rejected: int
    attended: int


class HostListOutput(msgspec.Struct, rename="camel"):
    """One page of an event's RSVPs as hosts see them, and the numbers of all. ``cursor`` is null on the last page."""

    attendances: list[HostAttendeeOutput]
    cursor: str | None
    by_status: AnswersByStatus


class AdditionInput(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """Add an attendee by name, or invite somebody by e-mail address. Send exactly one of the two.

    ``party`` and ``mode`` are for somebody added by name; people who are invited choose them in their answer.
    ``forSeries`` requires an address. It sends an invitation to every upcoming date of the event's series, including
    dates added later.
    """

    EXAMPLE: ClassVar[dict[str, object]] = {"displayName": "Old Tom", "party": 2}

    display_name: str | None = None
    email: str | None = None
    party: int = 1
    mode: ModeName | None = None
    for_series: bool = False


class DecisionInput(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """Approve or reject up to 500 RSVPs at once, or give them places from the waitlist. With ``approve``, a null
    ``attendanceIds`` means all that need a decision. RSVPs whose ``pendingFor`` is ``unclear`` stay as they
    are.

    ``remove`` rejects an RSVP, whether the person asked to come, has a place or was invited. Its status is then
    ``rejected``, until a host restores it.
    ``place`` ignores the order of the waitlist. People for whom no place is free become first in it (``waiting``).
    """

    decision: HostDecision
    attendance_ids: Annotated[list[str], msgspec.Meta(max_length=DECIDED_AT_ONCE)] | None = None


class DecisionCountsOutput(msgspec.Struct, rename="camel"):
    """The number of RSVPs that this request decided; ``removed`` are the rejected ones. ``restored`` are those that had
    been rejected and were approved, but whose person had not asked to come or was already checked in: they have their
    earlier status again. RSVPs that somebody else decided first are not counted.
    """

    seated: int
    waiting: int
    removed: int
    restored: int


class CsvOutput(msgspec.Struct, rename="camel"):
    """The list as CSV (RFC 4180). It is safe to open in spreadsheets."""

    csv: str


async def list_for_hosts(request: Request) -> Response:
    query_params = request.query_params
    limit = limit_of(request, DEFAULT_LIMIT, MAX_LIMIT)
    status = query_params.get("status", "")
    statuses = (AttendanceStatus(status),) if status else tuple(AttendanceStatus)
    after = rsvp_list.parse_cursor(query_params.get("cursor", ""))
    async with database_of(request).reader() as reader:
        event = await host_decisions.find_hosted_event(reader, caller_of(request), event_slug_of(request))
        rows = await host_list.entries(
            reader, event.id, HostListFilter(statuses, query_params.get("q", "").strip()), after, limit + 1
        )
        page = rows[:limit]
        shown = await _attendee_outputs(reader, event, page)
        numbers = await host_list.count_by_status(reader, event.id)
    cursor = rsvp_list.format_cursor(page[-1]) if len(rows) > len(page) else None
    return json_response(HostListOutput(shown, cursor, AnswersByStatus(**numbers)))


async def add(request: Request) -> Response:
    caller, slug = caller_of(request), event_slug_of(request)
    body = await read_json(request, AdditionInput)
    if (body.display_name is None) is (body.email is None):
        raise InvalidInput("displayName", AttendanceReason.NAME_OR_EMAIL_NEEDED)
    if body.email is None and body.for_series:
        raise InvalidInput("forSeries", AttendanceReason.SERIES_NEEDS_EMAIL)
    for field, is_given in (("party", body.party != 1), ("mode", body.mode is not None)):
        if body.email is not None and is_given:
            raise InvalidInput(field, AttendanceReason.INVITED_CHOOSE_THEMSELVES)
    if body.email is not None:
        await spend_on_invitation(request, caller, slug, body.email, for_series=body.for_series)
    async with database_of(request).transaction() as tx:
        if body.email is not None:
            saved = await invitations.invite(tx, caller, slug, body.email, for_series=body.for_series)
        else:
            mode = AttendanceMode(body.mode) if body.mode else None
            saved = await host_decisions.add(tx, caller, slug, body.display_name or "", party=body.party, mode=mode)
        shown = await _one_attendee(tx, caller, slug, saved.id)
    return json_response(shown, 201)


async def decide(request: Request) -> Response:
    caller, body = caller_of(request), await read_json(request, DecisionInput)
    ids = None if body.attendance_ids is None else [AttendanceId(one) for one in body.attendance_ids]
    if ids is None and body.decision is HostDecision.APPROVE:
        decision_counts = await host_decisions.approve_all(database_of(request), caller, event_slug_of(request))
    elif ids is None:
        raise InvalidInput("attendanceIds", AttendanceReason.PERSON_NEEDED)
    else:
        async with database_of(request).transaction() as tx:
            decision_counts = await host_decisions.decide(tx, caller, event_slug_of(request), body.decision, ids)
    return json_response(
        DecisionCountsOutput(
            decision_counts.seated, decision_counts.waiting, decision_counts.rejected, decision_counts.restored
        )
    )


async def restore(request: Request) -> Response:
    caller = caller_of(request)
    async with database_of(request).transaction() as tx:
        saved = await host_decisions.restore(tx, caller, event_slug_of(request), _attendance_id(request))
        shown = await _one_attendee(tx, caller, event_slug_of(request), saved.id)
    return json_response(shown)


async def show_history(request: Request) -> Response:
    page = paging(request)
    async with database_of(request).reader() as reader:
        event = await host_decisions.find_hosted_event(reader, caller_of(request), event_slug_of(request))
        if not await host_list.entries_by_ids(reader, event.id, [_attendance_id(request)]):
            raise NotFound(AttendanceReason.NO_SUCH_ANSWER)
        changes = await history.of_rsvp(reader, _attendance_id(request), page)
    return json_response(history_output(page, changes))


async def export(request: Request) -> Response:
    db = database_of(request)
    async with db.reader() as reader:
        event = await host_decisions.find_hosted_event(reader, caller_of(request), event_slug_of(request))
    return StreamingResponse(_csv_output(db, event), media_type="application/json")


async def _csv_output(db: Database, event: Event) -> AsyncIterator[bytes]:
    """A ``CsvOutput`` as JSON, one part of the table at a time."""
    yield b'{"csv":"'
    async for part in attendees_csv.csv_parts(db, event):
        yield msgspec.json.encode(part)[1:-1]
    yield b'"}'


async def _one_attendee(
    reader: Reader, caller: Caller, slug: EventSlug, attendance_id: AttendanceId
) -> HostAttendeeOutput:
    event = await host_decisions.find_hosted_event(reader, caller, slug)
    found = await _attendee_outputs(reader, event, await host_list.entries_by_ids(reader, event.id, [attendance_id]))
    if not found:
        raise NotFound(AttendanceReason.NO_SUCH_ANSWER)
    return found[0]


async def _attendee_outputs(reader: Reader, event: Event, people: Sequence[RsvpListEntry]) -> list[HostAttendeeOutput]:
    names = await shown_names(reader, [one.user_id for one in people])
    event_registration = await registration.registration_of(reader, event)
    details = await rsvp_details.details_for_hosts(reader, event_registration, [one.attendance_id for one in people])
    return [_attendee_output(one, rsvp_list_texts.text_of(one, names), details[one.attendance_id]) for one in people]


def _attendee_output(
    attendee: RsvpListEntry, row: rsvp_list_texts.RsvpListText, details: rsvp_details.DetailsForHosts
) -> HostAttendeeOutput:
    return HostAttendeeOutput(
        id=attendee.attendance_id,
        person_id=None if row.is_named_by_address else attendee.user_id,
        display_name=row.name,
        status=attendee.status,
        party=attendee.party,
        guest_names=list(row.companion_names),
        mode=attendee.mode.value if attendee.mode else None,
        pending_for=attendee.pending_for.value if attendee.pending_for else None,
        is_guest=row.is_guest,
        is_private=row.is_private,
        offered_until=iso_or_none(attendee.offered_until),
        answered_at=iso(attendee.answered_at),
        checked_in_at=iso_or_none(details.checked_in_at),
        answers=[
            FormResponseOutput(one.question_id, question=one.question_text, answer=one.text)
            for one in details.responses
        ],
    )


def _attendance_id(request: Request) -> AttendanceId:
    return AttendanceId(request.path_params["attendanceId"])


OPERATIONS = (
    ApiOperation(
        "GET",
        _BASE,
        "listAttendances",
        "All answers, for hosts, including those of people who do not want to be listed",
        list_for_hosts,
        {200: HostListOutput},
        parameters=(
            Parameter("status", "One status only", shape=AttendanceStatus),
            Parameter("q", "Part of a name or handle"),
            CURSOR,
            Parameter("limit", f"Answers per page, 1 to {MAX_LIMIT}", shape=int),
        ),
        failures=(403, 404),
    ),
    ApiOperation(
        "POST",
        _BASE,
        "addAttendance",
        "Add somebody by name, or invite somebody by address",
        add,
        {201: HostAttendeeOutput},
        AdditionInput,
        failures=(403, 404, 422, 429),
    ),
    ApiOperation(
        "POST",
        f"{_BASE}/decisions",
        "decideAttendances",
        "Approve or reject several answers at once, or give them places from the waitlist",
        decide,
        {200: DecisionCountsOutput},
        DecisionInput,
        failures=(403, 404, 422),
    ),
    ApiOperation(
        "GET",
        f"{_BASE}/table",
        "exportAttendances",
        "All answers as CSV",
        export,
        {200: CsvOutput},
        failures=(403, 404),
        is_streamed=True,
    ),
    ApiOperation(
        "POST",
        f"{_BASE}/{{attendanceId}}/restore",
        "restoreAttendance",
        "Restore an answer that a host rejected",
        restore,
        {200: HostAttendeeOutput},
        failures=(403, 404),
    ),
    ApiOperation(
        "GET",
        f"{_BASE}/{{attendanceId}}/history",
        "showAttendanceHistory",
        "The history of an answer, for hosts",
        show_history,
        {200: History},
        parameters=(CURSOR, LIMIT),
        failures=(403, 404),
    ),
)
