"""A group in a member's own calendar program: the secret address, made, made anew and closed; and what it answers."""

from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.database.transaction import Reader
from groundwork.errors import InvalidInput, NotFound
from openmeet.domain.groups import actions, calendar_feeds, rules
from openmeet.domain.groups.model import Group
from openmeet.domain.groups.rules import Action
from openmeet.domain.users.model import UserId
from openmeet.web.events import feeds
from openmeet.web.groups.access import path_of, slug_of
from openmeet.web.groups.calendar_pages import calendar_file
from openmeet.web.site.caller import caller_of
from openmeet.web.site.forms import read_form
from openmeet.web.site.layout import go
from openmeet.web.site.services import services
from openmeet.web.site.tenant_routing import database_of


def routes() -> list[Route]:
    return [Route("/groups/{slug}/calendar", change, methods=["POST"])]


def open_routes() -> list[Route]:
    """To be served without asking who the viewer is: calendar programs have no session."""
    return [Route("/group-calendars/{token}.ics", serve, methods=["GET"])]


async def change(request: Request) -> Response:
    """Make the secret address, another one, or none."""
    caller = caller_of(request)
    act = (await read_form(request)).get("act", "")
    async with database_of(request).transaction() as tx:
        group, mine = await actions.lock_visible(tx, caller, slug_of(request))
        match act:
            case "open" | "renew":
                await calendar_feeds.renew(tx, services(request).code_key, group, mine)
            case "close":
                await calendar_feeds.close(tx, group.id, caller.user_id)
            case _:
                raise InvalidInput("act", "Choose one of: open, renew, close.")
    said = {"open": "feed_open", "renew": "feed_renewed", "close": "feed_closed"}[act]
    return go(f"{path_of(group)}/events", said=said)


async def serve(request: Request) -> Response:
    settings = services(request).settings
    async with database_of(request).reader() as reader:
        found = await calendar_feeds.reader_of(reader, request.path_params["token"])
        if found is None:
            raise NotFound("This calendar has no such address any more.")
        group, mine = found
        file, changed = await calendar_file(
            reader,
            group,
            settings.public_url,
            member=mine.user_id,
            runs=rules.may(mine.role, Action.EDIT_ANY_EVENT),
        )
    answer = feeds.served(request, file, feeds.CALENDAR, changed, f"{quote(group.slug)}.ics")
    answer.headers["x-robots-tag"] = "noindex, nofollow"
    return answer


async def url_for(reader: Reader, request: Request, group: Group, member: UserId) -> str | None:
    """The address that works for a member; None where they have none, empty where it cannot be shown any more."""
    token = await calendar_feeds.token_of(reader, services(request).code_key, group.id, member)
    return None if token is None else shown(request, token)


def shown(request: Request, token: str) -> str:
    """The whole address of a token, empty of none."""
    public_url = services(request).settings.public_url
    return f"{public_url}/group-calendars/{quote(token)}.ics" if token else ""
