"""Groups, as JSON: lists, one group, its upcoming events, create and edit, picture, join and leave."""

from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from groundwork.database.transaction import Reader
from groundwork.errors import InvalidInput
from groundwork.http.json_bodies import json_response, read_json, with_current_values
from openmeet.domain.attendance import group_hosting
from openmeet.domain.groups import actions, membership_queries, queries, rules
from openmeet.domain.groups.membership_queries import ListedGroup
from openmeet.domain.groups.model import INSIDE, Group, GroupId, GroupRole
from openmeet.domain.groups.rules import GroupPermission
from openmeet.domain.paging import DEFAULT_LIMIT, MAX_LIMIT
from openmeet.domain.search import query
from openmeet.domain.search.filters import SourceName
from openmeet.domain.search.group_event_lists import coming_in_group, effect_of_deleting
from openmeet.domain.slugs import LinkKind
from openmeet.domain.users.model import UserId
from openmeet.domain.validation import GeneralReason
from openmeet.web.api.etags import IF_MATCH, etag_of, expected_revision
from openmeet.web.api.external_identity import sources_of
from openmeet.web.api.operations import ApiOperation, Parameter
from openmeet.web.api.pagination import CURSOR, LIMIT, limit_of
from openmeet.web.events import new_links
from openmeet.web.events.api import EventList, events_page, paging
from openmeet.web.groups import forms
from openmeet.web.groups.schemas import (
    GroupDeletionPlanned,
    GroupInput,
    GroupList,
    GroupOutput,
    JoinInput,
    MembershipOutput,
    group_shown,
    membership_shown,
)
from openmeet.web.media.uploads import PictureInput, check_alt, store_uploaded
from openmeet.web.site.caller import caller_of, caller_or_none, viewer_of
from openmeet.web.site.services import services
from openmeet.web.site.slugs import group_slug_of
from openmeet.web.site.tenant_routing import database_of

_FAILURES = (403, 404, 412, 422)


async def list_groups(request: Request) -> Response:
    limit = limit_of(request, DEFAULT_LIMIT, MAX_LIMIT)
    words = request.query_params.get("q", "").split()
    source = query.source_of(request.query_params.get("source", ""))
    async with database_of(request).reader() as reader:
        after = await _parse_cursor(reader, request)
        groups = await membership_queries.listed(
            reader,
            words,
            viewer_of(request),
            after=after,
            limit=limit + 1,
            asks_all=source is not None,
            is_created_here=query.created_here_filter(source),
        )
        return json_response(await _group_list(reader, request, groups, limit))


async def list_mine(request: Request) -> Response:
    caller, limit = caller_of(request), limit_of(request, DEFAULT_LIMIT, MAX_LIMIT)
    async with database_of(request).reader() as reader:
        after = await _parse_cursor(reader, request)
        groups = await membership_queries.of_user(reader, caller.user_id, limit=limit + 1, after=after)
        return json_response(await _group_list(reader, request, groups, limit))


async def create(request: Request) -> Response:
    caller = caller_of(request)
    details = forms.check((await read_json(request, GroupInput)).submission())
    async with database_of(request).transaction() as tx:
        group = await actions.create(tx, caller, details)
        shown = await _group_output(tx, request, group, GroupRole.OWNER)
    return json_response(shown, 201, {**etag_of(group.revision), "location": f"/api/groups/{quote(group.slug)}"})


async def show(request: Request) -> Response:
    async with database_of(request).reader() as reader:
        await new_links.raise_if_replaced(reader, LinkKind.GROUP, group_slug_of(request))
        group, membership = await actions.visible(reader, group_slug_of(request), viewer_of(request))
        shown = await _group_output(reader, request, group, membership.role if membership else None)
    return json_response(shown, headers=etag_of(group.revision))


async def save(request: Request) -> Response:
    caller = caller_of(request)
    body = await read_json(request, GroupInput)
    async with database_of(request).transaction() as tx:
        # Check access before the body. Otherwise errors in the body would reveal that a hidden group exists.
        before, membership = await actions.visible(tx, group_slug_of(request), caller.user_id)
        body = await with_current_values(request, body, _who_gets_in(before))
        details = forms.check(body.submission())
        group = await group_hosting.revise(
            tx, caller, group_slug_of(request), details, expected_revision=expected_revision(request)
        )
        shown = await _group_output(tx, request, group, membership.role if membership else None)
    return json_response(shown, headers=etag_of(group.revision))


def _who_gets_in(group: Group) -> dict[str, object]:
    """Fields of ``GroupInput`` that stay unchanged if a PUT leaves them out."""
    return {
        "visibility": group.details.visibility.value,
        "join_policy": group.details.join_policy.value,
        "promotion_level": group.details.promotion_level.value,
        "sync_enabled": group.details.sync_enabled,
        "announces_events": group.details.announces_events,
    }


async def delete(request: Request) -> Response:
    caller = caller_of(request)
    async with database_of(request).transaction() as tx:
        await actions.delete(tx, caller, group_slug_of(request), expected_revision=expected_revision(request))
    return Response(status_code=204)


async def plan_deletion(request: Request) -> Response:
    caller = caller_of(request)
    async with database_of(request).transaction() as tx:
        group, _ = await actions.lock_for(
            tx, caller, group_slug_of(request), GroupPermission.DELETE, expected_revision=expected_revision(request)
        )
        counts = await queries.counts(tx, group.id)
        events, inner = await effect_of_deleting(tx, group.id)
    members = sum(number for role, number in counts.items() if role in INSIDE) - 1
    shown = GroupDeletionPlanned(events, inner, members, counts.get(GroupRole.PENDING, 0), group.revision)
    return json_response(shown, headers=etag_of(group.revision))


async def list_events(request: Request) -> Response:
    caller = caller_or_none(request)
    after, limit = paging(request)
    async with database_of(request).reader() as reader:
        group, membership = await actions.visible(reader, group_slug_of(request), caller.user_id if caller else None)
        is_member = rules.may(membership.role if membership else None, GroupPermission.VIEW)
        member = caller.user_id if caller and is_member else None
        events = await coming_in_group(reader, group.id, after, limit + 1, member=member)
        return json_response(await events_page(reader, request, events, limit))


async def join(request: Request) -> Response:
    caller = caller_of(request)
    answer = (await read_json(request, JoinInput)).answer
    async with database_of(request).transaction() as tx:
        membership = await actions.join(tx, caller, group_slug_of(request), answer)
    return json_response(membership_shown(membership))


async def leave(request: Request) -> Response:
    caller = caller_of(request)
    async with database_of(request).transaction() as tx:
        await actions.leave(tx, caller, group_slug_of(request))
    return Response(status_code=204)


async def _parse_cursor(reader: Reader, request: Request) -> tuple[str, str] | None:
    cursor = request.query_params.get("cursor", "")
    if not cursor:
        return None
    position = await actions.position_in_lists(reader, GroupId(cursor), viewer_of(request))
    if position is None:
        raise InvalidInput("cursor", GeneralReason.INVALID_CURSOR, name="InvalidCursor")
    return position


async def _group_list(reader: Reader, request: Request, groups: list[ListedGroup], limit: int) -> GroupList:
    url = services(request).settings.public_url
    page = groups[:limit]
    sources = await sources_of(reader, [(not one.group.is_read_only, one.group.network.record_uri) for one in page])
    shown = [
        group_shown(one.group, one.role, one.members, url, source) for one, source in zip(page, sources, strict=True)
    ]
    return GroupList(shown, groups[limit - 1].group.id if len(groups) > limit else None)


async def _group_output(reader: Reader, request: Request, group: Group, role: GroupRole | None) -> GroupOutput:
    counts = await queries.counts(reader, group.id)
    members = sum(counts.get(one, 0) for one in INSIDE)
    (source,) = await sources_of(reader, [(not group.is_read_only, group.network.record_uri)])
    return group_shown(group, role, members, services(request).settings.public_url, source)


async def shown_to(reader: Reader, request: Request, group: Group, viewer: UserId) -> GroupOutput:
    """The group as this user sees it."""
    membership = await queries.find_member(reader, group.id, viewer)
    return await _group_output(reader, request, group, membership.role if membership else None)


async def put_picture(request: Request) -> Response:
    caller = caller_of(request)
    body = await read_json(request, PictureInput)
    db = database_of(request)
    async with db.reader() as reader:
        group, membership = await actions.visible(reader, group_slug_of(request), caller.user_id)
        rules.require_managed_here(group, GroupPermission.EDIT_GROUP)
        rules.require_permission(membership.role if membership else None, GroupPermission.EDIT_GROUP)
    picture = await store_uploaded(request, caller.user_id, body.image, check_alt(body.alt))
    async with db.transaction() as tx:
        saved = await actions.set_picture(tx, caller, group.slug, picture, expected_revision=expected_revision(request))
        shown = await shown_to(tx, request, saved, caller.user_id)
    return json_response(shown, headers=etag_of(saved.revision))


async def remove_picture(request: Request) -> Response:
    caller = caller_of(request)
    async with database_of(request).transaction() as tx:
        saved = await actions.remove_picture(
            tx, caller, group_slug_of(request), expected_revision=expected_revision(request)
        )
        shown = await shown_to(tx, request, saved, caller.user_id)
    return json_response(shown, headers=etag_of(saved.revision))


OPERATIONS = (
    ApiOperation(
        "GET",
        "/api/groups",
        "listGroups",
        "Public groups, by name",
        list_groups,
        {200: GroupList},
        parameters=(
            Parameter("q", "Words that must all occur in the name, place or description"),
            Parameter(
                "source",
                "Where the group was created. Without this and q, groups "
                "from other apps are listed only if they have members on this site",
                shape=SourceName,
            ),
            CURSOR,
            LIMIT,
        ),
        needs_session=False,
    ),
    ApiOperation(
        "POST",
        "/api/groups",
        "createGroup",
        "Create a group. You own it",
        create,
        {201: GroupOutput},
        GroupInput,
        failures=(422,),
    ),
    ApiOperation(
        "GET",
        "/api/groups/{slug}",
        "showGroup",
        "One group. Its earlier slugs work too",
        show,
        {200: GroupOutput},
        needs_session=False,
        failures=(404,),
    ),
    ApiOperation(
        "PUT",
        "/api/groups/{slug}",
        "saveGroup",
        "Replace the group. A new name gives a new slug, and fields about who can see it or join keep their "
        "values if left out",
        save,
        {200: GroupOutput},
        GroupInput,
        (IF_MATCH,),
        failures=(403, 404, 412),
    ),
    ApiOperation(
        "POST",
        "/api/groups/{slug}/delete/plan",
        "planGroupDeletion",
        "What deleting the group would affect, in numbers. Changes nothing",
        plan_deletion,
        {200: GroupDeletionPlanned},
        None,
        (IF_MATCH,),
        failures=(403, 404, 412),
        changes_nothing=True,
    ),
    ApiOperation(
        "DELETE",
        "/api/groups/{slug}",
        "deleteGroup",
        "Delete the group. Its events stay with their hosts, and nobody can see more of them than before",
        delete,
        {204: None},
        None,
        (IF_MATCH,),
        failures=(403, 404, 412),
    ),
    ApiOperation(
        "GET",
        "/api/groups/{slug}/events",
        "listGroupEvents",
        "Coming events of a group: all of them for members, public ones for everyone else",
        list_events,
        {200: EventList},
        parameters=(CURSOR, LIMIT),
        needs_session=False,
        failures=(404,),
    ),
    ApiOperation(
        "PUT",
        "/api/groups/{slug}/membership",
        "joinGroup",
        "Join the group, or request to join. Repeating it changes nothing",
        join,
        {200: MembershipOutput},
        JoinInput,
        failures=(404, 422),
    ),
    ApiOperation(
        "DELETE",
        "/api/groups/{slug}/membership",
        "leaveGroup",
        "Leave the group, or withdraw the request",
        leave,
        {204: None},
        failures=(403, 404, 422),
    ),
    ApiOperation(
        "GET",
        "/api/my/groups",
        "listMyGroups",
        "Groups that you are in or have asked to join",
        list_mine,
        {200: GroupList},
        parameters=(CURSOR, LIMIT),
    ),
    ApiOperation(
        "PUT",
        "/api/groups/{slug}/picture",
        "putGroupPicture",
        "Set the picture of the group",
        put_picture,
        {200: GroupOutput},
        PictureInput,
        (IF_MATCH,),
        failures=_FAILURES,
        is_idempotent=True,
    ),
    ApiOperation(
        "DELETE",
        "/api/groups/{slug}/picture",
        "removeGroupPicture",
        "Remove the picture of the group",
        remove_picture,
        {200: GroupOutput},
        None,
        (IF_MATCH,),
        failures=_FAILURES,
    ),
)
