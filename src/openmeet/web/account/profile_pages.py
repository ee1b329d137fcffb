"""The user's own profile, on pages and as JSON; and their picture, which they can upload, copy from the profile of a
connected account, or remove.
"""

from collections.abc import Awaitable, Callable
from typing import ClassVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.database.transaction import Reader
from groundwork.errors import (
    Failure,
    InvalidForm,
    InvalidInput,
    NotFound,
    PreconditionFailed,
    Refused,
    RemoteFailed,
    RemoteSlow,
    TooLarge,
    TooMany,
    Unavailable,
    Why,
    kind_of,
)
from groundwork.http.forms import EMPTY, FormState, form_with_problems, local_path, outdated_form, read_form
from groundwork.http.json_bodies import json_response, read_json
from openmeet.domain.identities import queries as identity_queries
from openmeet.domain.identities.model import Identity, IdentityKind
from openmeet.domain.media import uploads
from openmeet.domain.media.uploads import require_acceptable
from openmeet.domain.profiles import portraits
from openmeet.domain.users import actions, queries
from openmeet.domain.users.model import MAX_BIO, MAX_NAME, User, UserId, UserReason
from openmeet.domain.validation import GeneralReason
from openmeet.i18n.catalogue import choices, gettext, lazy
from openmeet.i18n.formatting import OFFERED_ZONES, ZONES
from openmeet.network.repositories.read import profile_picture
from openmeet.web.api.etags import IF_MATCH, etag_of, expected_revision, revision_in_form
from openmeet.web.api.operations import ApiOperation
from openmeet.web.media.pages import portrait_url
from openmeet.web.media.uploads import read_picture, store_of
from openmeet.web.site.caller import caller_of
from openmeet.web.site.faces import avatar_of, portraits_of
from openmeet.web.site.layout import go, page
from openmeet.web.site.services import services
from openmeet.web.site.tenant_routing import database_of, workers_of

PICTURE_PATH = "/settings/picture"

_TICKS = (
    ("shows_about", lazy("What I wrote about myself"), lazy("Then anyone can read it.")),
    ("shows_groups", lazy("The public groups I’m in"), lazy("Unlisted and private groups are never shown.")),
)


def routes() -> list[Route]:
    return [
        Route("/settings/profile", show_profile, methods=["GET"]),
        Route("/settings/profile", save_profile, methods=["POST"]),
        Route("/settings/time-zone", save_zone, methods=["POST"]),
        Route(PICTURE_PATH, show_picture, methods=["GET"]),
        Route(PICTURE_PATH, save_picture, methods=["POST"]),
        Route(f"{PICTURE_PATH}/from-profile", copy_picture, methods=["POST"]),
        Route(f"{PICTURE_PATH}/remove", remove_picture, methods=["POST"]),
    ]


async def show_profile(request: Request) -> Response:
    user = await _own_user(request)
    return await _profile_page(request, user, FormState(_form_values(user)))


async def save_profile(request: Request) -> Response:
    user = await _own_user(request)
    form = await read_form(request)
    async with database_of(request).reader() as reader:
        own_handles = await identity_queries.own_handles(reader, user.id)
    try:
        profile = actions.check_profile(
            display_name=form.get("display_name", ""),
            bio=form.get("bio", ""),
            time_zone=form.get("time_zone", ""),
            known_zones=frozenset(ZONES),
            shows_about="shows_about" in form,
            shows_groups="shows_groups" in form,
            language=form.get("language", ""),
            own_handles=own_handles,
        )
    except InvalidForm as wrong:
        return await _profile_page(request, user, form_with_problems(form, wrong), status=400)
    try:
        async with database_of(request).transaction() as tx:
            await actions.edit_profile(
                tx, user.id, profile, expected_revision=revision_in_form(form.get("revision", ""))
            )
    except PreconditionFailed:
        newest = await _own_user(request)
        outdated = outdated_form(form, _form_values(newest), UserReason.CHANGED_WHILE_OPEN, label=_value_label)
        return await _profile_page(request, newest, outdated, status=409)
    return go("/settings/profile", flash="profile_saved")


def _form_values(user: User) -> dict[str, str]:
    return {
        "display_name": user.display_name,
        "bio": user.bio,
        "time_zone": user.time_zone or "",
        "language": user.language or "",
        "shows_about": "on" if user.shows_about else "",
        "shows_groups": "on" if user.shows_groups else "",
        "revision": str(user.revision),
    }


def _value_label(name: str, text: str) -> str:
    return text.replace("_", " ") if name == "time_zone" else text


async def save_zone(request: Request) -> Response:
    """Save only the time zone. Users who signed up with a handle or through the API are asked for it."""
    user = await _own_user(request)
    form = await read_form(request)
    zone = form.get("time_zone", "")
    if zone not in ZONES:
        raise InvalidInput("time_zone", UserReason.UNKNOWN_ZONE)
    async with database_of(request).transaction() as tx:
        await actions.set_time_zone(tx, user.id, zone)
    return go(local_path(form.get("next", "/")), flash="profile_saved")


async def show_picture(request: Request) -> Response:
    return await _portrait_page(request, EMPTY)


async def save_picture(request: Request) -> Response:
    body, _ = await read_picture(request)
    if not body:
        return await _portrait_page(request, FormState({}, {"picture": gettext("Choose a picture.")}), status=400)

    async def uploaded() -> bytes:
        return body

    return await _save_picture(request, uploaded)


async def copy_picture(request: Request) -> Response:
    """Copy the picture from the user's profile. Profiles are only fetched when their owner presses this button."""
    caller = caller_of(request)
    network = services(request).network
    async with database_of(request).reader() as reader:
        account = await account_with_profile(reader, caller.user_id)
    if network is None or account is None:
        raise NotFound(UserReason.NO_SUCH_ACCOUNT)

    async def fetched() -> bytes:
        await require_acceptable(database_of(request), caller.user_id, b"")
        return await profile_picture(network, account.did)

    return await _save_picture(request, fetched)


async def remove_picture(request: Request) -> Response:
    async with database_of(request).transaction() as tx:
        await portraits.remove(tx, caller_of(request).user_id)
    return go(_return_path(request), flash="picture_removed")


async def _own_user(request: Request) -> User:
    caller = caller_of(request)
    async with database_of(request).reader() as reader:
        user = await queries.by_id(reader, caller.user_id)
    if user is None:
        raise NotFound(GeneralReason.NO_SUCH_PERSON)
    return user


async def _profile_page(request: Request, user: User, form_state: FormState, *, status: int = 200) -> Response:
    async with database_of(request).reader() as reader:
        portraits = await portraits_of(reader, user.id, [user.id])
    context = {
        "typed": form_state,
        "lengths": {"display_name": MAX_NAME, "bio": MAX_BIO},
        "portrait": avatar_of(user.id, user.display_name, portraits),
        "zones": OFFERED_ZONES,
        "languages": choices(services(request).settings.language),
        "email": user.email,
        "public_page": f"/people/{user.id}",
        "ticks": _TICKS,
        "is_zone_known": user.time_zone is not None,
    }
    return page(request, "account/profile.html", context, status=status)


async def _save_picture(request: Request, read: Callable[[], Awaitable[bytes]]) -> Response:
    caller, db = caller_of(request), database_of(request)
    try:
        key = await uploads.store_portrait(
            db, store_of(request), workers_of(request, caller.user_id), caller.user_id, await read()
        )
    except InvalidForm as wrong:
        return await _portrait_page(request, FormState({}, wrong.problems), status=400)
    except (NotFound, Refused, RemoteFailed, RemoteSlow, TooLarge, TooMany, Unavailable) as refused:
        return await _portrait_page(
            request, FormState({}, {"picture": _shown_reason(refused)}), status=kind_of(refused).http_status
        )
    async with db.transaction() as tx:
        await portraits.put(tx, caller.user_id, key)
    return go(_return_path(request), flash="picture_saved")


def _shown_reason(refused: Failure) -> Why:
    """The reason to show. Errors of another server only concern its operators, so users see a general sentence."""
    if isinstance(refused, NotFound | RemoteFailed | RemoteSlow):
        return gettext("We couldn’t get it from your account server. Try again later, or upload a picture.")
    return refused.why


async def account_with_profile(reader: Reader, user_id: UserId) -> Identity | None:
    """The connected account whose profile may have a picture: the default account, or else the first one. None if there
    is none.
    """
    accounts = [
        one
        for one in await identity_queries.of_user(reader, user_id)
        if one.kind is IdentityKind.CONNECTED and one.status == "active"
    ]
    return next((one for one in accounts if one.is_default), accounts[0] if accounts else None)


async def picture_context(request: Request, reader: Reader) -> dict[str, object]:
    """Template context of ``account/portrait_form.html``."""
    caller = caller_of(request)
    has_network = services(request).network is not None
    account = await account_with_profile(reader, caller.user_id) if has_network else None
    portrait = avatar_of(
        caller.user_id, caller.display_name, await portraits_of(reader, caller.user_id, [caller.user_id])
    )
    return {
        "portrait": portrait,
        "profile_of": "" if account is None else f"@{account.handle}" if account.handle else account.did,
    }


async def _portrait_page(request: Request, form_state: FormState, *, status: int = 200) -> Response:
    async with database_of(request).reader() as reader:
        context = await picture_context(request, reader)
    context |= {"typed": form_state, "back": request.query_params.get("next", "")}
    return page(request, "account/portrait.html", context, status=status)


def _return_path(request: Request) -> str:
    """The page to return to: the one in ``next`` (onboarding continues there), or else the picture's own page."""
    return local_path(request.query_params.get("next", "")) if request.query_params.get("next") else PICTURE_PATH


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
    key = await uploads.store_portrait(db, store_of(request), workers, caller.user_id, body.image)
    async with db.transaction() as tx:
        await portraits.put(tx, caller.user_id, key)
    return await show_me(request)


async def delete_picture(request: Request) -> Response:
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
    ApiOperation("GET", "/api/me", "showMe", "Your profile", show_me, {200: ProfileOutput}),
    ApiOperation(
        "PUT",
        "/api/me",
        "saveMe",
        "Replace your profile",
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
        "Set your picture",
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
        "Remove your picture",
        delete_picture,
        {200: ProfileOutput},
    ),
)
