"""Host profiles, as JSON, and following hosts."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from groundwork.http.json_bodies import json_response
from openmeet.domain.identities.queries import shown_names
from openmeet.domain.profiles import actions, portraits, queries
from openmeet.domain.users.model import UserId
from openmeet.web.api.operations import ApiOperation
from openmeet.web.api.pagination import CURSOR, LIMIT, paging
from openmeet.web.events.link_preview import SHOWN_OF_HOST
from openmeet.web.media.pages import portrait_url
from openmeet.web.profiles.pages import GROUPS
from openmeet.web.site.caller import caller_of, caller_or_none
from openmeet.web.site.tenant_routing import database_of


class HostProfile(msgspec.Struct, rename="camel"):
    """A host of public events.

    ``about`` and ``groups`` (slugs of public groups) are empty unless the host shows them. ``events`` has the slugs of
    coming public events.
    """

    user_id: str
    display_name: str
    about: str
    groups: list[str]
    events: list[str]
    is_followed: bool
    picture_url: str | None


class FollowedPeople(msgspec.Struct, rename="camel"):
    """People whom the caller follows, newest first. ``cursor`` is null on the last page."""

    user_ids: list[str]
    cursor: str | None


async def show_person(request: Request) -> Response:
    caller = caller_or_none(request)
    async with database_of(request).reader() as reader:
        person = await actions.visible_profile(reader, _user_id(request))
        shown = await portraits.shown(reader, caller.user_id if caller else None, [person.id])
        name = (await shown_names(reader, [person.id]))[person.id]
        upcoming = await queries.upcoming_events(reader, person.id, SHOWN_OF_HOST)
        groups = await queries.public_groups(reader, person.id, GROUPS) if person.shows_groups else []
        follows = caller is not None and await queries.is_following(reader, caller.user_id, person.id)
    return json_response(
        HostProfile(
            person.id,
            name,
            person.bio if person.shows_about else "",
            [group.slug for group in groups],
            [event.slug for event in upcoming],
            follows,
            portrait_url(request, shown.get(person.id)),
        )
    )


async def list_followed(request: Request) -> Response:
    page = paging(request)
    async with database_of(request).reader() as reader:
        read = await queries.followed_by(reader, caller_of(request).user_id, page)
    followed, cursor = page.cut(read, lambda one: (one[1], one[0]))
    return json_response(FollowedPeople([person for person, _ in followed], cursor))


async def follow(request: Request) -> Response:
    async with database_of(request).transaction() as tx:
        await actions.follow(tx, caller_of(request), _user_id(request))
    return Response(status_code=204)


async def unfollow(request: Request) -> Response:
    async with database_of(request).transaction() as tx:
        await actions.unfollow(tx, caller_of(request), _user_id(request))
    return Response(status_code=204)


def _user_id(request: Request) -> UserId:
    return UserId(request.path_params["userId"])


OPERATIONS = (
    ApiOperation(
        "GET",
        "/api/people/{userId}",
        "showPerson",
        "The public profile of a host",
        show_person,
        {200: HostProfile},
        needs_session=False,
        failures=(404,),
    ),
    ApiOperation(
        "GET",
        "/api/my/people",
        "listFollowedPeople",
        "People you follow",
        list_followed,
        {200: FollowedPeople},
        parameters=(CURSOR, LIMIT),
    ),
    ApiOperation(
        "PUT",
        "/api/people/{userId}/follow",
        "followPerson",
        "Follow a person: get notifications about public events they host",
        follow,
        {204: None},
        failures=(404, 422),
    ),
    ApiOperation(
        "DELETE",
        "/api/people/{userId}/follow",
        "unfollowPerson",
        "Unfollow a person",
        unfollow,
        {204: None},
        failures=(404,),
    ),
)
