"""Group ownership, as JSON: transfer offers, takeover if the owner is absent."""

from collections.abc import Awaitable, Callable

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from groundwork.clock import Instant
from groundwork.database.transaction import Transaction
from groundwork.http.json_bodies import json_response, read_json
from openmeet.domain.groups import actions, ownership, rules
from openmeet.domain.groups.model import Group, GroupSlug
from openmeet.domain.groups.rules import GroupPermission
from openmeet.domain.users.model import Caller, UserId
from openmeet.i18n.formatting import iso
from openmeet.web.api.operations import ApiOperation
from openmeet.web.site.caller import caller_of
from openmeet.web.site.slugs import group_slug_of
from openmeet.web.site.tenant_routing import database_of

Step = Callable[[Transaction, Caller, GroupSlug], Awaitable[Group]]


class Heir(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """The member to offer ownership to."""

    user_id: str


class Arrangement(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """Who takes over if the owner is absent for ``absenceDays``, and for how many days the owner can object."""

    backup_admin_id: str | None
    absence_days: int
    wait_days: int


class OwnershipOutput(msgspec.Struct, rename="camel"):
    """The owner, the member to whom ownership is offered, and the member who takes over at ``passesOnAt`` unless the
    owner returns.

    ``arrangement`` is shown to the owner only.
    """

    owner_id: str
    offered_to: str | None
    successor_id: str | None
    passes_on_at: str | None
    backup_admin_did: str | None
    arrangement: Arrangement | None


async def show(request: Request) -> Response:
    caller = caller_of(request)
    async with database_of(request).reader() as reader:
        group, membership = await actions.visible(reader, group_slug_of(request), caller.user_id)
        rules.require_permission(membership.role if membership else None, GroupPermission.SEE_MEMBERS)
    return json_response(_ownership_output(group, caller.user_id))


async def offer(request: Request) -> Response:
    caller = caller_of(request)
    heir = UserId((await read_json(request, Heir)).user_id)
    async with database_of(request).transaction() as tx:
        group = await ownership.offer(tx, caller, group_slug_of(request), heir)
    return json_response(_ownership_output(group, caller.user_id))


async def arrange(request: Request) -> Response:
    caller = caller_of(request)
    body = await read_json(request, Arrangement)
    backup = None if body.backup_admin_id is None else UserId(body.backup_admin_id)
    async with database_of(request).transaction() as tx:
        group = await ownership.arrange(
            tx, caller, group_slug_of(request), backup, absence_days=body.absence_days, wait_days=body.wait_days
        )
    return json_response(_ownership_output(group, caller.user_id))


def _handler(act: Step) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        caller = caller_of(request)
        async with database_of(request).transaction() as tx:
            group = await act(tx, caller, group_slug_of(request))
        return json_response(_ownership_output(group, caller.user_id))

    return answer


def _ownership_output(group: Group, viewer: UserId) -> OwnershipOutput:
    plan, succession = group.succession_plan, group.succession
    is_owner = viewer == group.owner_id
    return OwnershipOutput(
        owner_id=group.owner_id,
        offered_to=group.offer.heir_id if group.offer else None,
        successor_id=succession.successor_id if succession else None,
        passes_on_at=iso(Instant(succession.asked_at + plan.wait)) if succession else None,
        backup_admin_did=plan.backup_admin_did,
        arrangement=Arrangement(plan.backup_admin_id, plan.absence_days, plan.wait_days) if is_owner else None,
    )


_PATH = "/api/groups/{slug}/ownership"
_FAILURES = (403, 404, 422)
_ANSWERS = {200: OwnershipOutput}

OPERATIONS = (
    ApiOperation(
        "GET", _PATH, "showOwnership", "The owner of a group, and the backup admin", show, _ANSWERS, failures=(403, 404)
    ),
    ApiOperation(
        "PUT",
        f"{_PATH}/offer",
        "offerGroup",
        "Offer the ownership of a group to a member",
        offer,
        _ANSWERS,
        Heir,
        failures=_FAILURES,
    ),
    ApiOperation(
        "DELETE",
        f"{_PATH}/offer",
        "endOffer",
        "Withdraw or decline the offer of a group",
        _handler(ownership.end_offer),
        _ANSWERS,
        failures=_FAILURES,
    ),
    ApiOperation(
        "POST",
        f"{_PATH}/acceptance",
        "acceptOffer",
        "Accept the ownership of a group; the previous owner becomes an admin",
        _handler(ownership.accept_offer),
        _ANSWERS,
        failures=_FAILURES,
    ),
    ApiOperation(
        "PUT",
        f"{_PATH}/arrangement",
        "arrangeSuccession",
        "Set the backup admin, and the length of absence after which they take over",
        arrange,
        _ANSWERS,
        Arrangement,
        failures=_FAILURES,
    ),
    ApiOperation(
        "PUT",
        f"{_PATH}/succession",
        "askToTakeOver",
        "Request to take over from an absent owner, who gets an e-mail",
        _handler(ownership.ask),
        _ANSWERS,
        failures=_FAILURES,
    ),
    ApiOperation(
        "DELETE",
        f"{_PATH}/succession",
        "stopSuccession",
        "Object as the owner, or withdraw the request to take over",
        _handler(ownership.stop),
        _ANSWERS,
        failures=_FAILURES,
    ),
    ApiOperation(
        "POST",
        f"{_PATH}/takeover",
        "takeOver",
        "Take over a group whose owner has not objected in time",
        _handler(ownership.take_over),
        _ANSWERS,
        failures=_FAILURES,
    ),
    ApiOperation(
        "POST",
        f"{_PATH}/return",
        "takeBack",
        "Take back a group that was taken over",
        _handler(ownership.reclaim_ownership),
        _ANSWERS,
        failures=_FAILURES,
    ),
)
