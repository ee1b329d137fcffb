"""Group ownership pages: transfer offers, the backup admin, taking over while the owner is absent, and the log."""

from collections.abc import Awaitable, Callable
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.database.transaction import Reader, Transaction
from groundwork.errors import InvalidForm, InvalidInput, Refused
from groundwork.http.forms import EMPTY, FormState, form_with_problems, read_form
from openmeet.domain.groups import invitation_queries, membership_queries, ownership, rules
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
from openmeet.web.groups.activity_pages import line_of
from openmeet.web.groups.view import ROLE_CHIPS, passes_on_label
from openmeet.web.groups.viewed_group import ViewedGroup, context_of, redirect_to_current_slug, view_group
from openmeet.web.site.caller import caller_of
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
    "take back": (ownership.reclaim_ownership, "taken_back_group"),
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
        entries = await invitation_queries.logged(reader, seen.group.id, limit=LINES + 1, before=before or None)
        names = await shown_names(reader, [user_id for one in entries for user_id in (one.user_id, one.acted_by)])
    more = ""
    if len(entries) > LINES:
        more = f"{seen.path}/log?" + urlencode({"before": entries[LINES - 1].id})
    lines = [line_of(one, names, seen.group) for one in entries[:LINES]]
    context = context_of(seen, seen.path) | {"lines": lines, "more": more}
    return page(request, "groups/group_log.html", context)
