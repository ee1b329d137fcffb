"""Create a group, and edit its settings: text, picture, membership rules, slug, followed DIDs, deletion."""

import secrets
from urllib.parse import quote

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from at_protocol.failures import Malformed
from at_protocol.syntax.handle import parse_handle
from groundwork.errors import InvalidForm, NotFound, PreconditionFailed, Refused, RemoteFailed, RemoteSlow
from groundwork.http.forms import EMPTY, FormState, form_with_problems, outdated_form, read_form
from openmeet.domain.attendance import group_hosting
from openmeet.domain.covers.model import cover_of_group
from openmeet.domain.groups import actions, followed_dids, queries, rules
from openmeet.domain.groups.model import MAX_KEY, GroupRole, GroupVisibility
from openmeet.domain.groups.reasons import GroupReason
from openmeet.domain.groups.rules import GroupPermission
from openmeet.domain.identities.queries import by_handle, of_people_with, shown_names
from openmeet.domain.page_paths import group_path
from openmeet.domain.search.group_event_lists import effect_of_deleting
from openmeet.domain.users.queries import by_id
from openmeet.i18n import countries
from openmeet.i18n.catalogue import gettext, lazy
from openmeet.i18n.formatting import OFFERED_ZONES
from openmeet.web.api.etags import revision_in_form
from openmeet.web.events import author_name
from openmeet.web.groups import forms
from openmeet.web.groups.forms import GroupSubmission, submission_of, values_of, values_of_group
from openmeet.web.groups.viewed_group import ViewedGroup, context_of, redirect_to_current_slug, view_group
from openmeet.web.media.subject import subject_of_group
from openmeet.web.media.uploads import form_of, save_sent
from openmeet.web.site.caller import caller_of
from openmeet.web.site.layout import go, page
from openmeet.web.site.services import services
from openmeet.web.site.slugs import group_slug_of
from openmeet.web.site.tenant_routing import database_of

LABELS = {
    "name": lazy("Name"),
    "description": lazy("What it’s for"),
    "locality": lazy("Town"),
    "country": lazy("Country"),
    "time_zone": lazy("Time zone"),
    "join_policy": lazy("How people join"),
    "join_question": lazy("A question for people who ask to join"),
    "visibility": lazy("Who can see it"),
    "promotion_level": lazy("What other apps get from its events"),
    "address": lazy("Address"),
    "did": lazy("Person"),
}

_MADE_ALREADY = lazy(
    'You already created <a href="/groups/%(slug)s">a group</a> with this form. Edit that one, or send this again '
    "to create another."
)
_DELETED_MEANWHILE = lazy(
    "This group was deleted after you opened this form. What you typed is still here. To use it, create a new group."
)


def routes() -> list[Route]:
    """Routes of new groups and their settings. ``/groups/new`` is registered before ``/groups/{slug}``."""
    return [
        Route("/groups/new", show_new, methods=["GET"]),
        Route("/groups/new", create, methods=["POST"]),
        Route("/groups/{slug}/settings", show_settings, methods=["GET"]),
        Route("/groups/{slug}/settings", save, methods=["POST"]),
        Route("/groups/{slug}/address", choose_address, methods=["POST"]),
        Route("/groups/{slug}/follows", show_follows, methods=["GET"]),
        Route("/groups/{slug}/follows", change_follows, methods=["POST"]),
        Route("/groups/{slug}/delete", show_delete, methods=["GET"]),
        Route("/groups/{slug}/delete", delete, methods=["POST"]),
        Route("/groups/{slug}/picture", show_picture, methods=["GET"]),
        Route("/groups/{slug}/picture", save_picture, methods=["POST"]),
        Route("/groups/{slug}/picture/remove", remove_picture, methods=["POST"]),
    ]


async def show_new(request: Request) -> Response:
    caller = caller_of(request)
    async with database_of(request).reader() as reader:
        user = await by_id(reader, caller.user_id)
    zone = (user and user.time_zone) or services(request).settings.time_zone
    values = values_of(GroupSubmission(time_zone=zone)) | {"submission": secrets.token_urlsafe(16)}
    return await _new_group_page(request, FormState(values))


async def create(request: Request) -> Response:
    caller = caller_of(request)
    form = await read_form(request)
    submission = submission_of(form)
    key = form.get("submission", "")[:MAX_KEY]
    try:
        details = forms.check(submission)
        await author_name.store_if_missing(request, caller, form)
        async with database_of(request).transaction() as tx:
            group = await actions.create(tx, caller, details, submission_key=key or None)
    except InvalidForm as wrong:
        values = {**values_of(submission), "submission": key, "display_name": form.get("display_name", "")}
        return await _new_group_page(request, form_with_problems(values, wrong), status=400)
    except actions.GroupAlreadyCreated as existing:
        form_values = {**values_of(submission), "submission": secrets.token_urlsafe(16)}
        problem = Markup(_MADE_ALREADY.filled(slug=quote(existing.slug)))  # noqa: S704  # a message of ours, with a quoted slug
        return await _new_group_page(request, FormState(form_values, {"": problem}), status=422)
    return go(group_path(group.slug), flash="group_created" if group.revision == 1 else "made_before")


async def show_settings(request: Request) -> Response:
    seen = await _group_access(request, GroupPermission.EDIT_GROUP)
    moved = redirect_to_current_slug(request, seen.group)
    if moved is not None:
        return moved
    return _group_form_page(request, FormState(_form_values(seen)), seen)


async def save(request: Request) -> Response:
    form = await read_form(request)
    try:
        return await _save(request, form)
    except NotFound:
        if not await _was_deleted(request):
            raise
        values = values_of(submission_of(form)) | {"submission": secrets.token_urlsafe(16)}
        return await _new_group_page(request, FormState(values, {"": str(_DELETED_MEANWHILE)}), status=410)


async def _save(request: Request, form: dict[str, str]) -> Response:
    caller = caller_of(request)
    seen = await _group_access(request, GroupPermission.EDIT_GROUP)
    submission = submission_of(form)
    revision = form.get("revision", "")
    shown = {**values_of(submission), "revision": revision, "address": seen.group.slug}
    try:
        details = forms.check(submission)
        async with database_of(request).transaction() as tx:
            group = await group_hosting.revise(
                tx, caller, seen.group.slug, details, expected_revision=revision_in_form(revision)
            )
    except InvalidForm as wrong:
        return _group_form_page(request, form_with_problems(shown, wrong), seen, status=400)
    except PreconditionFailed:
        newest = await _group_access(request, GroupPermission.EDIT_GROUP)
        outdated = outdated_form(
            shown, _form_values(newest), GroupReason.CHANGED_WHILE_OPEN, versions=("revision", "address")
        )
        return _group_form_page(request, outdated, newest, status=409)
    return go(f"{group_path(group.slug)}/settings", flash="group_saved")


async def _was_deleted(request: Request) -> bool:
    """Whether the group was deleted and the caller was allowed to edit it."""
    async with database_of(request).reader() as reader:
        group = await queries.by_slug(reader, group_slug_of(request))
        if group is None or group.deleted_at is None:
            return False
        membership = await queries.find_member(reader, group.id, caller_of(request).user_id)
        return rules.may(membership.role if membership else None, GroupPermission.EDIT_GROUP)


async def choose_address(request: Request) -> Response:
    caller = caller_of(request)
    form = await read_form(request)
    try:
        async with database_of(request).transaction() as tx:
            group = await actions.choose_address(tx, caller, group_slug_of(request), form.get("address", ""))
    except InvalidForm as wrong:
        seen = await _group_access(request, GroupPermission.EDIT_GROUP)
        return _group_form_page(request, form_with_problems(_form_values(seen) | form, wrong), seen, status=400)
    return go(f"{group_path(group.slug)}/settings", flash="address_chosen")


async def show_picture(request: Request) -> Response:
    seen = await _editable_group(request)
    moved = redirect_to_current_slug(request, seen.group)
    if moved is not None:
        return moved
    return _picture_form_page(request, seen, FormState({"alt": seen.group.picture.alt if seen.group.picture else ""}))


async def save_picture(request: Request) -> Response:
    seen = await _editable_group(request)
    caller = caller_of(request)
    refused_form = await save_sent(
        request,
        caller.user_id,
        lambda tx, picture: actions.set_picture(tx, caller, seen.group.slug, picture),
        lambda tx, alt: actions.describe_picture(tx, caller, seen.group.slug, alt),
    )
    if refused_form is not None:
        form_state, status = refused_form
        return _picture_form_page(request, seen, form_state, status=status)
    return go(group_path(seen.group.slug), flash="picture_saved")


async def remove_picture(request: Request) -> Response:
    async with database_of(request).transaction() as tx:
        group = await actions.remove_picture(tx, caller_of(request), group_slug_of(request))
    return go(group_path(group.slug), flash="picture_removed")


async def show_follows(request: Request) -> Response:
    return await _followed_dids_page(request, EMPTY)


async def change_follows(request: Request) -> Response:
    caller = caller_of(request)
    form = await read_form(request)
    try:
        did = "" if form.get("unfollow") else await _did_of(request, form.get("did", ""))
        async with database_of(request).transaction() as tx:
            if form.get("unfollow"):
                await followed_dids.unfollow(tx, caller, group_slug_of(request), form["unfollow"])
            else:
                await followed_dids.follow(tx, caller, group_slug_of(request), did)
            group, _ = await actions.visible(tx, group_slug_of(request), caller.user_id)
    except (InvalidForm, Refused) as wrong:
        problem = wrong if isinstance(wrong, InvalidForm) else InvalidForm({"did": wrong.why})
        return await _followed_dids_page(request, form_with_problems(form, problem), status=400)
    except (RemoteFailed, RemoteSlow) as away:
        return await _followed_dids_page(request, FormState(form, {"did": away.quoted}), status=502)
    return go(f"{group_path(group.slug)}/follows", flash="did_unfollowed" if form.get("unfollow") else "did_followed")


async def _did_of(request: Request, account_name: str) -> str:
    """Resolve a handle to a DID: from the accounts known to this site, otherwise through the handle’s domain. Text that
    is not a handle is returned unchanged.

    Raises InvalidForm if no account has this handle, RemoteFailed and RemoteSlow if that cannot be determined now, and
    like ``view_group`` for people who may not follow.
    """
    try:
        name = parse_handle(account_name.strip().removeprefix("@").lower())
    except Malformed:
        return account_name
    async with database_of(request).reader() as reader:
        await view_group(reader, request, GroupPermission.FOLLOW)
        identity = await by_handle(reader, name)
    if len(identity) == 1:
        return identity[0].did
    network = services(request).network
    if network is None:
        return account_name
    try:
        return (await network.handles.identities.identify(name)).did
    except NotFound:
        raise InvalidForm({"did": GroupReason.MALFORMED_DID}) from None


async def _followed_dids_page(request: Request, form_state: FormState, *, status: int = 200) -> Response:
    async with database_of(request).reader() as reader:
        seen = await view_group(reader, request, GroupPermission.FOLLOW)
        moved = redirect_to_current_slug(request, seen.group)
        if moved is not None and request.method == "GET":
            return moved
        dids = [did for did, _ in await followed_dids.of_group(reader, seen.group.id)]
        people = await of_people_with(reader, dids)
        identities = {str(one.did): one for identities in people.values() for one in identities}
        names = await shown_names(reader, [one.user_id for one in identities.values()])
    followed = [
        {"did": did, "name": names[identities[did].user_id], "handle": identities[did].handle}
        if did in identities
        else {"did": did, "name": did, "handle": ""}
        for did in dids
    ]
    context = context_of(seen, f"{seen.path}/settings") | {"typed": form_state, "followed": followed}
    return page(request, "groups/group_follows.html", context, status=status)


async def show_delete(request: Request) -> Response:
    return await _ask_delete(request, EMPTY)


async def delete(request: Request) -> Response:
    """Delete the group. The user must type its name, because a deleted group cannot be restored."""
    caller = caller_of(request)
    form = await read_form(request)
    seen = await _group_access(request, GroupPermission.DELETE)
    if " ".join(form.get("name", "").split()) != seen.group.details.name:
        wrong = InvalidForm({"name": GroupReason.NAME_TO_CONFIRM(label=seen.group.details.name)})
        return await _ask_delete(request, form_with_problems(form, wrong), status=400)
    async with database_of(request).transaction() as tx:
        await actions.delete(tx, caller, group_slug_of(request))
    return go("/groups?which=mine", flash="group_deleted")


async def _ask_delete(request: Request, form_state: FormState, *, status: int = 200) -> Response:
    async with database_of(request).reader() as reader:
        seen = await view_group(reader, request, GroupPermission.DELETE)
        moved = redirect_to_current_slug(request, seen.group)
        if moved is not None and request.method == "GET":
            return moved
        upcoming, inner = await effect_of_deleting(reader, seen.group.id)
    context = context_of(seen, f"{seen.path}/settings") | {
        "subject": subject_of_group(seen.group).page("settings", gettext("Settings")),
        "typed": form_state,
        "coming": upcoming,
        "inner": inner,
        "others": seen.members - 1,
        "pending": seen.counts.get(GroupRole.PENDING, 0),
    }
    return page(request, "groups/group_delete.html", context, status=status)


async def _group_access(request: Request, action: GroupPermission) -> ViewedGroup:
    caller_of(request)
    async with database_of(request).reader() as reader:
        return await view_group(reader, request, action)


def _form_values(seen: ViewedGroup) -> dict[str, str]:
    return values_of_group(seen.group) | {"revision": str(seen.group.revision), "address": seen.group.slug}


async def _new_group_page(request: Request, form_state: FormState, *, status: int = 200) -> Response:
    asks_name = await author_name.is_missing(request, caller_of(request))
    return _group_form_page(request, form_state, None, asks_name=asks_name, status=status)


def _group_form_page(
    request: Request, form_state: FormState, seen: ViewedGroup | None, *, asks_name: bool = False, status: int = 200
) -> Response:
    context: dict[str, object] = {
        "typed": form_state,
        "labels": LABELS | author_name.LABELS,
        "asks_name": asks_name,
        "lengths": forms.LENGTHS,
        "zones": OFFERED_ZONES,
        "countries": countries.offered(),
        "is_new": seen is None,
        "may_announce": seen is None or seen.group.owner_id == caller_of(request).user_id,
        "can_delete": seen is not None and seen.may(GroupPermission.DELETE),
        "is_public": seen is not None and seen.group.details.visibility is GroupVisibility.PUBLIC,
        "public_url": services(request).settings.public_url,
        "group": None,
        "tabs": [],
        "tab": "",
        "address": "",
    }
    if seen is not None:
        context |= context_of(seen, f"{seen.path}/settings")
    return page(request, "groups/group_form.html", context, status=status)


async def _editable_group(request: Request) -> ViewedGroup:
    caller_of(request)
    async with database_of(request).reader() as reader:
        seen = await view_group(reader, request, GroupPermission.EDIT_GROUP)
    rules.require_managed_here(seen.group, GroupPermission.EDIT_GROUP)
    return seen


def _picture_form_page(request: Request, seen: ViewedGroup, form_state: FormState, *, status: int = 200) -> Response:
    settings = f"{seen.path}/settings"
    has_record_picture = seen.group.network.avatar_cid is not None
    form = form_of(
        seen.group.picture,
        seen.path,
        cover=cover_of_group(seen.group.details.name),
        back=settings,
        form_state=form_state,
        has_record_picture=has_record_picture,
    )
    return page(request, "groups/group_picture.html", context_of(seen, settings) | form, status=status)
