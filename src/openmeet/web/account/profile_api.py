"""The caller's own profile, as JSON."""

from typing import ClassVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from groundwork.errors import NotFound
from groundwork.http.json_bodies import json_response, read_json
from openmeet.domain.identities import queries as identity_queries
from openmeet.domain.media import pictures
from openmeet.domain.profiles import portraits
from openmeet.domain.users import actions, queries
from openmeet.domain.users.model import User
from openmeet.domain.validation import GeneralReason
from openmeet.i18n.formatting import ZONES
from openmeet.web.api.etags import IF_MATCH, etag_of, expected_revision
from openmeet.web.api.operations import ApiOperation
from openmeet.web.media.pages import portrait_url
from openmeet.web.media.uploads import store_of
from openmeet.web.site.caller import caller_of
from openmeet.web.site.tenant_routing import database_of, workers_of


class ProfileInput(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """The whole profile. Fields left out become empty."""

    display_name: str
    bio: str = ""
    time_zone: str | None = None
    shows_about: bool = False
    shows_groups: bool = False
    language: str | None = None


class PortraitInput(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """``image`` is a JPEG, PNG, WebP or GIF in base64. It is cropped to a centered square, and location and camera
    details are removed.
    """

    EXAMPLE: ClassVar[dict[str, str]] = {"image": "R0lGODdhAQABAIEAAP///wAAAAAAAAAAACwAAAAAAQABAAAIBAABBAQAOw=="}

    image: bytes


class ProfileOutput(msgspec.Struct, rename="camel"):
    """The caller's own profile. Only the caller sees ``email``. ``language`` is the language of pages and e-mails, as a
    BCP 47 tag. If it is empty, pages use the browser's language and e-mails use the site's language.

    ``showsAbout`` and ``showsGroups`` say whether the host page, which everyone can see, shows the ``bio`` and the
    public groups of the caller. ``pictureUrl`` is the URL of a square WebP of 256 by 256 pixels. It changes whenever
    the picture changes.
    """

    id: str
    display_name: str
    bio: str
    time_zone: str | None
    email: str | None
    shows_about: bool
    shows_groups: bool
    language: str | None
    picture_url: str | None


async def show_me(request: Request) -> Response:
    caller = caller_of(request)
    async with database_of(request).reader() as reader:
        user = await queries.by_id(reader, caller.user_id)
    if user is None:
        raise NotFound(GeneralReason.NO_SUCH_PERSON)
    return json_response(_profile_output(request, user), headers=etag_of(user.revision))


async def save_me(request: Request) -> Response:
    caller = caller_of(request)
    body = await read_json(request, ProfileInput)
    async with database_of(request).reader() as reader:
        own_handles = await identity_queries.own_handles(reader, caller.user_id)
    profile = actions.check_profile(
        display_name=body.display_name,
        bio=body.bio,
        time_zone=body.time_zone or "",
        known_zones=frozenset(ZONES),
        shows_about=body.shows_about,
        shows_groups=body.shows_groups,
        language=body.language or "",
        own_handles=own_handles,
    )
    async with database_of(request).transaction() as tx:
        user = await actions.edit_profile(tx, caller.user_id, profile, expected_revision=expected_revision(request))
    return json_response(_profile_output(request, user), headers=etag_of(user.revision))


async def put_picture(request: Request) -> Response:
    caller, db = caller_of(request), database_of(request)
    body = await read_json(request, PortraitInput)
    workers = workers_of(request, caller.user_id)
    key = await pictures.store_portrait(db, store_of(request), workers, caller.user_id, body.image)
    async with db.transaction() as tx:
        await portraits.put(tx, caller.user_id, key)
    return await show_me(request)


async def remove_picture(request: Request) -> Response:
    async with database_of(request).transaction() as tx:
        await portraits.remove(tx, caller_of(request).user_id)
    return await show_me(request)


def _profile_output(request: Request, user: User) -> ProfileOutput:
    return ProfileOutput(
        user.id,
        user.display_name,
        user.bio,
        user.time_zone,
        user.email,
        user.shows_about,
        user.shows_groups,
        user.language,
        portrait_url(request, user.portrait),
    )


OPERATIONS = (
    ApiOperation("GET", "/api/me", "showMe", "The caller’s profile", show_me, {200: ProfileOutput}),
    ApiOperation(
        "PUT",
        "/api/me",
        "saveMe",
        "Replace the caller’s profile",
        save_me,
        {200: ProfileOutput},
        ProfileInput,
        (IF_MATCH,),
        failures=(412,),
    ),
    ApiOperation(
        "PUT",
        "/api/me/picture",
        "putMyPicture",
        "Set the caller’s picture",
        put_picture,
        {200: ProfileOutput},
        PortraitInput,
        failures=(429,),
        is_idempotent=True,
    ),
    ApiOperation(
        "DELETE",
        "/api/me/picture",
        "removeMyPicture",
        "Remove the caller’s picture",
        remove_picture,
        {200: ProfileOutput},
    ),
)
