"""What stands in each of one's repositories, as JSON, and moving it to the one for new records."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from groundwork.http.json_bodies import json_response, read_json
from openmeet.domain.series import move_records
from openmeet.web.api.operations import ApiOperation
from openmeet.web.site.caller import caller_of
from openmeet.web.site.tenant_routing import database_of

PATH = "/api/me/records"


class AccountHeld(msgspec.Struct, rename="camel"):
    """``events``, ``series``: how many records of them stand there that were written from here. New ones go to the default.

    ``isMoving``: those that stand there leave it, one after the other.
    """

    did: str
    handle: str
    is_default: bool
    events: int
    series: int
    is_moving: bool


class RecordsHeld(msgspec.Struct, rename="camel"):
    """The caller's accounts, that for new records first."""

    accounts: list[AccountHeld]


class MoveWanted(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """``did``: of the account that the records leave."""

    did: str


class RecordsMoved(msgspec.Struct, rename="camel"):
    """How many get a new record in the account for new ones; the old ones stay, and lead there.

    ``left``: how many events and series more follow by themselves; ``GET /api/me/records`` shows how far that is.
    """

    events: int
    series: int
    left: int


async def show(request: Request) -> Response:
    caller = caller_of(request)
    async with database_of(request).reader() as reader:
        held = await move_records.held(reader, caller.user_id)
    return json_response(
        RecordsHeld(
            [
                AccountHeld(
                    one.identity.did, one.identity.handle or "", number == 0, one.events, one.series, one.is_moving
                )
                for number, one in enumerate(held)
            ]
        )
    )


async def move(request: Request) -> Response:
    caller = caller_of(request)
    wanted = await read_json(request, MoveWanted)
    source = move_records.account(wanted.did)
    async with database_of(request).transaction() as tx:
        begun = await move_records.begin_to_move(tx, caller.user_id, source)
    return json_response(RecordsMoved(begun.events, begun.series, begun.left))


OPERATIONS = (
    ApiOperation("GET", PATH, "showMyRecords", "What stands in each of one’s repositories", show, {200: RecordsHeld}),
    ApiOperation(
        "POST",
        f"{PATH}/move",
        "moveMyRecords",
        "Move what one has published to the account for new records",
        move,
        {200: RecordsMoved},
        MoveWanted,
        failures=(404, 422),
        is_idempotent=True,
    ),
)
