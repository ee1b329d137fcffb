"""What was merged into one's event, group or series from elsewhere: each decision with both versions, and two buttons to choose."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.database.transaction import Reader, Transaction
from groundwork.errors import Failure, InvalidInput, Refused
from openmeet.domain.events.model import EventSlug
from openmeet.domain.groups.model import GroupSlug
from openmeet.domain.series.model import SeriesSlug
from openmeet.domain.users.model import Caller
from openmeet.network.ingestion import merge_review
from openmeet.network.ingestion.merge_decisions import Conflict
from openmeet.network.ingestion.three_way_merge import Side
from openmeet.recurrence.errors import RuleRefused
from openmeet.web.atproto.merged_view import Shown, shown
from openmeet.web.site.caller import caller_of
from openmeet.web.site.forms import read_form
from openmeet.web.site.layout import go, page
from openmeet.web.site.tenant_routing import database_of

CHOICES = {"yours": Side.OURS, "theirs": Side.THEIRS}


@dataclass(frozen=True, slots=True)
class Merged:
    """``thing``: what it is, in a word; ``path``: of its page, ``edit``: of the form that changes it."""

    thing: str
    title: str
    path: str
    edit: str
    decisions: list[Shown]


@dataclass(frozen=True, slots=True)
class Choice:
    """Which decision, and whose value shall stand."""

    field: str
    theirs_rev: str
    side: Side


Look = Callable[[Reader, Caller, str], Awaitable[Merged]]
Choose = Callable[[Transaction, Caller, str, Choice], Awaitable[str]]


def routes() -> list[Route]:
    return [
        *_routes("/events/{slug}/merged", of_event, choose_for_event),
        *_routes("/groups/{slug}/merged", of_group, choose_for_group),
        *_routes("/series/{slug}/merged", of_series, choose_for_series),
    ]


async def of_event(reader: Reader, caller: Caller, slug: str) -> Merged:
    """For who may change the event. Raises NotFound, Forbidden."""
    event, found = await merge_review.merged(reader, caller, EventSlug(slug))
    path = f"/events/{quote(event.slug)}"
    return Merged("event", event.title, path, f"{path}/edit", _shown(reader, found, event.time_zone))


async def of_group(reader: Reader, caller: Caller, slug: str) -> Merged:
    """For who may change the group. Raises NotFound, Forbidden."""
    group, found = await merge_review.merged_into_group(reader, caller, GroupSlug(slug))
    path = f"/groups/{quote(group.slug)}"
    decisions = _shown(reader, found, group.details.time_zone)
    return Merged("group", group.details.name, path, f"{path}/settings", decisions)


async def of_series(reader: Reader, caller: Caller, slug: str) -> Merged:
    """For who may change the series. Raises NotFound, Forbidden."""
    series, found = await merge_review.merged_into_series(reader, caller, SeriesSlug(slug))
    path = f"/series/{quote(series.slug)}"
    decisions = _shown(reader, found, series.zone_name, series.timing.pattern.start)
    return Merged("series", series.template.title, path, f"{path}/edit", decisions)


async def choose_for_event(tx: Transaction, caller: Caller, slug: str, choice: Choice) -> str:
    """The slug of the event afterwards."""
    wanted = {"field": choice.field, "theirs_rev": choice.theirs_rev}
    return (await merge_review.choose(tx, caller, EventSlug(slug), **wanted, choice=choice.side)).slug


async def choose_for_group(tx: Transaction, caller: Caller, slug: str, choice: Choice) -> str:
    """The slug of the group afterwards."""
    wanted = {"field": choice.field, "theirs_rev": choice.theirs_rev}
    return (await merge_review.choose_for_group(tx, caller, GroupSlug(slug), **wanted, choice=choice.side)).slug


async def choose_for_series(tx: Transaction, caller: Caller, slug: str, choice: Choice) -> str:
    """The slug of the series."""
    wanted = {"field": choice.field, "theirs_rev": choice.theirs_rev}
    return (await merge_review.choose_for_series(tx, caller, SeriesSlug(slug), **wanted, choice=choice.side)).slug


def _routes(path: str, look: Look, choose: Choose) -> list[Route]:
    async def show(request: Request) -> Response:
        return await _merged_page(request, look)

    async def save(request: Request) -> Response:
        typed = await read_form(request)
        side = CHOICES.get(typed.get("keep", ""))
        if side is None:
            raise InvalidInput("keep", "Choose one of: yours, theirs.")
        choice = Choice(typed.get("field", ""), typed.get("theirs_rev", ""), side)
        try:
            async with database_of(request).transaction() as tx:
                slug = await choose(tx, caller_of(request), request.path_params["slug"], choice)
        except (Refused, RuleRefused) as refused:
            return await _merged_page(request, look, problem=refused)
        return go(path.replace("{slug}", quote(slug)), said="choice_kept")

    return [Route(path, show, methods=["GET"]), Route(path, save, methods=["POST"])]


async def _merged_page(request: Request, look: Look, *, problem: Failure | None = None) -> Response:
    async with database_of(request).reader() as reader:
        merged = await look(reader, caller_of(request), request.path_params["slug"])
    context = {"merged": merged, "problem": "" if problem is None else problem.why}
    return page(request, "atproto/merged.html", context, status=200 if problem is None else 422)


def _shown(reader: Reader, found: list[Conflict], zone: str, first: datetime | None = None) -> list[Shown]:
    return [shown(one, zone, reader.now, first) for one in found]
