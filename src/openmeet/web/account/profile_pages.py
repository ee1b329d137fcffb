"""Settings page of the user's own profile."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.errors import InvalidForm, InvalidInput, NotFound
from groundwork.http.forms import FormState, form_with_problems, local_path, read_form
from openmeet.domain.users import actions, queries
from openmeet.domain.users.model import Profile, User
from openmeet.domain.users.reasons import UserReason
from openmeet.domain.validation import GeneralReason
from openmeet.i18n.catalogue import choices, lazy
from openmeet.i18n.formatting import ZONES
from openmeet.web.site.caller import caller_of
from openmeet.web.site.faces import avatar_of, portraits_of
from openmeet.web.site.layout import go, page
from openmeet.web.site.services import services
from openmeet.web.site.tenant_routing import database_of

_TICKS = (
    ("shows_about", lazy("What I wrote about myself"), lazy("Then anyone can read it.")),
    ("shows_groups", lazy("The public groups I’m in"), lazy("Groups that are hidden or private are never shown.")),
)


def routes() -> list[Route]:
    return [
        Route("/settings/profile", show_profile, methods=["GET"]),
        Route("/settings/profile", save_profile, methods=["POST"]),
        Route("/settings/time-zone", save_zone, methods=["POST"]),
    ]


async def show_profile(request: Request) -> Response:
    user = await _own_user(request)
    values = {"display_name": user.display_name, "bio": user.bio, "time_zone": user.time_zone or ""}
    values["language"] = user.language or ""
    values |= {"shows_about": "on" if user.shows_about else "", "shows_groups": "on" if user.shows_groups else ""}
    return await _profile_page(request, user, FormState(values))


async def save_profile(request: Request) -> Response:
    user = await _own_user(request)
    form = await read_form(request)
    try:
        profile = actions.check_profile(
            display_name=form.get("display_name", ""),
            bio=form.get("bio", ""),
            time_zone=form.get("time_zone", ""),
            known_zones=frozenset(ZONES),
            shows_about="shows_about" in form,
            shows_groups="shows_groups" in form,
            language=form.get("language", ""),
        )
    except InvalidForm as wrong:
        return await _profile_page(request, user, form_with_problems(form, wrong), status=400)
    async with database_of(request).transaction() as tx:
        await actions.edit_profile(tx, user.id, profile)
    return go("/settings/profile", flash="profile_saved")


async def save_zone(request: Request) -> Response:
    """Save only the time zone. Users who signed up with a handle or through the API are asked for it."""
    user = await _own_user(request)
    form = await read_form(request)
    zone = form.get("time_zone", "")
    if zone not in ZONES:
        raise InvalidInput("time_zone", UserReason.UNKNOWN_ZONE)
    async with database_of(request).transaction() as tx:
        await actions.edit_profile(
            tx, user.id, Profile(user.display_name, user.bio, zone, user.shows_about, user.shows_groups, user.language)
        )
    return go(local_path(form.get("next", "/")), flash="profile_saved")


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
        "portrait": avatar_of(user.id, user.display_name, portraits),
        "zones": ZONES,
        "languages": choices(services(request).settings.language),
        "email": user.email,
        "public_page": f"/people/{user.id}",
        "ticks": _TICKS,
        "is_zone_known": user.time_zone is not None,
    }
    return page(request, "account/profile.html", context, status=status)
