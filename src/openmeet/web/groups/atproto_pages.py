"""A group on the AT Protocol network, on pages and as JSON: its record, its repository, and the viewer's public
membership.
"""

from dataclasses import dataclass
from typing import Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.database.transaction import Reader
from groundwork.errors import Explanation, InvalidInput, NotFound, Refused
from groundwork.http.forms import EMPTY, FormState, read_form
from groundwork.http.json_bodies import json_response, read_json
from groundwork.outbox.jobs import JobState, find
from openmeet.domain.attendance import group_hosting
from openmeet.domain.groups import actions, publication_settings
from openmeet.domain.groups.model import INSIDE, GroupRole, Membership
from openmeet.domain.groups.publication import GroupPublishLevel, publish_level_of, record_holder_of
from openmeet.domain.groups.queries import find_member
from openmeet.domain.groups.reasons import GroupReason
from openmeet.domain.groups.rules import GroupPermission
from openmeet.domain.identities import queries as identity_queries
from openmeet.domain.identities.permissions import Feature, permission_for
from openmeet.domain.merge_decisions import queries as merge_decisions
from openmeet.domain.page_paths import group_path
from openmeet.domain.users.model import UserId
from openmeet.feature_flags.flags import Flag, switches
from openmeet.i18n.catalogue import lazy
from openmeet.i18n.reasons.messages import explain
from openmeet.network.repositories.custodial import check_handle, handle_domain_of, suggest_handle, suggested_domain_of
from openmeet.outbox import publication_status
from openmeet.outbox.kinds import JobKind
from openmeet.outbox.publications import PublicationKind, PublicationState
from openmeet.web.api.operations import ApiOperation
from openmeet.web.groups.viewed_group import ViewedGroup, context_of, redirect_to_current_slug, view_group
from openmeet.web.site.caller import caller_of
from openmeet.web.site.layout import go, page
from openmeet.web.site.services import publishing_of, services
from openmeet.web.site.slugs import group_slug_of
from openmeet.web.site.tenant_routing import database_of


@dataclass(frozen=True, slots=True)
class OwnName:
    """Publication of the viewer's membership. ``asks``: their PDS still has to grant permission."""

    is_public: bool
    can_be_public: bool
    state: PublicationState | None
    status: Explanation | None
    uri: str | None
    asks: bool
    did: str


@dataclass(frozen=True, slots=True)
class OnTheNetwork:
    """``merged`` is the number of merge decisions about the group's record. ``handle`` is the handle of the group's own
    repository. It is empty while the repository is being created, and None if the group has none. ``problem`` says why
    creating it failed.
    """

    publish_level: GroupPublishLevel
    uri: str | None
    status: Explanation | None
    is_switched_on: bool
    has_agreed: bool
    handle: str | None
    problem: str
    asks: bool
    did: str
    mine: OwnName | None
    merged: int


async def on_the_network(reader: Reader, seen: ViewedGroup) -> OnTheNetwork:
    """The group's publication status and record, for everyone who may see the group."""
    group, on = seen.group, await switches(reader)
    record_holder = record_holder_of(group)
    publish_level = GroupPublishLevel.FULL if group.is_read_only else publish_level_of(group)
    publication_state = (await publication_status.statuses(reader, PublicationKind.GROUP, [group.id]))[group.id]
    agreed = (await identity_queries.consent(reader, record_holder)).is_given
    handle: str | None = None
    problem = ""
    if group.network.account_id is not None:
        account_identities = await identity_queries.of_user(reader, group.network.account_id)
        handle = account_identities[0].handle if account_identities else ""
        job = None if account_identities else await find(reader, JobKind.CUSTODIAL_ACCOUNT, group.network.account_id)
        problem = explain(job.why) if job is not None and job.state is JobState.FAILED else ""
    did, asks = await permission_for(reader, record_holder, Feature.GROUPS)
    membership = None if seen.viewer is None else await find_member(reader, group.id, seen.viewer)
    return OnTheNetwork(
        publish_level=publish_level,
        uri=group.network.record_uri,
        status=publication_state.explanation_for_owner(
            reader.now, is_allowed=agreed and publish_level is not GroupPublishLevel.NOTHING
        ),
        is_switched_on=Flag.GROUPS in on,
        has_agreed=agreed,
        handle=handle,
        problem=problem,
        asks=asks and publish_level is not GroupPublishLevel.NOTHING,
        did=did,
        mine=None if seen.viewer is None else await _own_name(reader, seen, seen.viewer, membership, publish_level),
        merged=await merge_decisions.count(reader, group.network.record_uri or ""),
    )


async def _own_name(
    reader: Reader, seen: ViewedGroup, viewer: UserId, membership: Membership | None, publish_level: GroupPublishLevel
) -> OwnName | None:
    may_ask = seen.group.is_read_only and (membership is None or membership.role is not GroupRole.BANNED)
    if not may_ask and (membership is None or membership.role not in INSIDE):
        return None
    is_public = membership is not None and membership.sync_enabled
    agreed = (await identity_queries.consent(reader, viewer)).is_given
    did, asks = await permission_for(reader, viewer, Feature.MEMBERSHIPS)
    can_be = publish_level is GroupPublishLevel.FULL and agreed and Flag.MEMBERSHIPS in await switches(reader)
    if membership is None:
        return OwnName(is_public=False, can_be_public=can_be, state=None, status=None, uri=None, asks=asks, did=did)
    publication_state = (await publication_status.statuses(reader, PublicationKind.MEMBERSHIP, [membership.id]))[
        membership.id
    ]
    return OwnName(
        is_public=is_public,
        can_be_public=can_be,
        state=publication_state.state,
        status=publication_state.explanation_for_owner(reader.now, is_allowed=is_public and can_be),
        uri=membership.statement_uri,
        asks=asks and is_public,
        did=did,
    )


LABELS = {"handle": lazy("Name in other apps")}


def routes() -> list[Route]:
    return [
        Route("/groups/{slug}/network", show, methods=["GET"]),
        Route("/groups/{slug}/network", save, methods=["POST"]),
        Route("/groups/{slug}/repository", ask_repository, methods=["GET"]),
        Route("/groups/{slug}/repository", make_repository, methods=["POST"]),
    ]


async def show(request: Request) -> Response:
    return await _network_page(request, EMPTY)


async def save(request: Request) -> Response:
    caller = caller_of(request)
    form = await read_form(request)
    is_public = form.get("public") == "yes"
    try:
        async with database_of(request).transaction() as tx:
            await publication_settings.show_membership(tx, caller, group_slug_of(request), is_public=is_public)
            group, _ = await actions.visible(tx, group_slug_of(request), caller.user_id)
    except Refused as refused:
        return await _network_page(request, FormState(form, {"": refused.why}), status=422)
    return go(f"{group_path(group.slug)}/network", flash="membership_shown" if is_public else "membership_hidden")


async def ask_repository(request: Request) -> Response:
    """The page that creates a repository for the group, if this site has a PDS for it."""
    return await _ask_repository(request, EMPTY)


async def make_repository(request: Request) -> Response:
    publishing, caller = publishing_of(request), caller_of(request)
    form = await read_form(request)
    try:
        handle = _confirmed_handle(form, await handle_domain_of(publishing.network, publishing.custodial_pds))
        async with database_of(request).transaction() as tx:
            group = await group_hosting.open_account(tx, caller, group_slug_of(request), handle)
    except InvalidInput as wrong:
        return await _ask_repository(request, FormState(form, {wrong.field: wrong.why}), status=400)
    except Refused as refused:
        return await _ask_repository(request, FormState(form, {"": refused.why}), status=422)
    return go(f"{group_path(group.slug)}/network", flash="group_repository_asked")


async def _network_page(request: Request, form_state: FormState, *, status: int = 200) -> Response:
    async with database_of(request).reader() as reader:
        seen = await see_network(reader, request)
        moved = redirect_to_current_slug(request, seen.group)
        if moved is not None and request.method == "GET":
            return moved
        context = context_of(seen, f"{seen.path}/network")
        context |= {
            "typed": form_state,
            "net": await on_the_network(reader, seen),
            "is_owner": seen.role is GroupRole.OWNER,
        }
    context["can_have_repository"] = services(request).asks_to_publish
    return page(request, "groups/group_network.html", context, status=status)


async def see_network(reader: Reader, request: Request) -> ViewedGroup:
    """The group, for its members. A remote group can be seen by everyone who is signed in. Raises NotFound, Forbidden."""
    caller_of(request)
    seen = await view_group(reader, request)
    return seen if seen.group.is_read_only else await view_group(reader, request, GroupPermission.SEE_MEMBERS)


def _confirmed_handle(form: dict[str, str], domain: str) -> str:
    """The handle from the form. Raises InvalidInput unless the checkbox that confirms it is selected."""
    if form.get("publish") != "yes":
        raise InvalidInput("publish", GroupReason.YES_NEEDED)
    return check_handle(form.get("handle", ""), domain)


async def _ask_repository(request: Request, form_state: FormState, *, status: int = 200) -> Response:
    publishing = publishing_of(request)
    caller_of(request)
    async with database_of(request).reader() as reader:
        seen = await view_group(reader, request, GroupPermission.TRANSFER)
        if seen.group.is_read_only:
            raise NotFound(GroupReason.NO_SUCH_PAGE)
        moved = redirect_to_current_slug(request, seen.group)
        if moved is not None and request.method == "GET":
            return moved
    domain = await suggested_domain_of(publishing.network, publishing.custodial_pds)
    handle = suggest_handle(seen.group.details.name, seen.group.id, domain)
    context = context_of(seen, f"{seen.path}/network") | {
        "typed": FormState({"handle": handle, **form_state.values}, form_state.problems),
        "labels": LABELS,
        "domain": domain,
    }
    return page(request, "groups/group_repository.html", context, status=status)


class NameInput(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """Whether to publish the caller's membership as a record in their repository."""

    is_public: bool


class NameOutput(msgspec.Struct, rename="camel"):
    """Whether the caller publishes their membership of a group. ``state`` is the state of the membership record. It is
    null if none was ever requested. ``asksPermission`` means that the PDS must grant permission first.
    """

    is_public: bool
    state: str | None
    record_uri: str | None
    asks_permission: bool


class GroupNetworkOutput(msgspec.Struct, rename="camel"):
    """``share`` says how much of the group is published. ``handle`` is the handle of its own repository; null if its
    owner's repository is used.

    ``mine`` is null for callers who are not members.
    """

    record_uri: str | None
    share: Literal["nothing", "least", "all"]
    is_kept_elsewhere: bool
    handle: str | None
    mine: NameOutput | None


async def show_group_network(request: Request) -> Response:
    caller_of(request)
    return json_response(await _network_output(request))


async def put_name(request: Request) -> Response:
    caller = caller_of(request)
    body = await read_json(request, NameInput)
    async with database_of(request).transaction() as tx:
        await publication_settings.show_membership(tx, caller, group_slug_of(request), is_public=body.is_public)
    return json_response(await _network_output(request))


async def _network_output(request: Request) -> GroupNetworkOutput:
    async with database_of(request).reader() as reader:
        seen = await see_network(reader, request)
        network = await on_the_network(reader, seen)
    own_name = network.mine
    return GroupNetworkOutput(
        record_uri=network.uri,
        share=("nothing", "least", "all")[network.publish_level],
        is_kept_elsewhere=seen.group.is_read_only,
        handle=network.handle or None,
        mine=None
        if own_name is None
        else NameOutput(
            own_name.is_public, own_name.state.value if own_name.state else None, own_name.uri, own_name.asks
        ),
    )


OPERATIONS = (
    ApiOperation(
        "GET",
        "/api/groups/{slug}/network",
        "showGroupNetwork",
        "Publication status of a group and of your membership",
        show_group_network,
        {200: GroupNetworkOutput},
        failures=(403, 404),
    ),
    ApiOperation(
        "PUT",
        "/api/groups/{slug}/network/name",
        "showMembership",
        "Publish or retract your membership. For a group of another installation, publishing requests membership",
        put_name,
        {200: GroupNetworkOutput},
        NameInput,
        failures=(403, 404, 422),
    ),
)
