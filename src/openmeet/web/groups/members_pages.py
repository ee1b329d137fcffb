"""Group members and requests, for the group's admins: roles, removal, bans, and decisions one by one or in bulk."""

from dataclasses import dataclass
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.clock import Instant
from groundwork.errors import InvalidForm, InvalidInput
from groundwork.http.forms import EMPTY, FormState, form_with_problems, read_form
from openmeet.domain.groups import actions, administration, queries, rules
from openmeet.domain.groups.model import BELOW_OWNER, INSIDE, GroupRole, MemberId, Membership
from openmeet.domain.groups.reasons import GroupReason
from openmeet.domain.groups.rules import GroupPermission
from openmeet.domain.identities.queries import shown_names
from openmeet.domain.page_paths import group_path
from openmeet.domain.users.model import UserId
from openmeet.domain.validation import GeneralReason
from openmeet.web.groups.view import ROLE_CHIPS, MemberView, day_label, person_of, short_day_label
from openmeet.web.groups.viewed_group import ViewedGroup, context_of, redirect_to_current_slug, view_group
from openmeet.web.site.caller import caller_of
from openmeet.web.site.faces import portraits_of
from openmeet.web.site.layout import go, page
from openmeet.web.site.slugs import group_slug_of
from openmeet.web.site.tenant_routing import database_of

PAGE_SIZE = 50
_ASK = "ask-"
_FLASH = {"remove": "member_removed", "ban": "member_banned", "lift": "ban_lifted"}


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
    if not decided:
        return go(f"{group_path(group.slug)}/requests", flash="requests_gone")
    return go(
        f"{group_path(group.slug)}/requests",
        flash="requests_approved" if decision == "approve" else "requests_declined",
    )


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
