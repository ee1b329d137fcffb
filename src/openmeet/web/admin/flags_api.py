"""Feature flags of the synchronization, as JSON, for the installation's own programs."""

from typing import ClassVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from groundwork.http.json_bodies import json_response, read_json
from openmeet.domain.paging import DEFAULT_LIMIT, MAX_LIMIT
from openmeet.feature_flags import flags
from openmeet.feature_flags.flags import WHAT, Flag
from openmeet.i18n.formatting import iso
from openmeet.network.flag_changes import flag_named, switch_flag
from openmeet.web.admin.access import require_operator_or_service
from openmeet.web.api.authentication import service_of
from openmeet.web.api.operations import ApiOperation
from openmeet.web.api.pagination import CURSOR, LIMIT, limit_of, paging
from openmeet.web.atproto.ingest_api import sync_dependencies_of
from openmeet.web.site.tenant_routing import database_of


class FlagOutput(msgspec.Struct, rename="camel"):
    """One flag; ``what`` describes what it turns on."""

    EXAMPLE: ClassVar[dict[str, object]] = {"name": "events-in", "isOn": True, "what": WHAT[Flag.EVENTS_IN]}

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
    return json_response(FlagList([FlagOutput(flag.value, flag in switched_on, WHAT[flag]) for flag in Flag]))


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


async def switch(request: Request) -> Response:
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
        switch,
        {200: FlagSwitched},
        FlagInput,
        failures=(404,),
        is_idempotent=True,
    ),
)
