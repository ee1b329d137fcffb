"""Imports, as JSON. An upload returns a preview, and a second request imports it."""

from typing import ClassVar, Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from groundwork.errors import InvalidInput, NotFound, decode_explanation
from groundwork.http.json_bodies import json_name, json_response, read_json
from openmeet.domain.imports import events, people, queries
from openmeet.domain.imports.events import NOTHING, likely_duplicates
from openmeet.domain.imports.guest_list import means_no
from openmeet.domain.imports.model import (
    FileReading,
    Import,
    ImportId,
    ImportKind,
    ImportMatch,
    ImportReason,
    SelectedEvents,
)
from openmeet.domain.imports.updates import ImportUpdate, updates_of
from openmeet.domain.paging import ALL_ROWS, Page
from openmeet.domain.users.model import Caller
from openmeet.i18n.reasons.messages import explain
from openmeet.web.api.operations import ApiOperation
from openmeet.web.api.pagination import CURSOR, LIMIT, paging
from openmeet.web.imports.intake import reading_of, receive_import
from openmeet.web.site.caller import caller_of
from openmeet.web.site.rate_limits import spend_on_list_invitations
from openmeet.web.site.services import services
from openmeet.web.site.tenant_routing import database_of, workers_of

# The body can be a calendar file.
CALENDAR = "text/calendar"


class ImportInput(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """For events, send ``ics`` or ``url``. For contacts of an ``event`` or ``group`` of the caller, send ``csv``, with
    ``columns`` that map meanings to column names.
    """

    EXAMPLE: ClassVar[dict[str, object]] = {"ics": "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nEND:VCALENDAR\r\n"}

    ics: str | None = None
    url: str | None = None
    csv: str | None = None
    event: str | None = None
    group: str | None = None
    columns: dict[str, str] = {}


class DifferenceOutput(msgspec.Struct, rename="camel"):
    """A field that has changed in the file since its import, named as in the event form. ``isEditedHere`` means that
    the field was changed on this site as well.
    """

    field: str
    before: str
    after: str
    is_edited_here: bool = False


class FoundEvent(msgspec.Struct, rename="camel"):
    """One parsed event. ``changes`` is the number of single dates that differ from the rule. Only events that are
    ``new`` are imported.

    ``looksLike`` is the path of an event of the caller that is probably the same, or empty. An event with ``looksLike``
    is imported only if the request names it, and so is an event that ``isOver``.

    ``differences`` lists changes in the file since the event at ``path`` was imported. They are applied only if the
    request names the event. In them, ``dates`` counts changed single dates, and ``status`` means that the event is
    cancelled.
    """

    uid: str
    title: str
    when: str
    time_zone: str
    recurrence: str
    changes: int
    is_cancelled: bool
    is_over: bool
    standing: Literal["new", "known", "own"]
    warnings: list[str]
    looks_like: str
    looks_like_uid: str
    differences: list[DifferenceOutput]
    path: str


class FoundPerson(msgspec.Struct, rename="camel"):
    """One row of a list. ``problem`` says why the row is skipped.

    ``meansNo`` means that, according to their ``status``, the person is not coming. They are added only if the request
    names them.
    """

    line: int
    name: str
    email: str
    status: str
    problem: str
    means_no: bool


class FoundPeople(msgspec.Struct, rename="camel"):
    """A parsed list. ``service`` is the service that exported it, if it was recognized.

    ``byName`` is the number of new people without an address. They are listed but get no e-mail.
    """

    service: str
    header: list[str]
    columns: dict[str, str]
    new_people: int
    known_people: int
    rows: list[FoundPerson]
    by_name: int


class OutcomeOutput(msgspec.Struct, rename="camel"):
    """The result of an import. ``made`` has the paths of new drafts and series, ``updated`` those of events that were
    changed to match the file.
    """

    made: list[str]
    updated: list[str]
    known: int
    left_out: list[str]
    new_people: int


class ImportOutput(msgspec.Struct, rename="camel"):
    """An upload. ``outcome`` is null until it has been imported.

    ``cursor`` leads to the next events or rows of ``people``. It is null on the last page. Counts and warnings cover
    the whole file.
    """

    id: str
    what: Literal["events", "guests", "members"]
    events: list[FoundEvent]
    people: FoundPeople | None
    warnings: list[str]
    outcome: OutcomeOutput | None
    cursor: str | None


class Confirmation(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """``events`` are the UIDs to import. Null means all new events that are not over and have no likely
    duplicate.

    ``updates`` are the UIDs of previously imported events to which to apply the ``differences``. ``people`` are line
    numbers of a list to add. Null means all new people except those whose status means that they are not coming.
    ``timeZone`` is used for events with no time zone or an unknown one. Null keeps the zone in the preview.
    """

    events: list[str] | None = None
    updates: list[str] = []
    people: list[int] | None = None
    time_zone: str | None = None


class InvitationsInput(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """``expectedPeople`` is the number that was shown to the host. If it has changed, nothing is sent."""

    expected_people: int
    message: str = ""


class InvitationsSent(msgspec.Struct, rename="camel"):
    """The number of people who are sent the invitation. ``leftOut``: the addresses that have already got too many
    invitations today. They stay on the list and can be invited tomorrow.
    """

    people: int
    left_out: list[str]


async def create(request: Request) -> Response:
    caller = caller_of(request)
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() == CALENDAR:
        # Keep the bytes. A folded line can split a character, so only the whole file can be decoded.
        import_id = await receive_import(request, caller, None, url="", content=await request.body(), name="")
        return await _import_response(request, caller, import_id, 201)
    body = await read_json(request, ImportInput)
    is_list = body.csv is not None
    if sum(one is not None for one in (body.ics, body.url, body.csv)) != 1:
        raise InvalidInput("ics", ImportReason.SOURCE_NEEDED)
    if is_list is not ((body.event is None) != (body.group is None)):
        raise InvalidInput("event", ImportReason.TARGET_OF_PEOPLE)
    target = None
    if is_list:
        target_kind, slug = (ImportKind.GUESTS, body.event) if body.event else (ImportKind.MEMBERS, body.group)
        async with database_of(request).transaction() as tx:
            target = await people.target_of(tx, caller, target_kind, slug or "")
    content = (body.csv or body.ics or "").encode()
    import_id = await receive_import(request, caller, target, url=body.url or "", content=content, name="")
    if body.columns:
        async with database_of(request).transaction() as tx:
            await queries.choose_columns(tx, import_id, body.columns)
    return await _import_response(request, caller, import_id, 201)


async def show(request: Request) -> Response:
    caller, page = caller_of(request), paging(request)
    return await _import_response(request, caller, _import_id(request), 200, page)


async def confirm(request: Request) -> Response:
    caller = caller_of(request)
    body = await read_json(request, Confirmation, is_optional=True)
    arrived = await _own_import(request, caller)
    if arrived.what is ImportKind.EVENTS:
        async with database_of(request).reader() as reader:
            reading = await reading_of(request, reader, caller)
        if body.time_zone is not None and arrived.outcome is None:
            async with database_of(request).transaction() as tx:
                await events.choose_zone(tx, arrived, body.time_zone)
        to_create = None if body.events is None else frozenset(body.events)
        selection = SelectedEvents(to_create, to_update=frozenset(body.updates))
        host, workers = services(request).settings.public_host, workers_of(request, caller.user_id)
        await events.import_events(database_of(request), workers, caller, arrived.id, selection, reading, host)
    else:
        lines: dict[int, bool] = {}
        if body.people is not None:
            contacts = await people.parse_uploaded_list(workers_of(request, caller.user_id), arrived)
            lines = {row.line: row.line in set(body.people) for row in contacts.rows}
        await people.add_to_list(database_of(request), workers_of(request, caller.user_id), caller, arrived.id, lines)
    return await _import_response(request, caller, arrived.id, 200)


def _difference_outputs(update: ImportUpdate | None) -> list[DifferenceOutput]:
    if update is None:
        return []
    differences = [
        DifferenceOutput(json_name(one.field), one.before, one.after, one.is_edited_here) for one in update.fields
    ]
    if update.changes:
        differences.append(DifferenceOutput("dates", "", str(len(update.changes))))
    if update.becomes_cancelled:
        differences.append(DifferenceOutput("status", "scheduled", "cancelled"))
    return differences


async def invite(request: Request) -> Response:
    """Send the invitation to everyone on the list of this import's event or group who has not been sent one yet."""
    caller = caller_of(request)
    body = await read_json(request, InvitationsInput)
    arrived = await _own_import(request, caller)
    if arrived.what is ImportKind.EVENTS:
        raise NotFound(ImportReason.NO_PEOPLE)
    async with database_of(request).reader() as reader:
        listed = await people.find_target_by_id(reader, caller, arrived.what, arrived.target)
        addresses = await people.addresses_to_invite(reader, caller, listed.what, listed.slug)
    left_out: set[str] = set()
    if len(addresses) == body.expected_people:
        left_out = await spend_on_list_invitations(request, caller.user_id, addresses)
    async with database_of(request).transaction() as tx:
        target = await people.target_by_id(tx, caller, arrived.what, arrived.target)
        sent = await people.invite(
            tx,
            caller,
            target.what,
            target.slug,
            message=body.message,
            expected=body.expected_people,
            without=left_out,
        )
    return json_response(InvitationsSent(sent.number, [one.email for one in sent.left_out]))


async def _import_response(
    request: Request, caller: Caller, import_id: ImportId, status: int, page: Page = ALL_ROWS
) -> Response:
    async with database_of(request).reader() as reader:
        arrived = await queries.find(reader, caller.user_id, import_id)
        reading = await reading_of(request, reader, caller)
    if arrived is None:
        raise NotFound(ImportReason.NO_SUCH_IMPORT)
    headers = {"location": f"/api/imports/{import_id}"} if status == 201 else None
    return json_response(await _import_output(request, caller, arrived, reading, page), status, headers)


async def _import_output(
    request: Request, caller: Caller, arrived: Import, reading: FileReading, requested_page: Page
) -> ImportOutput:
    output = ImportOutput(arrived.id, arrived.what.value, [], None, [], None, None)
    if arrived.outcome is not None:
        report = arrived.outcome
        output.outcome = OutcomeOutput(
            report.get("made", []),
            report.get("updated", []),
            int(report.get("known", 0)),
            [explain(decode_explanation(one)) for one in report.get("left_out", [])],
            int(report.get("new", 0)),
        )
        return output
    if arrived.what is ImportKind.EVENTS:
        await _add_events(request, caller, arrived, reading, requested_page, output)
    else:
        await _add_people(request, caller, arrived, requested_page, output)
    return output


async def _add_events(
    request: Request,
    caller: Caller,
    arrived: Import,
    reading: FileReading,
    requested_page: Page,
    output: ImportOutput,
) -> None:
    whole = await events.parse_upload(workers_of(request, caller.user_id), arrived, reading)
    async with database_of(request).reader() as reader:
        host = services(request).settings.public_host
        matches = await events.matches(reader, caller.user_id, whole.events, host)
        alike = await likely_duplicates(reader, caller.user_id, whole.events)
        differing = await updates_of(reader, caller.user_id, whole.events)
        now = reader.now
    output.warnings = list(whole.warnings)
    page, output.cursor = requested_page.cut(
        list(enumerate(whole.events, 1))[_offset(requested_page) :], _number_cursor
    )
    output.events = [
        FoundEvent(
            event.uid,
            event.typed.title,
            event.when,
            event.typed.time_zone,
            event.rule,
            len(event.changes),
            event.is_cancelled,
            event.is_over(now),
            matches[event.uid].value,
            list(event.warnings),
            one.path,
            one.uid,
            _difference_outputs(differing.get(event.uid)),
            differing[event.uid].path if event.uid in differing else "",
        )
        for _, event in page
        for one in [alike.get(event.uid, NOTHING) if matches[event.uid] is ImportMatch.NEW else NOTHING]
    ]


async def _add_people(
    request: Request, caller: Caller, arrived: Import, requested_page: Page, output: ImportOutput
) -> None:
    async with database_of(request).reader() as reader:
        # The counts below tell which of these people the hosts have on their list.
        await people.find_target_by_id(reader, caller, arrived.what, arrived.target)
    contacts = await people.parse_uploaded_list(workers_of(request, caller.user_id), arrived)
    async with database_of(request).reader() as reader:
        fresh, listed = await people.new_rows(reader, arrived, contacts)
    output.warnings = list(contacts.warnings)
    page, output.cursor = requested_page.cut(
        list(enumerate(contacts.rows, 1))[_offset(requested_page) :], _number_cursor
    )
    rows = [
        FoundPerson(row.line, row.name, row.email, row.status, row.problem, means_no(row.status)) for _, row in page
    ]
    columns = {column.value: name for column, name in contacts.columns.items()}
    output.people = FoundPeople(
        contacts.service, list(contacts.header), columns, len(fresh), listed, rows, sum(not row.email for row in fresh)
    )


def _offset(page: Page) -> int:
    """The number of rows before the page. An upload never changes, so an offset is a valid cursor."""
    return page.after[0] if page.after else 0


def _number_cursor(one: tuple[int, object]) -> tuple[int, str]:
    return one[0], str(one[0])


async def _own_import(request: Request, caller: Caller) -> Import:
    async with database_of(request).reader() as reader:
        own_import = await queries.find(reader, caller.user_id, _import_id(request))
    if own_import is None:
        raise NotFound(ImportReason.NO_SUCH_IMPORT)
    return own_import


def _import_id(request: Request) -> ImportId:
    return ImportId(request.path_params["id"])


OPERATIONS = (
    ApiOperation(
        "POST",
        "/api/imports",
        "createImport",
        "Parse a calendar, the page of an event, or a list of people. Nothing is imported yet",
        create,
        {201: ImportOutput},
        ImportInput,
        failures=(403, 404, 413, 422, 502, 504),
        takes_files=(CALENDAR,),
    ),
    ApiOperation(
        "GET",
        "/api/imports/{id}",
        "showImport",
        "The import as it was parsed, or its result",
        show,
        {200: ImportOutput},
        parameters=(CURSOR, LIMIT),
        failures=(403, 404, 422),
    ),
    ApiOperation(
        "POST",
        "/api/imports/{id}/confirm",
        "confirmImport",
        "Run the import: events become drafts, people are added to a list and get no e-mail. Repeating it changes nothing",
        confirm,
        {200: ImportOutput},
        Confirmation,
        body_is_optional=True,
        failures=(403, 404, 422),
    ),
    ApiOperation(
        "POST",
        "/api/imports/{id}/invitations",
        "inviteImported",
        "Send one e-mail to everyone on the list who has not been sent one yet",
        invite,
        {200: InvitationsSent},
        InvitationsInput,
        failures=(403, 404, 412, 422),
    ),
)
