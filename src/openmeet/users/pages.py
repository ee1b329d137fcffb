"""One's own profile."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.errors import InvalidForm, NotFound
from openmeet.site.forms import Typed, read_form, typed_again
from openmeet.site.frame import go, page
from openmeet.site.zones import ZONES
from openmeet.tenants.edge import database_of
from openmeet.users import actions, queries, rules
from openmeet.users.edge import caller_of
from openmeet.users.model import User


def routes() -> list[Route]:
    return [
        Route("/settings/profile", show_profile, methods=["GET"]),
        Route("/settings/profile", save_profile, methods=["POST"]),
    ]


async def show_profile(request: Request) -> Response:
    user = await _me(request)
    values = {"display_name": user.display_name, "bio": user.bio, "time_zone": user.time_zone or ""}
    return _show(request, user, Typed(values))


async def save_profile(request: Request) -> Response:
    user = await _me(request)
    typed = await read_form(request)
    try:
        profile = rules.check_profile(
            display_name=typed.get("display_name", ""),
            bio=typed.get("bio", ""),
            time_zone=typed.get("time_zone", ""),
            known_zones=frozenset(ZONES),
        )
    except InvalidForm as wrong:
        return _show(request, user, typed_again(typed, wrong), status=400)
    async with database_of(request).transaction() as tx:
        await actions.edit_profile(tx, user.id, profile)
    return go("/settings/profile", said="profile_saved")


async def _me(request: Request) -> User:
    caller = caller_of(request)
    async with database_of(request).reader() as reader:
        user = await queries.by_id(reader, caller.user_id)
    if user is None:
        raise NotFound("There is no such person.")
    return user


def _show(request: Request, user: User, typed: Typed, *, status: int = 200) -> Response:
    context = {
        "typed": typed,
        "zones": ZONES,
        "email": user.email,
        "with_publishing": request.app.state.asks_to_publish,
    }
    return page(request, "users/profile.html", context, status=status)
