"""``/operating/flags``: each feature flag of the synchronization with its switch, and the time and reason of the last
change. The same as JSON, for the installation's own programs.
"""

from typing import ClassVar, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.clock import SECOND
from groundwork.errors import InvalidInput
from groundwork.http.forms import EMPTY, FormState, read_form
from groundwork.http.json_bodies import json_response, read_json
from openmeet.domain.paging import DEFAULT_LIMIT, MAX_LIMIT
from openmeet.domain.validation import GeneralReason
from openmeet.feature_flags import flags
from openmeet.feature_flags import flags as feature_flags
from openmeet.feature_flags.flags import DEFAULTS, MAX_AGE, WHAT, Flag
from openmeet.i18n.catalogue import lazy
from openmeet.i18n.formatting import iso
from openmeet.network.flag_changes import MAX_WHY, flag_named, switch_flag
from openmeet.web.admin.access import operator_of, require_operator_or_service
from openmeet.web.api.authentication import service_of
from openmeet.web.api.operations import ApiOperation
from openmeet.web.api.pagination import CURSOR, LIMIT, limit_of, paging
from openmeet.web.atproto.ingest_api import sync_dependencies_of
from openmeet.web.site.layout import go, page
from openmeet.web.site.tenant_routing import database_of

PATH: Final = "/operating/flags"

# Consequences that an operator should know before switching.
FOLLOWS: Final = {
    Flag.EVENTS_IN: (
        lazy("We read all known repositories to find every event."),
        lazy(
            "New and changed events from other apps are ignored. Existing ones stay until they’re deleted in the "
            "other app."
        ),
    ),
    Flag.RSVPS_IN: (
        lazy("We read all known repositories to find every answer."),
        lazy("Answers from other apps are ignored. Existing ones stay, and people can still withdraw them."),
    ),
    Flag.EVENTS_OUT: (
        lazy("We’ll send the records that were waiting."),
        lazy("New records wait. Deletions are still sent."),
    ),
    Flag.RSVPS_OUT: (
        lazy("We’ll send the records that were waiting."),
        lazy("New records wait. Deletions are still sent."),
    ),
    Flag.SERIES_LEXICON: (
        lazy("Series created here are written as records, and records of series are read."),
        lazy("Series records are no longer written or read. Existing ones stay."),
    ),
    Flag.NATIVE_RECURRENCE: (
        lazy("Published events of a series are rewritten, with its rule."),
        lazy("Published events of a series are rewritten, without its rule."),
    ),
    Flag.DETECTION: (
        lazy("We’ll look for series among single events again."),
        lazy("We don’t look for series any more. Series that we already found stay."),
    ),
    Flag.GROUPS: (
        lazy("Public groups and their events are written as records, and records of groups are read."),
        lazy("Group records are no longer written or read. Existing ones stay."),
    ),
    Flag.MEMBERSHIPS: (
        lazy("We write records of the members of public groups who agreed, and read such records."),
        lazy("Membership records are no longer written or read. Existing ones stay."),
    ),
}


def routes() -> list[Route]:
    return [
        Route(PATH, show_flags, methods=["GET"]),
        Route(f"{PATH}/{{flag}}", show_flag, methods=["GET"]),
        Route(f"{PATH}/{{flag}}", switch, methods=["POST"]),
    ]


async def show_flags(request: Request) -> Response:
    await operator_of(request)
    async with database_of(request).reader() as reader:
        switched_on = await feature_flags.switches(reader)
        changes = await feature_flags.changes(reader)
        now = reader.now
    flags = [(flag, flag in switched_on, DEFAULTS[flag]) for flag in Flag]
    return page(request, "admin/flags.html", {"flags": flags, "what": WHAT, "changes": changes, "now": now})


async def show_flag(request: Request) -> Response:
    await operator_of(request)
    return await _flag_page(request, flag_named(request.path_params["flag"]))


async def switch(request: Request) -> Response:
    """Set the state that the button names. A toggle would undo the change on a second click or from an outdated page."""
    operator = await operator_of(request)
    flag = flag_named(request.path_params["flag"])
    form = await read_form(request)
    if form.get("to") not in {"on", "off"}:
        raise InvalidInput("to", GeneralReason.CHOOSE_ONE, choices="on, off")
    try:
        is_changed = await switch_flag(
            database_of(request),
            sync_dependencies_of(request).installation,
            flag,
            is_on=form["to"] == "on",
            changed_by=str(operator),
            why=form.get("why", ""),
        )
    except InvalidInput as wrong:
        return await _flag_page(request, flag, FormState(form, {wrong.field: wrong.why}), status=400)
    return go(PATH, flash="flag_switched" if is_changed else "flag_stood_so")


async def _flag_page(request: Request, flag: Flag, form_state: FormState = EMPTY, *, status: int = 200) -> Response:
    async with database_of(request).reader() as reader:
        is_on = flag in await feature_flags.switches(reader)
    on, off = FOLLOWS[flag]
    return page(
        request,
        "admin/flag.html",
        {
            "flag": flag,
            "is_on": is_on,
            "what": WHAT[flag],
            "follows": off if is_on else on,
            "seconds": MAX_AGE // SECOND,
            "max_why": MAX_WHY,
            "typed": form_state,
        },
        status=status,
    )


class FlagOutput(msgspec.Struct, rename="camel"):
    """One flag; ``what`` describes what it turns on."""

    EXAMPLE: ClassVar[dict[str, object]] = {"name": "events-in", "isOn": True, "what": WHAT[Flag.EVENTS_IN].message}

    name: str
    is_on: bool
    what: str


class FlagList(msgspec.Struct, rename="camel"):
    """Every flag and its state."""

    EXAMPLE: ClassVar[dict[str, object]] = {"flags": [FlagOutput.EXAMPLE]}

    flags: list[FlagOutput]


class FlagChangeOutput(msgspec.Struct, rename="camel"):
    """One change of a flag."""

    EXAMPLE: ClassVar[dict[str, object]] = {
        "name": "events-in",
        "isOn": False,
        "changedBy": "Olga (olga@example.org)",
        "why": "Spam from everywhere",
        "changedAt": "2027-03-02T17:00:00Z",
    }

    name: str
    is_on: bool
    changed_by: str
    why: str
    changed_at: str


class FlagChangeList(msgspec.Struct, rename="camel"):
    """Changes of feature flags, newest first. ``cursor`` is null on the last page."""

    EXAMPLE: ClassVar[dict[str, object]] = {"changes": [FlagChangeOutput.EXAMPLE], "cursor": None}

    changes: list[FlagChangeOutput]
    cursor: str | None


class FlagInput(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """The new state of a flag, and the reason, which is logged with the change."""

    EXAMPLE: ClassVar[dict[str, object]] = {"isOn": False, "why": "Spam from everywhere"}

    is_on: bool
    why: str


class FlagSwitched(msgspec.Struct, rename="camel"):
    """The current state. ``isChanged`` is false if the flag already had this state; in that case nothing was logged."""

    EXAMPLE: ClassVar[dict[str, object]] = {"name": "events-in", "isOn": False, "isChanged": True}

    name: str
    is_on: bool
    is_changed: bool


async def list_flags(request: Request) -> Response:
    await require_operator_or_service(request)
    async with database_of(request).reader() as reader:
        switched_on = await flags.switches(reader)
    return json_response(FlagList([FlagOutput(flag.value, flag in switched_on, WHAT[flag].message) for flag in Flag]))


async def list_changes(request: Request) -> Response:
    await require_operator_or_service(request)
    page, limit = paging(request), limit_of(request, DEFAULT_LIMIT, MAX_LIMIT)
    async with database_of(request).reader() as reader:
        changes, cursor = page.cut(
            await flags.changes(reader, before=page.after, limit=limit + 1), lambda one: (one.changed_at, one.id)
        )
    return json_response(
        FlagChangeList(
            [
                FlagChangeOutput(one.flag.value, one.is_on, one.changed_by, one.why, iso(one.changed_at))
                for one in changes
            ],
            cursor,
        )
    )


async def switch_by_service(request: Request) -> Response:
    body = await read_json(request, FlagInput)
    flag = flag_named(request.path_params["flag"])
    is_changed = await switch_flag(
        database_of(request),
        sync_dependencies_of(request).installation,
        flag,
        is_on=body.is_on,
        changed_by=f"{service_of(request).name} (service)",
        why=body.why,
    )
    return json_response(FlagSwitched(flag.value, body.is_on, is_changed))


OPERATIONS = (
    ApiOperation(
        "GET",
        "/api/sync/flags",
        "listFlags",
        "Feature flags of the synchronisation",
        list_flags,
        {200: FlagList},
    ),
    ApiOperation(
        "GET",
        "/api/sync/flags/changes",
        "listFlagChanges",
        "The history of feature flags, newest first",
        list_changes,
        {200: FlagChangeList},
        parameters=(CURSOR, LIMIT),
    ),
    ApiOperation(
        "PUT",
        "/api/sync/flags/{flag}",
        "switchFlag",
        "Switch a feature flag of the synchronisation",
        switch_by_service,
        {200: FlagSwitched},
        FlagInput,
        failures=(404,),
        is_idempotent=True,
    ),
)
