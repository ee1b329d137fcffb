"""Group members, as JSON, for the group's admins: list, requests, roles, bans."""

from collections.abc import Awaitable, Callable, Sequence

from starlette.requests import Request
from starlette.responses import Response

from groundwork.database.transaction import Reader, Transaction
from groundwork.errors import InvalidInput
from groundwork.http.json_bodies import json_response, read_json
from openmeet.domain.groups import actions, administration, queries, rules
from openmeet.domain.groups.model import INSIDE, GroupRole, GroupSlug, MemberId, Membership
from openmeet.domain.groups.reasons import GroupReason
from openmeet.domain.groups.rules import GroupPermission
from openmeet.domain.identities.queries import shown_names
from openmeet.domain.paging import DEFAULT_LIMIT, MAX_LIMIT
from openmeet.domain.profiles.portraits import shown as shown_portraits
from openmeet.domain.users.model import Caller, UserId, UserKind
from openmeet.domain.users.queries import kinds
from openmeet.domain.validation import GeneralReason
from openmeet.i18n.formatting import iso_or_none
from openmeet.web.api.external_identity import sources_of
from openmeet.web.api.operations import ApiOperation, Parameter
from openmeet.web.api.pagination import CURSOR, LIMIT, limit_of
from openmeet.web.groups.schemas import (
    Decision,
    MemberList,
    MemberOutput,
    MembershipOutput,
    RoleInput,
    RoleName,
    membership_shown,
)
from openmeet.web.media.pages import portrait_url
from openmeet.web.site.caller import caller_of
from openmeet.web.site.slugs import group_slug_of
from openmeet.web.site.tenant_routing import database_of

Done = Callable[[Transaction, Caller, GroupSlug, UserId], Awaitable[Membership]]


async def list_members(request: Request) -> Response:
    caller = caller_of(request)
    role_name = request.query_params.get("role", "")
    if role_name and role_name not in set(GroupRole):
        raise InvalidInput("role", GeneralReason.CHOOSE_ONE, choices=", ".join(GroupRole))
    roles = (GroupRole(role_name),) if role_name else INSIDE
    limit = limit_of(request, DEFAULT_LIMIT, MAX_LIMIT)
    after = request.query_params.get("cursor", "")
    async with database_of(request).reader() as reader:
        group, membership = await actions.visible(reader, group_slug_of(request), caller.user_id)
        role = membership.role if membership else None
        rules.require_permission(role, GroupPermission.SEE_MEMBERS)
        if not set(roles) <= set(INSIDE):
            rules.require_permission(role, GroupPermission.APPROVE)
        memberships = await queries.members(
            reader, group.id, roles, after=MemberId(after) if after else None, limit=limit + 1
        )
        shown = await _member_outputs(
            request, reader, memberships[:limit], with_answers=rules.may(role, GroupPermission.APPROVE)
        )
    return json_response(MemberList(shown, memberships[limit - 1].id if len(memberships) > limit else None))


async def decide(request: Request) -> Response:
    caller = caller_of(request)
    body = await read_json(request, Decision)
    if len(body.user_ids) > MAX_LIMIT:
        raise InvalidInput("userIds", GroupReason.TOO_MANY_REQUESTS, most=MAX_LIMIT)
    people = [UserId(one) for one in body.user_ids]
    async with database_of(request).transaction() as tx:
        decided = await administration.decide(tx, caller, group_slug_of(request), people, lets_in=body.lets_in)
        shown = await _member_outputs(request, tx, decided, with_answers=True)
    return json_response(MemberList(shown, None))


async def change_role(request: Request) -> Response:
    caller = caller_of(request)
    role = GroupRole((await read_json(request, RoleInput)).role)
    async with database_of(request).transaction() as tx:
        saved = await administration.change_role(tx, caller, group_slug_of(request), _member_id(request), role)
    return json_response(membership_shown(saved))


def _handler(act: Done) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        caller = caller_of(request)
        async with database_of(request).transaction() as tx:
            await act(tx, caller, group_slug_of(request), _member_id(request))
        return Response(status_code=204)

    return answer


def _member_id(request: Request) -> UserId:
    return UserId(request.path_params["userId"])


async def _member_outputs(
    request: Request, reader: Reader, people: Sequence[Membership], *, with_answers: bool
) -> list[MemberOutput]:
    names = await shown_names(reader, [one.user_id for one in people])
    portraits = await shown_portraits(reader, caller_of(request).user_id, list(names))
    signed_in = await kinds(reader, [one.user_id for one in people])
    sources = await sources_of(
        reader, [(signed_in.get(one.user_id) is UserKind.PERSON, one.statement_uri) for one in people]
    )
    return [
        MemberOutput(
            one.user_id,
            names[one.user_id],
            one.role.value,
            one.answer if with_answers else "",
            iso_or_none(one.requested_at),
            iso_or_none(one.joined_at),
            source,
            portrait_url(request, portraits.get(one.user_id)),
        )
        for one, source in zip(people, sources, strict=True)
    ]


_PERSON = "/api/groups/{slug}/members/{userId}"
_BAN = "/api/groups/{slug}/bans/{userId}"
_FAILURES = (403, 404, 422)

OPERATIONS = (
    ApiOperation(
        "GET",
        "/api/groups/{slug}/members",
        "listMembers",
        "Members of a group, for its members; people in other roles, for those who manage members",
        list_members,
        {200: MemberList},
        parameters=(
            Parameter("role", "Only people in this role", shape=RoleName),
            CURSOR,
            LIMIT,
        ),
        failures=(403, 404),
    ),
    ApiOperation(
        "PUT",
        _PERSON,
        "changeRole",
        "Give a member another role",
        change_role,
        {200: MembershipOutput},
        RoleInput,
        failures=_FAILURES,
    ),
    ApiOperation(
        "DELETE",
        _PERSON,
        "removeMember",
        "Remove a member, who may join again",
        _handler(administration.remove),
        {204: None},
        failures=_FAILURES,
    ),
    ApiOperation(
        "PUT",
        _BAN,
        "ban",
        "Ban a person",
        _handler(administration.ban),
        {204: None},
        failures=_FAILURES,
    ),
    ApiOperation(
        "DELETE", _BAN, "unban", "Lift a ban", _handler(administration.unban), {204: None}, failures=_FAILURES
    ),
    ApiOperation(
        "POST",
        "/api/groups/{slug}/decisions",
        "decideRequests",
        "Approve or decline requests, several at once",
        decide,
        {200: MemberList},
        Decision,
        failures=(403, 404),
    ),
)
