"""Import pages: a file, a URL or a list. There is a preview before anything is imported."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.database.transaction import Reader
from groundwork.errors import (
    Failure,
    InvalidForm,
    InvalidInput,
    NotFound,
    PreconditionFailed,
    Refused,
    decode_explanation,
)
from groundwork.http.faults import form_status_of, headers_of
from groundwork.http.forms import EMPTY, FormState, form_with_problems, open_form, read_form
from groundwork.workers.pool import ChargedPool
from openmeet.domain.events.model import EventId
from openmeet.domain.events.queries import by_id as event_by_id
from openmeet.domain.groups.model import GroupId
from openmeet.domain.groups.queries import by_id as group_by_id
from openmeet.domain.imports import events, people, queries
from openmeet.domain.imports.events import NOTHING, likely_duplicates
from openmeet.domain.imports.guest_list import means_no
from openmeet.domain.imports.model import (
    ZONE,
    Column,
    ContactStage,
    FileReading,
    Import,
    ImportedEvent,
    ImportId,
    ImportKind,
    ImportMatch,
    ImportReason,
    SelectedEvents,
)
from openmeet.domain.imports.people import InvitationTarget
from openmeet.domain.imports.updates import updates_of
from openmeet.domain.users.model import Caller
from openmeet.domain.validation import GeneralReason
from openmeet.emails.invitations import guest_list_subject, guest_list_text
from openmeet.i18n import formatting
from openmeet.i18n.catalogue import gettext, lazy
from openmeet.recurrence.wall_time import zone_names
from openmeet.web.imports.differences import differences
from openmeet.web.imports.intake import reading_of, receive_import
from openmeet.web.media.subject import PageSubject, subject_of_event, subject_of_group
from openmeet.web.site.caller import caller_of
from openmeet.web.site.layout import go, page
from openmeet.web.site.rate_limits import INVITATIONS_TO_ADDRESS, spend_on_list_invitations
from openmeet.web.site.services import services
from openmeet.web.site.tenant_routing import database_of, workers_of

# Maximum number of list rows in the preview. The counts include all rows.
SHOWN_ROWS = 50
# Maximum number of list rows that can be chosen individually. For the rest, the status decides.
TICKED_ROWS = 500
# Maximum number of addresses that the page names after they were left out of an invitation.
_NAMED_LEFT_OUT = 20

_MATCH_LABELS = {
    ImportMatch.NEW: "",
    ImportMatch.KNOWN: lazy("You’ve imported this before"),
    ImportMatch.OWN: lazy("You already have this"),
}
_COLUMNS = {
    Column.EMAIL: lazy("E-mail address"),
    Column.NAME: lazy("Name"),
    Column.FIRST_NAME: lazy("First name"),
    Column.LAST_NAME: lazy("Last name"),
    Column.STATUS: lazy("Their answer on the other site"),
}


def routes() -> list[Route]:
    return [
        Route("/import", show_start, methods=["GET"]),
        Route("/import", start, methods=["POST"]),
        Route("/import/{import_id}", show, methods=["GET"]),
        Route("/import/{import_id}", import_upload, methods=["POST"]),
        Route("/import/lists/{what}/{slug}", show_list, methods=["GET"]),
        Route("/import/lists/{what}/{slug}", send, methods=["POST"]),
    ]


async def show_start(request: Request) -> Response:
    caller = caller_of(request)
    target_kind, slug = _list_of(request.query_params)
    target = await _invitation_target(request, caller, target_kind, slug) if slug else None
    return await _upload_page(request, target, EMPTY)


async def start(request: Request) -> Response:
    """Store the upload and show its preview. Errors are shown next to their field."""
    caller = caller_of(request)
    form, content, name = await read_upload(request)
    target_kind, slug = _list_of(form)
    target = await _invitation_target(request, caller, target_kind, slug) if slug else None
    try:
        import_id = await receive_import(
            request, caller, target, url=form.get("url", "").strip(), content=content, name=name
        )
    except InvalidForm as wrong:
        return await _upload_page(request, target, form_with_problems(form, wrong), status=400)
    except Failure as failure:
        at = "url" if form.get("url", "").strip() and not content else "file"
        form_state = form_with_problems(form, InvalidForm({at: failure.quoted}))
        return await _upload_page(
            request, target, form_state, status=form_status_of(failure), headers=headers_of(failure)
        )
    return go(f"/import/{import_id}")


async def show(request: Request) -> Response:
    caller = caller_of(request)
    async with database_of(request).reader() as reader:
        arrived = await _own_import(reader, request, caller)
        reading = await reading_of(request, reader, caller)
    if arrived.what is ImportKind.EVENTS:
        return await _show_events(request, caller, arrived, reading)
    return await _show_people(request, caller, arrived)


async def import_upload(request: Request) -> Response:
    """Import the upload. With other buttons, set the time zone of events or the columns of a list instead."""
    caller = caller_of(request)
    form = await read_form(request, max_fields=600)
    async with database_of(request).reader() as reader:
        arrived = await _own_import(reader, request, caller)
        reading = await reading_of(request, reader, caller)
    import_path = f"/import/{arrived.id}"
    if arrived.what is ImportKind.EVENTS and form.get("act") == "zone":
        try:
            async with database_of(request).transaction() as tx:
                await events.choose_zone(tx, arrived, form.get(ZONE, ""))
        except InvalidForm as wrong:
            return await _show_events(request, caller, arrived, reading, form_with_problems(form, wrong), status=400)
        return go(f"{import_path}#zone")
    if arrived.what is ImportKind.EVENTS:
        selected_numbers = frozenset(name.removeprefix("event-") for name in form if name.startswith("event-"))
        host = services(request).settings.public_host
        workers = workers_of(request, caller.user_id)
        updated = frozenset(name.removeprefix("update-") for name in form if name.startswith("update-"))
        selection = SelectedEvents(*await _uids(workers, arrived, reading, selected_numbers, updated))
        await events.import_events(database_of(request), workers, caller, arrived.id, selection, reading, host)
        return go(import_path)
    if form.get("act") == "columns":
        chosen_columns = {column.value: form.get(column.value, "") for column in _COLUMNS}
        async with database_of(request).transaction() as tx:
            await queries.choose_columns(tx, arrived.id, chosen_columns)
        return go(import_path)
    lines: dict[int, bool] = {}
    if form.get("ticks"):
        contacts = await people.parse_uploaded_list(workers_of(request, caller.user_id), arrived)
        lines = {row.line: bool(form.get(f"row-{row.line}")) for row in contacts.rows[:TICKED_ROWS]}
    workers = workers_of(request, caller.user_id)
    target, _, _ = await people.add_to_list(database_of(request), workers, caller, arrived.id, lines)
    return go(_list_path(target), flash="people_kept")


async def show_list(request: Request) -> Response:
    return await _invitations_page(request, caller_of(request), EMPTY)


async def send(request: Request) -> Response:
    """Invite everyone on the list who has not been invited yet. Sends nothing if the number of recipients has changed
    since the page was shown.
    """
    caller = caller_of(request)
    form = await read_form(request)
    target_kind, slug = _target_kind(request), request.path_params["slug"]
    if form.get("act") == "preview":
        return await _invitations_page(request, caller, FormState(form))
    typed = form.get("expected", "")
    expected = int(typed) if typed.isascii() and typed.isdigit() and len(typed) < 9 else -1
    async with database_of(request).reader() as reader:
        addresses = await people.addresses_to_invite(reader, caller, target_kind, slug)
    left_out: set[str] = set()
    if len(addresses) == expected:
        left_out = await spend_on_list_invitations(request, caller.user_id, addresses)
    try:
        async with database_of(request).transaction() as tx:
            sent = await people.invite(
                tx,
                caller,
                target_kind,
                slug,
                message=form.get("message", ""),
                expected=expected,
                without=left_out,
            )
    except InvalidForm as wrong:
        return await _invitations_page(request, caller, form_with_problems(form, wrong), status=400)
    except PreconditionFailed as failed:
        return await _invitations_page(
            request, caller, form_with_problems(form, InvalidForm({"message": failed.why})), status=412
        )
    except Refused as refused:
        if refused.name not in {"EventHidden", "EventOver", "GroupHidden"}:
            raise
        # The page itself says why.
        return await _invitations_page(request, caller, FormState(form), status=422)
    # Contacts are named by their ids, because addresses must not get into URLs.
    ids = ",".join(one.id for one in sent.left_out[:_NAMED_LEFT_OUT])
    query = f"?left_out={ids}" if ids else ""
    return go(f"{_list_path(sent.target)}{query}", flash="people_invited" if sent.number else "")


async def _own_import(reader: Reader, request: Request, caller: Caller) -> Import:
    own_import = await queries.find(reader, caller.user_id, ImportId(request.path_params["import_id"]))
    if own_import is None:
        raise NotFound(ImportReason.NO_SUCH_IMPORT)
    return own_import


async def _uids(
    workers: ChargedPool, arrived: Import, reading: FileReading, *several: frozenset[str]
) -> tuple[frozenset[str], ...]:
    """For each set of positions in the list, the UIDs of the events at these positions. The file is parsed only once."""
    if arrived.outcome is not None:
        return tuple(frozenset() for _ in several)
    whole = await events.parse_upload(workers, arrived, reading)
    return tuple(
        frozenset(event.uid for number, event in enumerate(whole.events) if str(number) in numbers)
        for numbers in several
    )


async def _show_events(
    request: Request,
    caller: Caller,
    arrived: Import,
    reading: FileReading,
    form_state: FormState = EMPTY,
    *,
    status: int = 200,
) -> Response:
    if arrived.outcome is not None:
        context = await _outcome_context(request, caller, arrived.outcome)
    else:
        context = await _found_events_context(request, caller, arrived, reading, form_state)
    return page(request, "imports/events.html", {"arrived": arrived, **context}, status=status)


async def _outcome_context(request: Request, caller: Caller, outcome: Mapping[str, Any]) -> dict[str, object]:
    """What a confirmed import did."""
    updated = outcome.get("updated", [])
    paths = [*outcome["made"], *updated]
    async with database_of(request).reader() as reader:
        titles = await queries.titles(reader, caller.user_id, [path.split("/")[2] for path in paths])
    titled_paths = [(path, titles[slug]) for path in paths if (slug := path.split("/")[2]) in titles]
    return {
        "outcome": outcome,
        "left_out": [decode_explanation(one) for one in outcome.get("left_out", [])],
        "made": [one for one in titled_paths if one[0] not in updated],
        "updated": [one for one in titled_paths if one[0] in updated],
    }


async def _found_events_context(
    request: Request, caller: Caller, arrived: Import, reading: FileReading, form_state: FormState
) -> dict[str, object]:
    """The events in the file, before the import is confirmed."""
    whole = await events.parse_upload(workers_of(request, caller.user_id), arrived, reading)
    host = services(request).settings.public_host
    async with database_of(request).reader() as reader:
        matches = await events.matches(reader, caller.user_id, whole.events, host)
        alike = await likely_duplicates(reader, caller.user_id, whole.events)
        differing = await updates_of(reader, caller.user_id, whole.events)
        now = reader.now
    is_new = {uid: match is ImportMatch.NEW for uid, match in matches.items()}
    looks_like = {event.uid: alike.get(event.uid, NOTHING) if is_new[event.uid] else NOTHING for event in whole.events}
    past = {one.uid for one in whole.events if is_new[one.uid] and looks_like[one.uid] == NOTHING and one.is_over(now)}
    selects_past = request.query_params.get("past") == "yes"
    return {
        "outcome": None,
        "left_out": [],
        "name": whole.name or arrived.source,
        "warnings": whole.warnings,
        "guessed": sum(event.has_guessed_zone for event in whole.events),
        "typed": form_state
        if form_state.problems
        else FormState({ZONE: arrived.columns.get(ZONE, "") or reading.zone}),
        "zones": sorted(zone_names()),
        "events": [
            {
                "number": number,
                "title": event.typed.title or gettext("(no title)"),
                "when": event.when,
                "zone": _other_zone(event, reading.zone),
                "place": event.typed.venue_name or (gettext("Online") if event.typed.online_url else ""),
                "repeats": event.repeats,
                "changes": len(event.changes),
                "is_cancelled": event.is_cancelled,
                "match": _MATCH_LABELS[matches[event.uid]],
                "is_new": is_new[event.uid],
                "is_over": event.is_over(now),
                "is_selected": looks_like[event.uid] == NOTHING and (selects_past or event.uid not in past),
                "looks_like": looks_like[event.uid],
                "warnings": event.warnings,
                "difference": differing.get(event.uid),
                "fields": differences(event, differing[event.uid]) if event.uid in differing else [],
            }
            for number, event in enumerate(whole.events)
        ],
        "differing": len(differing),
        "new": sum(is_new.values()),
        "past": len(past),
        "selects_past": selects_past,
    }


def _other_zone(event: ImportedEvent, own_zone: str) -> str:
    """The time zone of an event, if the reader has another one: ``Berlin time``. Otherwise empty."""
    zone = event.typed.time_zone
    return "" if event.typed.all_day or zone in {"", own_zone} else formatting.zone_of_series(zone)


async def _show_people(request: Request, caller: Caller, arrived: Import) -> Response:
    async with database_of(request).reader() as reader:
        target = await people.find_target_by_id(reader, caller, arrived.what, arrived.target)
    if arrived.outcome is not None:
        return go(_list_path(target))
    contacts = await people.parse_uploaded_list(workers_of(request, caller.user_id), arrived)
    async with database_of(request).reader() as reader:
        fresh, known_people = await people.new_rows(reader, arrived, contacts)
        about = await _about(reader, target)
    new_lines = {row.line for row in fresh}
    context = {
        "arrived": arrived,
        "target": target,
        "about": about,
        "title": _title_of(target),
        "found": contacts,
        "rows": [(row, row.line in new_lines, not means_no(row.status)) for row in contacts.rows[:TICKED_ROWS]],
        "more": max(0, len(contacts.rows) - TICKED_ROWS),
        "says_no": sum(means_no(row.status) for row in fresh),
        "new": len(fresh),
        "known": known_people,
        "left_out": sum(bool(row.problem) for row in contacts.rows),
        "named": sum(not row.email for row in fresh),
        "columns": [(column.value, words, contacts.columns.get(column, "")) for column, words in _COLUMNS.items()],
    }
    return page(request, "imports/people.html", context)


async def _invitations_page(request: Request, caller: Caller, form_state: FormState, *, status: int = 200) -> Response:
    settings = services(request).settings
    async with database_of(request).reader() as reader:
        target = await people.find_target(reader, caller, _target_kind(request), request.path_params["slug"])
        counts = await queries.count_by_stage(reader, target.what, target.id)
        waiting = await queries.uninvited_contacts(reader, target.what, target.id, SHOWN_ROWS)
        names, named = await queries.named_contacts(reader, target.what, target.id, SHOWN_ROWS)
        event = await event_by_id(reader, EventId(target.id)) if target.what is ImportKind.GUESTS else None
        group = await group_by_id(reader, GroupId(target.id)) if target.what is ImportKind.MEMBERS else None
        now = reader.now
        about = await _about(reader, target)
    link = f"{settings.public_url}/arrivals/…"
    left_out = request.query_params.get("left_out", "").split(",")
    context = {
        "typed": form_state,
        "target": target,
        "about": about,
        "title": _title_of(target),
        "waiting": waiting,
        "names": names,
        "named": named,
        "left_out": [one.email for one in waiting if one.id in left_out],
        "most_per_address": INVITATIONS_TO_ADDRESS.points,
        "count": counts.get(ContactStage.KEPT, 0),
        "counts": {stage.value: counts.get(stage, 0) for stage in ContactStage},
        "subject": guest_list_subject(caller.display_name, event, group),
        "email_text": guest_list_text(
            caller.display_name, event, group, form_state.value("message"), settings.site_name, link, now
        ),
    }
    return page(request, "imports/list.html", context, status=status)


async def _invitation_target(request: Request, caller: Caller, target_kind: ImportKind, slug: str) -> InvitationTarget:
    async with database_of(request).reader() as reader:
        return await people.find_target(reader, caller, target_kind, slug)


async def _about(reader: Reader, target: InvitationTarget) -> PageSubject | None:
    """The event or group, for the link back to it. None if it was deleted meanwhile."""
    if target.what is ImportKind.GUESTS:
        event = await event_by_id(reader, EventId(target.id))
        return None if event is None else subject_of_event(event, reader.now)
    group = await group_by_id(reader, GroupId(target.id))
    return None if group is None else subject_of_group(group)


async def _upload_page(
    request: Request,
    target: InvitationTarget | None,
    form_state: FormState,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    about = None
    if target is not None:
        async with database_of(request).reader() as reader:
            about = await _about(reader, target)
    context = {
        "target": target,
        "about": about,
        "title": _title_of(target) if target else "",
        "typed": form_state,
        "can_fetch": services(request).calendar_fetcher is not None,
    }
    return page(request, "imports/start.html", context, status=status, headers=headers)


def _list_of(values: Mapping[str, str]) -> tuple[ImportKind, str]:
    if values.get("group"):
        return ImportKind.MEMBERS, values["group"]
    return ImportKind.GUESTS, values.get("event", "")


def _target_kind(request: Request) -> ImportKind:
    try:
        kind = ImportKind(request.path_params["what"])
    except ValueError:
        kind = ImportKind.EVENTS
    if kind is ImportKind.EVENTS:
        raise NotFound(ImportReason.NO_SUCH_LIST)
    return kind


def _list_path(target: InvitationTarget) -> str:
    return f"/import/lists/{target.what.value}/{quote(target.slug)}"


def _title_of(target: InvitationTarget) -> str:
    """The text of the links to the event or group. A draft may have no title."""
    return target.title or gettext("Untitled draft")


MAX_FIELDS = 50


async def read_upload(request: Request) -> tuple[dict[str, str], bytes, str]:
    """The form fields, the file's bytes and its name. The latter two are empty if no file was chosen. The limit on the
    request body also limits the file.
    """
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise InvalidInput("", ImportReason.UPLOAD_EXPECTED)
    async with open_form(request, max_files=1, max_fields=MAX_FIELDS) as form:
        fields = {name: value for name, value in form.multi_items() if isinstance(value, str)}
        files = [value for value in form.values() if isinstance(value, UploadFile)]
        content = await files[0].read() if files else b""
        name = (files[0].filename or "") if files else ""
    if any("\x00" in value for value in fields.values()):
        raise InvalidInput("", GeneralReason.UNSTORABLE_CHARACTER)
    return fields, content, name.rpartition("/")[2][:200]
