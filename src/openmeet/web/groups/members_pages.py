"""Group members and requests, for the group's admins, on pages and as JSON: roles, removal, bans, and decisions one by
one or in bulk.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.clock import Instant
from groundwork.database.transaction import Reader, Transaction
from groundwork.errors import InvalidForm, InvalidInput
from groundwork.http.forms import EMPTY, FormState, form_with_problems, local_path, read_form
from groundwork.http.json_bodies import json_response, read_json
from openmeet.domain.groups import actions, administration, queries, rules
from openmeet.domain.groups.model import BELOW_OWNER, INSIDE, GroupRole, GroupSlug, MemberId, Membership
from openmeet.domain.groups.reasons import GroupReason
from openmeet.domain.groups.rules import GroupPermission
from openmeet.domain.identities.queries import shown_names
from openmeet.domain.page_paths import group_path
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
from openmeet.web.groups.view import ROLE_CHIPS, MemberView, day_label, person_of, short_day_label
from openmeet.web.groups.viewed_group import ViewedGroup, context_of, redirect_to_current_slug, view_group
from openmeet.web.media.pages import portrait_url
from openmeet.web.site.caller import caller_of
from openmeet.web.site.faces import portraits_of
from openmeet.web.site.layout import go, page
from openmeet.web.site.slugs import group_slug_of
from openmeet.web.site.tenant_routing import database_of

PAGE_SIZE = 50
_ASK = "ask-"
_FLASH = {"remove": "member_removed", "ban": "member_banned", "lift": "ban_lifted"}
Done = Callable[[Transaction, Caller, GroupSlug, UserId], Awaitable[Membership]]


@dataclass(frozen=True, slots=True)
class MemberRow:
    """One member, and the actions that the viewer may take. ``roles`` are pairs of value and text that the viewer may
    assign.
    """

    person: MemberView
    since: str
    answer: str
    roles: list[tuple[str, str]]
    may_remove: bool
    may_ban: bool
    may_lift: bool


def routes() -> list[Route]:
    return [
        Route("/groups/{slug}/members", show_members, methods=["GET"]),
        Route("/groups/{slug}/members/{userId}", decide_about, methods=["POST"]),
        Route("/groups/{slug}/requests", show_requests, methods=["GET"]),
        Route("/groups/{slug}/requests", decide, methods=["POST"]),
    ]


async def show_members(request: Request) -> Response:
    is_banned = request.query_params.get("which") == "banned"
    after = request.query_params.get("after", "")
    async with database_of(request).reader() as reader:
        seen = await view_group(reader, request, GroupPermission.BAN if is_banned else GroupPermission.SEE_MEMBERS)
        moved = redirect_to_current_slug(request, seen.group)
        if moved is not None:
            return moved
        roles = (GroupRole.BANNED,) if is_banned else INSIDE
        memberships = await queries.members(
            reader, seen.group.id, roles, after=MemberId(after) if after else None, limit=PAGE_SIZE + 1
        )
        names = await shown_names(reader, [one.user_id for one in memberships])
        portraits = await portraits_of(reader, seen.viewer, [one.user_id for one in memberships])
    lines = [
        _member_row(seen, one, person_of(one, names, portraits, seen.viewer), reader.now)
        for one in memberships[:PAGE_SIZE]
    ]
    more = ""
    if len(memberships) > PAGE_SIZE:
        parameters = {"which": "banned"} if is_banned else {}
        more = f"{seen.path}/members?" + urlencode({**parameters, "after": memberships[PAGE_SIZE - 1].id})
    context = context_of(seen, f"{seen.path}/members") | {
        "lines": lines,
        "members": seen.members,
        "banned": seen.counts.get(GroupRole.BANNED, 0),
        "can_ban": seen.may(GroupPermission.BAN),
        "is_banned": is_banned,
        "more": more,
    }
    return page(request, "groups/group_members.html", context)


def _member_row(seen: ViewedGroup, membership: Membership, person: MemberView, now: Instant) -> MemberRow:
    is_below = seen.role is not None and not person.is_you and rules.ranks_above(seen.role, membership.role)
    granted = [
        (role.value, str(ROLE_CHIPS[role]))
        for role in BELOW_OWNER
        if seen.role is not None and rules.ranks_above(seen.role, role)
    ]
    is_inside = membership.role in INSIDE
    since = membership.joined_at if is_inside else membership.decided_at
    return MemberRow(
        person,
        short_day_label(since, seen.group, now) if since is not None else "",
        membership.answer if seen.may(GroupPermission.APPROVE) else "",
        granted if is_below and is_inside and seen.may(GroupPermission.CHANGE_ROLE) else [],
        may_remove=is_below and is_inside and seen.may(GroupPermission.REMOVE),
        may_ban=is_below and is_inside and seen.may(GroupPermission.BAN),
        may_lift=membership.role is GroupRole.BANNED and seen.may(GroupPermission.BAN),
    )


async def decide_about(request: Request) -> Response:
    """Change the role of a member, or remove, ban or unban them, depending on the button."""
    caller = caller_of(request)
    form = await read_form(request)
    user_id = UserId(request.path_params["userId"])
    action = form.get("act", "")
    slug = group_slug_of(request)
    async with database_of(request).transaction() as tx:
        match action:
            case "role":
                role_name = form.get("role", "")
                if role_name not in set(GroupRole):
                    raise InvalidInput("role", GroupReason.UNKNOWN_ROLE)
                await administration.change_role(tx, caller, slug, user_id, GroupRole(role_name))
            case "remove":
                await administration.remove(tx, caller, slug, user_id)
            case "ban":
                await administration.ban(tx, caller, slug, user_id)
            case "lift":
                await administration.unban(tx, caller, slug, user_id)
            case _:
                raise InvalidInput("act", GeneralReason.CHOOSE_ONE, choices="role, remove, ban, lift")
        group, _ = await actions.visible(tx, slug, caller.user_id)
    return go(f"{group_path(group.slug)}/members", flash=_FLASH.get(action, "role_given"))


async def show_requests(request: Request) -> Response:
    return await _requests_page(request, EMPTY)


async def decide(request: Request) -> Response:
    caller = caller_of(request)
    form = await read_form(request, max_fields=PAGE_SIZE + 10)
    decision = form.get("decision", "")
    # A button in a person's row applies to that person only and ignores the checkboxes.
    single = form.get("one", "")
    if single:
        decision, _, only = single.partition(" ")
        people = [UserId(only)]
    else:
        people = [UserId(name.removeprefix(_ASK)) for name in form if name.startswith(_ASK)]
    if decision not in {"approve", "decline"}:
        raise InvalidInput("decision", GeneralReason.CHOOSE_ONE, choices="approve, decline")
    if not people:
        nobody = InvalidForm({"people": GroupReason.PEOPLE_NEEDED})
        return await _requests_page(request, form_with_problems(form, nobody), status=400)
    async with database_of(request).transaction() as tx:
        decided = await administration.decide(tx, caller, group_slug_of(request), people, lets_in=decision == "approve")
        group, _ = await actions.visible(tx, group_slug_of(request), caller.user_id)
    back = local_path(form.get("next", ""), f"{group_path(group.slug)}/requests")
    if not decided:
        return go(back, flash="requests_gone")
    return go(back, flash="requests_approved" if decision == "approve" else "requests_declined")


async def _requests_page(request: Request, form_state: FormState, *, status: int = 200) -> Response:
    async with database_of(request).reader() as reader:
        seen = await view_group(reader, request, GroupPermission.APPROVE)
        moved = redirect_to_current_slug(request, seen.group)
        if moved is not None and request.method == "GET":
            return moved
        memberships = await queries.members(reader, seen.group.id, (GroupRole.PENDING,), after=None, limit=PAGE_SIZE)
        names = await shown_names(reader, [one.user_id for one in memberships])
        portraits = await portraits_of(reader, seen.viewer, [one.user_id for one in memberships])
    asking = [
        {
            "person": person_of(one, names, portraits, seen.viewer),
            "answer": one.answer,
            "when": day_label(one.requested_at, seen.group, reader.now) if one.requested_at is not None else "",
            "field": f"{_ASK}{one.user_id}",
        }
        for one in memberships
    ]
    context = context_of(seen, f"{seen.path}/requests") | {
        "typed": form_state,
        "asking": asking,
        "waiting": seen.counts.get(GroupRole.PENDING, 0),
        "question": seen.group.details.join_question,
        "policy": seen.group.details.join_policy.value,
    }
    return page(request, "groups/group_requests.html", context, status=status)


async def list_members(request: Request) -> Response:
    caller = caller_of(request)
    role_name = request.query_params.get("role", "")
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


async def decide_requests(request: Request) -> Response:
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
        "Members of a group, for its members. People in other roles, for those who manage members",
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
        decide_requests,
        {200: MemberList},
        Decision,
        failures=(403, 404),
    ),
)
