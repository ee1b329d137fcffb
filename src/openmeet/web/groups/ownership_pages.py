"""Group ownership, on pages and as JSON: transfer offers, the backup admin, taking over while the owner is absent;
and the page of the group's log.
"""

from collections.abc import Awaitable, Callable
from urllib.parse import urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.clock import Instant
from groundwork.database.transaction import Reader, Transaction
from groundwork.errors import InvalidForm, InvalidInput, Refused
from groundwork.http.forms import EMPTY, FormState, form_with_problems, read_form
from groundwork.http.json_bodies import json_response, read_json
from openmeet.domain.groups import actions, audit_log, membership_queries, ownership, rules
from openmeet.domain.groups.model import (
    LONGEST_ABSENCE,
    LONGEST_WAIT,
    SHORTEST_ABSENCE,
    SHORTEST_WAIT,
    Group,
    GroupRole,
    GroupSlug,
)
from openmeet.domain.groups.reasons import GroupReason
from openmeet.domain.groups.rules import GroupPermission
from openmeet.domain.identities.queries import shown_names
from openmeet.domain.page_paths import group_path
from openmeet.domain.users.model import Caller, UserId
from openmeet.domain.validation import GeneralReason
from openmeet.i18n.catalogue import gettext
from openmeet.i18n.formatting import iso
from openmeet.web.api.operations import ApiOperation
from openmeet.web.groups.activity_pages import activity_rows
from openmeet.web.groups.view import ROLE_CHIPS, passes_on_label
from openmeet.web.groups.viewed_group import ViewedGroup, context_of, redirect_to_current_slug, view_group
from openmeet.web.site.caller import caller_of
from openmeet.web.site.faces import avatar_of, portraits_of
from openmeet.web.site.layout import go, page
from openmeet.web.site.slugs import group_slug_of
from openmeet.web.site.tenant_routing import database_of

LINES = 50
Step = Callable[[Transaction, Caller, GroupSlug], Awaitable[Group]]

# The action and the flash message of each button.
_STEPS: dict[str, tuple[Step, str]] = {
    "end offer": (ownership.end_offer, "offer_ended"),
    "accept": (ownership.accept_offer, "offer_accepted"),
    "ask": (ownership.ask, "takeover_asked"),
    "stop": (ownership.stop, "takeover_stopped"),
    "take over": (ownership.take_over, "taken_over"),
    "take back": (ownership.reclaim_ownership, "group_reclaimed"),
}


def routes() -> list[Route]:
    return [
        Route("/groups/{slug}/ownership", show, methods=["GET"]),
        Route("/groups/{slug}/ownership", save_action, methods=["POST"]),
        Route("/groups/{slug}/log", show_log, methods=["GET"]),
    ]


async def show(request: Request) -> Response:
    return await _ownership_page(request, EMPTY)


async def save_action(request: Request) -> Response:
    caller = caller_of(request)
    form = await read_form(request)
    try:
        async with database_of(request).transaction() as tx:
            group, flash = await _run_action(tx, caller, group_slug_of(request), form)
    except InvalidForm as wrong:
        return await _ownership_page(request, form_with_problems(form, wrong), status=400)
    except Refused as refused:
        return await _ownership_page(request, FormState(form, {"": refused.why}), status=422)
    return go(f"{group_path(group.slug)}/ownership", flash=flash)


async def _run_action(tx: Transaction, caller: Caller, slug: GroupSlug, form: dict[str, str]) -> tuple[Group, str]:
    """Carry out the action of the pressed button. Returns the group and the flash message."""
    action = form.get("act", "")
    if action in _STEPS:
        step, flash = _STEPS[action]
        return await step(tx, caller, slug), flash
    if action == "offer":
        if not form.get("heir"):
            raise InvalidForm({"heir": GroupReason.PERSON_NEEDED})
        return await ownership.offer(tx, caller, slug, UserId(form["heir"])), "offer_made"
    if action == "arrange":
        backup = UserId(form["backup"]) if form.get("backup") else None
        absence_days, wait_days = _days_field(form, "absence_days"), _days_field(form, "wait_days")
        group = await ownership.arrange(tx, caller, slug, backup, absence_days=absence_days, wait_days=wait_days)
        return group, "succession_arranged"
    raise InvalidInput("act", GeneralReason.CHOOSE_ONE, choices="offer, arrange, " + ", ".join(_STEPS))


async def _ownership_page(request: Request, form_state: FormState, *, status: int = 200) -> Response:
    async with database_of(request).reader() as reader:
        seen = await view_group(reader, request, GroupPermission.SEE_MEMBERS)
        moved = redirect_to_current_slug(request, seen.group)
        if moved is not None and request.method == "GET":
            return moved
        context = context_of(seen, seen.path) | await _ownership_context(reader, seen)
    plan = seen.group.succession_plan
    values = {
        "backup": plan.backup_admin_id or "",
        "absence_days": str(plan.absence_days),
        "wait_days": str(plan.wait_days),
        "heir": "",
    }
    context["typed"] = FormState(values | dict(form_state.values), form_state.problems)
    return page(request, "groups/group_ownership.html", context, status=status)


async def _ownership_context(reader: Reader, seen: ViewedGroup) -> dict[str, object]:
    group, viewer = seen.group, seen.viewer
    succession = group.succession
    others = await membership_queries.other_members_by_seniority(reader, group.id, besides=group.owner_id)
    named_ids = [group.owner_id, *(one.user_id for one in others)]
    named_ids += [succession.successor_id] if succession else []
    named_ids += [group.offer.heir_id] if group.offer else []
    named_ids += [group.succession_plan.backup_admin_id] if group.succession_plan.backup_admin_id else []
    names = await shown_names(reader, named_ids)
    is_owner = seen.role is GroupRole.OWNER
    is_absent = rules.is_absent(
        await ownership.last_seen(reader, group.owner_id), reader.now, after=group.succession_plan.absence
    )
    last = await ownership.last_change_of_owner(reader, group.id)
    backup = group.succession_plan.backup_admin_id
    is_next = backup == viewer or (
        bool(others) and seen.role is not None and not rules.ranks_above(others[0].role, seen.role)
    )
    return {
        "owner": names[group.owner_id],
        "owner_face": avatar_of(
            group.owner_id, names[group.owner_id], await portraits_of(reader, viewer, [group.owner_id])
        ),
        "is_owner": is_owner,
        "others": [
            (one.user_id, gettext("%(name)s (%(role)s)", name=names[one.user_id], role=ROLE_CHIPS[one.role]))
            for one in others
        ],
        "heir": names[group.offer.heir_id] if group.offer else "",
        "is_heir": group.offer is not None and group.offer.heir_id == viewer,
        "successor": names[succession.successor_id] if succession else "",
        "is_successor": succession is not None and succession.successor_id == viewer,
        "passes_on": passes_on_label(group),
        "is_time_over": succession is not None and reader.now - succession.asked_at >= group.succession_plan.wait,
        "is_absent": is_absent and not is_owner,
        "may_ask": is_absent
        and succession is None
        and not is_owner
        and is_next
        and seen.may(GroupPermission.TAKE_OVER),
        "may_take_back": last is not None and last.user_id == viewer and not is_owner,
        "backup": names[backup] if backup else "",
        "bounds": (SHORTEST_ABSENCE, LONGEST_ABSENCE, SHORTEST_WAIT, LONGEST_WAIT),
    }


def _days_field(form: dict[str, str], name: str) -> int:
    text = form.get(name, "").strip()
    if not (text.isascii() and text.isdecimal() and len(text) <= 6):
        raise InvalidForm({name: GroupReason.DAYS_NEEDED})
    return int(text)


async def show_log(request: Request) -> Response:
    before = request.query_params.get("before", "")
    async with database_of(request).reader() as reader:
        seen = await view_group(reader, request, GroupPermission.SEE_LOG)
        moved = redirect_to_current_slug(request, seen.group)
        if moved is not None:
            return moved
        entries = await audit_log.entries(reader, seen.group.id, limit=LINES + 1, before=before or None)
        people = [user_id for one in entries for user_id in (one.user_id, one.acted_by)]
        names = await shown_names(reader, people)
        portraits = await portraits_of(reader, seen.viewer, people)
    more = ""
    if len(entries) > LINES:
        more = f"{seen.path}/log?" + urlencode({"before": entries[LINES - 1].id})
    rows = activity_rows(entries[:LINES], names, portraits, seen.group, reader.now)
    context = context_of(seen, seen.path) | {"rows": rows, "more": more}
    return page(request, "groups/group_log.html", context)


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


async def show_ownership(request: Request) -> Response:
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
        "GET",
        _PATH,
        "showOwnership",
        "The owner of a group, and the backup admin",
        show_ownership,
        _ANSWERS,
        failures=(403, 404),
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
        "Accept the ownership of a group. The previous owner becomes an admin",
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
