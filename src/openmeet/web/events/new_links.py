"""Replace the links of unlisted events, series and groups, on pages and as JSON, and redirect from old links."""

from typing import assert_never

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from groundwork.database.transaction import Reader
from groundwork.errors import Gone, NotFound
from groundwork.http.json_bodies import json_response
from openmeet.domain import slugs
from openmeet.domain.attendance import queries as attendance_queries
from openmeet.domain.events import actions as event_actions
from openmeet.domain.events import co_host_queries, event_access
from openmeet.domain.events import queries as event_queries
from openmeet.domain.events.model import EventId
from openmeet.domain.events.values import Visibility
from openmeet.domain.groups import actions as group_actions
from openmeet.domain.groups import queries as group_queries
from openmeet.domain.groups import rules
from openmeet.domain.groups.model import INSIDE, GroupId
from openmeet.domain.groups.rules import GroupPermission
from openmeet.domain.page_paths import event_path, group_path, series_path
from openmeet.domain.series import actions as series_actions
from openmeet.domain.series import agenda, follower_queries
from openmeet.domain.series import queries as series_queries
from openmeet.domain.series.model import SeriesId
from openmeet.domain.slugs import LinkKind
from openmeet.domain.users.model import UserId
from openmeet.web.api.etags import IF_MATCH, expected_revision
from openmeet.web.api.operations import ApiOperation
from openmeet.web.media.subject import PageSubject, subject_of_event, subject_of_group, subject_of_series
from openmeet.web.site.caller import caller_of
from openmeet.web.site.layout import go, page
from openmeet.web.site.reasons import SiteReason
from openmeet.web.site.slugs import event_slug_of, group_slug_of, series_slug_of
from openmeet.web.site.tenant_routing import database_of

_PATHS = {LinkKind.EVENT: event_path, LinkKind.SERIES: series_path, LinkKind.GROUP: group_path}


def routes() -> list[Route]:
    return [
        Route("/events/{slug}/new-link", show_event, methods=["GET"]),
        Route("/events/{slug}/new-link", make_for_event, methods=["POST"]),
        Route("/series/{slug}/new-link", show_series, methods=["GET"]),
        Route("/series/{slug}/new-link", make_for_series, methods=["POST"]),
        Route("/groups/{slug}/new-link", show_group, methods=["GET"]),
        Route("/groups/{slug}/new-link", make_for_group, methods=["POST"]),
    ]


async def show_event(request: Request) -> Response:
    async with database_of(request).reader() as reader:
        event = await event_actions.find_for_host(reader, caller_of(request), event_slug_of(request))
    return _question_page(request, LinkKind.EVENT, subject_of_event(event, reader.now))


async def show_series(request: Request) -> Response:
    async with database_of(request).reader() as reader:
        series = await agenda.editable(reader, series_slug_of(request), caller_of(request).user_id)
    return _question_page(request, LinkKind.SERIES, subject_of_series(series))


async def show_group(request: Request) -> Response:
    async with database_of(request).reader() as reader:
        group, membership = await group_actions.visible(reader, group_slug_of(request), caller_of(request).user_id)
    rules.require_permission(membership.role if membership else None, GroupPermission.EDIT_GROUP)
    return _question_page(request, LinkKind.GROUP, subject_of_group(group))


async def make_for_event(request: Request) -> Response:
    async with database_of(request).transaction() as tx:
        event = await event_actions.replace_link(tx, caller_of(request), event_slug_of(request))
    return go(event_path(event.slug), flash="new_link_made")


async def make_for_series(request: Request) -> Response:
    async with database_of(request).transaction() as tx:
        series = await series_actions.replace_links(tx, caller_of(request), series_slug_of(request))
    return go(series_path(series.slug), flash="new_link_made")


async def make_for_group(request: Request) -> Response:
    async with database_of(request).transaction() as tx:
        group = await group_actions.replace_link(tx, caller_of(request), group_slug_of(request))
    return go(group_path(group.slug), flash="new_link_made")


async def raise_if_replaced(reader: Reader, kind: LinkKind, slug: str) -> None:
    """Raises Gone if a host has replaced this link."""
    if await slugs.subject_of(reader, kind, slug) is not None:
        raise Gone(SiteReason.LINK_ENDED)


async def follow(reader: Reader, kind: LinkKind, slug: str, viewer: UserId | None) -> Response:
    """Redirect a replaced link for people with access. Raises Gone for everyone else, and NotFound."""
    subject_id = await slugs.subject_of(reader, kind, slug)
    if subject_id is None:
        raise NotFound(SiteReason.NOTHING_HERE)
    match kind:
        case LinkKind.EVENT:
            now = await _event_of(reader, EventId(subject_id), viewer)
        case LinkKind.SERIES:
            now = await _series_of(reader, SeriesId(subject_id), viewer)
        case LinkKind.GROUP:
            now = await _group_of(reader, GroupId(subject_id), viewer)
        case _:
            assert_never(kind)
    if now is None:
        raise Gone(SiteReason.LINK_ENDED)
    return RedirectResponse(_PATHS[kind](now), 303)


async def _event_of(reader: Reader, event_id: EventId, viewer: UserId | None) -> str | None:
    """The event's new link, for its hosts, attendees, invited people and group members."""
    event = await event_queries.by_id(reader, event_id)
    if event is None or event.deleted_at is not None or viewer is None:
        return None
    hosts = {event.author_id, *(await co_host_queries.co_hosts_of(reader, [event.id])).get(event.id, ())}
    is_private = event.visibility is Visibility.PRIVATE
    belongs = viewer in hosts or await attendance_queries.find(reader, event.id, viewer) is not None
    return (
        event.slug
        if belongs or (is_private and await event_access.may_see(reader, event, viewer, has_rsvp_access=False))
        else None
    )


async def _series_of(reader: Reader, series_id: SeriesId, viewer: UserId | None) -> str | None:
    series = await series_queries.by_id(reader, series_id)
    if series is None or series.deleted_at is not None or viewer is None:
        return None
    belongs = (
        await agenda.may_host(reader, series, viewer)
        or await follower_queries.following(reader, series.id, viewer) is not None
        or await follower_queries.standing_rsvp_of(reader, series.id, viewer) is not None
    )
    return series.slug if belongs else None


async def _group_of(reader: Reader, group_id: GroupId, viewer: UserId | None) -> str | None:
    group = await group_queries.by_id(reader, group_id)
    membership = None if group is None or viewer is None else await group_queries.find_member(reader, group.id, viewer)
    return group.slug if group is not None and membership is not None and membership.role in INSIDE else None


def _question_page(request: Request, kind: LinkKind, subject: PageSubject) -> Response:
    return page(request, "events/new_link.html", {"kind": kind.value, "subject": subject})


class NewLink(msgspec.Struct, rename="camel"):
    """The new link."""

    slug: str


async def make_new_event_link(request: Request) -> Response:
    async with database_of(request).transaction() as tx:
        slug = event_slug_of(request)
        revision = expected_revision(request)
        event = await event_actions.replace_link(tx, caller_of(request), slug, expected_revision=revision)
    return json_response(NewLink(event.slug))


async def make_new_series_link(request: Request) -> Response:
    async with database_of(request).transaction() as tx:
        slug = series_slug_of(request)
        revision = expected_revision(request)
        series = await series_actions.replace_links(tx, caller_of(request), slug, expected_revision=revision)
    return json_response(NewLink(series.slug))


async def make_new_group_link(request: Request) -> Response:
    async with database_of(request).transaction() as tx:
        slug = group_slug_of(request)
        revision = expected_revision(request)
        group = await group_actions.replace_link(tx, caller_of(request), slug, expected_revision=revision)
    return json_response(NewLink(group.slug))


_FAILURES = (403, 404, 412, 422)
OPERATIONS = (
    ApiOperation(
        "POST",
        "/api/events/{slug}/new-link",
        "makeNewEventLink",
        "Replace the link of an event that is not public. The old one stops working",
        make_new_event_link,
        {200: NewLink},
        None,
        (IF_MATCH,),
        failures=_FAILURES,
    ),
    ApiOperation(
        "POST",
        "/api/series/{slug}/new-link",
        "makeNewSeriesLink",
        "Replace the links of a series that is not public and of its dates. The old ones stop working",
        make_new_series_link,
        {200: NewLink},
        None,
        (IF_MATCH,),
        failures=(*_FAILURES, 410),
    ),
    ApiOperation(
        "POST",
        "/api/groups/{slug}/new-link",
        "makeNewGroupLink",
        "Replace the link of a group that is not public. Every earlier one stops working",
        make_new_group_link,
        {200: NewLink},
        None,
        (IF_MATCH,),
        failures=_FAILURES,
    ),
)
