"""A group's activity, as JSON: announcements, followed DIDs, followers, log, slug."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from groundwork.database.transaction import Reader
from groundwork.http.json_bodies import json_response, read_json
from openmeet.domain.groups import actions, announcements, audit_log, followed_dids, membership_queries, rules
from openmeet.domain.groups.model import Announcement, AnnouncementId, GroupId
from openmeet.domain.groups.rules import GroupPermission
from openmeet.domain.identities.queries import shown_names
from openmeet.domain.paging import ALL_ROWS, DEFAULT_LIMIT, MAX_LIMIT, Page
from openmeet.domain.search.group_event_lists import followed_in_group
from openmeet.i18n.formatting import iso
from openmeet.web.api import pagination
from openmeet.web.api.operations import ApiOperation
from openmeet.web.api.pagination import CURSOR, LIMIT, limit_of
from openmeet.web.events.api import EventList, events_page, paging
from openmeet.web.groups.schemas import MembershipOutput, membership_shown
from openmeet.web.site.caller import caller_of, caller_or_none, viewer_of
from openmeet.web.site.slugs import group_slug_of
from openmeet.web.site.tenant_routing import database_of


class AnnouncementInput(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """An announcement to all members, in simple Markdown."""

    text: str


class AnnouncementOutput(msgspec.Struct, rename="camel"):
    """One announcement."""

    id: str
    author_id: str
    author_name: str
    text: str
    created_at: str


class AnnouncementList(msgspec.Struct, rename="camel"):
    """Announcements to a group, newest first. ``cursor`` is null on the last page."""

    announcements: list[AnnouncementOutput]
    cursor: str | None


class DidInput(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """A DID whose public events appear in the group."""

    did: str


class DidList(msgspec.Struct, rename="camel"):
    """DIDs that the group follows, newest first. ``cursor`` is null on the last page."""

    dids: list[str]
    cursor: str | None


class Switch(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """On or off."""

    enabled: bool


class FollowersOutput(msgspec.Struct, rename="camel"):
    """The number of people who follow the group without being members, and whether the caller is one of them."""

    followers: int
    is_following: bool


class AddressInput(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """The new slug: letters a to z, digits and single hyphens."""

    address: str


class AddressOutput(msgspec.Struct, rename="camel"):
    """The new slug. The old one redirects to it."""

    slug: str


class GroupLogLine(msgspec.Struct, rename="camel"):
    """One line of the log. ``note`` is the object of the action if that is not a user."""

    id: str
    act: str
    user_id: str
    user_name: str
    acted_by: str
    acted_by_name: str
    role_before: str | None
    role_after: str | None
    note: str
    created_at: str


class LogPage(msgspec.Struct, rename="camel"):
    """One page of the log of a group, newest first. ``cursor`` is null on the last page."""

    lines: list[GroupLogLine]
    cursor: str | None


async def list_announcements(request: Request) -> Response:
    caller = caller_of(request)
    limit, cursor = limit_of(request, DEFAULT_LIMIT, MAX_LIMIT), request.query_params.get("cursor", "")
    async with database_of(request).reader() as reader:
        group, membership = await actions.visible(reader, group_slug_of(request), caller.user_id)
        rules.require_permission(membership.role if membership else None, GroupPermission.VIEW)
        newest = await announcements.newest(
            reader, group.id, limit=limit + 1, before=AnnouncementId(cursor) if cursor else None
        )
        names = await shown_names(reader, [one.author_id for one in newest])
    shown = [_announcement_output(one, names[one.author_id]) for one in newest[:limit]]
    return json_response(AnnouncementList(shown, newest[limit - 1].id if len(newest) > limit else None))


async def announce(request: Request) -> Response:
    caller = caller_of(request)
    text = (await read_json(request, AnnouncementInput)).text
    async with database_of(request).transaction() as tx:
        announcement = await announcements.announce(tx, caller, group_slug_of(request), text)
        names = await shown_names(tx, [announcement.author_id])
    return json_response(_announcement_output(announcement, names[announcement.author_id]), 201)


async def remove_announcement(request: Request) -> Response:
    caller = caller_of(request)
    announcement_id = AnnouncementId(request.path_params["announcement"])
    async with database_of(request).transaction() as tx:
        await announcements.remove(tx, caller, group_slug_of(request), announcement_id)
    return Response(status_code=204)


async def list_dids(request: Request) -> Response:
    caller, page = caller_or_none(request), pagination.paging(request)
    async with database_of(request).reader() as reader:
        group, _ = await actions.visible(reader, group_slug_of(request), caller.user_id if caller else None)
        return json_response(await _did_list(reader, group.id, page))


async def follow_did(request: Request) -> Response:
    caller = caller_of(request)
    did = (await read_json(request, DidInput)).did
    async with database_of(request).transaction() as tx:
        await followed_dids.follow(tx, caller, group_slug_of(request), did)
        group, _ = await actions.visible(tx, group_slug_of(request), caller.user_id)
        return json_response(await _did_list(tx, group.id, ALL_ROWS))


async def _did_list(reader: Reader, group_id: GroupId, page: Page) -> DidList:
    follows, cursor = page.cut(await followed_dids.of_group(reader, group_id, page), lambda one: (one[1], one[0]))
    return DidList([did for did, _ in follows], cursor)


async def unfollow_did(request: Request) -> Response:
    caller = caller_of(request)
    async with database_of(request).transaction() as tx:
        await followed_dids.unfollow(tx, caller, group_slug_of(request), request.path_params["did"])
    return Response(status_code=204)


async def list_followed_events(request: Request) -> Response:
    after, limit = paging(request)
    async with database_of(request).reader() as reader:
        group, _ = await actions.visible(reader, group_slug_of(request), viewer_of(request))
        events = await followed_in_group(reader, group.id, after, limit + 1)
        return json_response(await events_page(reader, request, events, limit))


async def follow_group(request: Request) -> Response:
    caller = caller_of(request)
    enabled = (await read_json(request, Switch)).enabled
    async with database_of(request).transaction() as tx:
        group = await actions.follow(tx, caller, group_slug_of(request), enabled=enabled)
        return json_response(FollowersOutput(await membership_queries.count_followers(tx, group.id), is_following=True))


async def unfollow_group(request: Request) -> Response:
    caller = caller_of(request)
    async with database_of(request).transaction() as tx:
        await actions.unfollow(tx, caller, group_slug_of(request))
    return Response(status_code=204)


async def switch_notifications(request: Request) -> Response:
    caller = caller_of(request)
    enabled = (await read_json(request, Switch)).enabled
    async with database_of(request).transaction() as tx:
        membership = await actions.set_notifications(tx, caller, group_slug_of(request), enabled=enabled)
    return json_response(membership_shown(membership))


async def show_log(request: Request) -> Response:
    caller = caller_of(request)
    limit, cursor = limit_of(request, DEFAULT_LIMIT, MAX_LIMIT), request.query_params.get("cursor", "")
    async with database_of(request).reader() as reader:
        group, membership = await actions.visible(reader, group_slug_of(request), caller.user_id)
        rules.require_permission(membership.role if membership else None, GroupPermission.SEE_LOG)
        entries = await audit_log.entries(reader, group.id, limit=limit + 1, before=cursor or None)
        names = await shown_names(reader, [user_id for one in entries for user_id in (one.user_id, one.acted_by)])
    lines = [
        GroupLogLine(
            one.id,
            one.act.value,
            one.user_id,
            names[one.user_id],
            one.acted_by,
            names[one.acted_by],
            one.before.value if one.before else None,
            one.after.value if one.after else None,
            one.note,
            iso(one.created_at),
        )
        for one in entries[:limit]
    ]
    return json_response(LogPage(lines, entries[limit - 1].id if len(entries) > limit else None))


async def choose_address(request: Request) -> Response:
    caller = caller_of(request)
    address = (await read_json(request, AddressInput)).address
    async with database_of(request).transaction() as tx:
        group = await actions.choose_address(tx, caller, group_slug_of(request), address)
    return json_response(AddressOutput(group.slug))


def _announcement_output(announcement: Announcement, name: str) -> AnnouncementOutput:
    return AnnouncementOutput(
        announcement.id, announcement.author_id, name, announcement.text, iso(announcement.created_at)
    )


_GROUP = "/api/groups/{slug}"
_ANNOUNCEMENTS = f"{_GROUP}/announcements"
_DIDS = f"{_GROUP}/follows"

OPERATIONS = (
    ApiOperation(
        "GET",
        _ANNOUNCEMENTS,
        "listAnnouncements",
        "Announcements of a group, for its members",
        list_announcements,
        {200: AnnouncementList},
        parameters=(CURSOR, LIMIT),
        failures=(403, 404),
    ),
    ApiOperation(
        "POST",
        _ANNOUNCEMENTS,
        "announce",
        "Send an announcement to all members of a group",
        announce,
        {201: AnnouncementOutput},
        AnnouncementInput,
        failures=(403, 404),
    ),
    ApiOperation(
        "DELETE",
        _ANNOUNCEMENTS + "/{announcement}",
        "removeAnnouncement",
        "Delete an announcement",
        remove_announcement,
        {204: None},
        failures=(403, 404),
    ),
    ApiOperation(
        "GET",
        _DIDS,
        "listFollowedDids",
        "DIDs whose public events a group shows",
        list_dids,
        {200: DidList},
        parameters=(CURSOR, LIMIT),
        needs_session=False,
        failures=(404,),
    ),
    ApiOperation(
        "POST",
        _DIDS,
        "followDid",
        "Show the public events of a DID in a group",
        follow_did,
        {200: DidList},
        DidInput,
        failures=(403, 404, 422),
    ),
    ApiOperation(
        "DELETE",
        _DIDS + "/{did}",
        "unfollowDid",
        "Stop showing the events of a DID",
        unfollow_did,
        {204: None},
        failures=(403, 404),
    ),
    ApiOperation(
        "GET",
        f"{_GROUP}/followed-events",
        "listFollowedEvents",
        "Coming public events of the DIDs that a group follows",
        list_followed_events,
        {200: EventList},
        parameters=(CURSOR, LIMIT),
        needs_session=False,
        failures=(404,),
    ),
    ApiOperation(
        "PUT",
        f"{_GROUP}/following",
        "followGroup",
        "Follow a group: get notifications about its new events without being a member",
        follow_group,
        {200: FollowersOutput},
        Switch,
        failures=(404, 422),
    ),
    ApiOperation(
        "DELETE",
        f"{_GROUP}/following",
        "unfollowGroup",
        "Unfollow a group",
        unfollow_group,
        {204: None},
        failures=(404,),
    ),
    ApiOperation(
        "PUT",
        f"{_GROUP}/membership/notifications",
        "switchGroupNotifications",
        "Switch your notifications about a group on or off",
        switch_notifications,
        {200: MembershipOutput},
        Switch,
        failures=(403, 404),
    ),
    ApiOperation(
        "GET",
        f"{_GROUP}/log",
        "showGroupLog",
        "The activity log of a group, for those who run it",
        show_log,
        {200: LogPage},
        parameters=(CURSOR, LIMIT),
        failures=(403, 404),
    ),
    ApiOperation(
        "PUT",
        f"{_GROUP}/address",
        "chooseGroupAddress",
        "Change the slug of a public group. The previous one redirects to it",
        choose_address,
        {200: AddressOutput},
        AddressInput,
        failures=(403, 404, 422),
    ),
)
