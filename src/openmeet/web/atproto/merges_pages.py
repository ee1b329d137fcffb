"""Merge decisions about one's event, group or series: each with both versions, and two buttons to choose."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.clock import Instant
from groundwork.database.transaction import Reader, Transaction
from groundwork.errors import Failure, InvalidInput, Refused
from openmeet.domain.events.model import EventSlug
from openmeet.domain.groups.model import GroupSlug
from openmeet.domain.series.model import SeriesSlug
from openmeet.domain.users.model import Caller
from openmeet.i18n import formatting
from openmeet.network.ingestion import merge_review
from openmeet.network.ingestion.merge_decisions import KeptDecision
from openmeet.network.ingestion.three_way_merge import MergeReason, MergeSide
from openmeet.recurrence import wall_time
from openmeet.recurrence.describe import describe
from openmeet.recurrence.errors import RuleRefused
from openmeet.recurrence.pattern import pattern
from openmeet.recurrence.rule import parse_rule
from openmeet.web.site.caller import caller_of
from openmeet.web.site.forms import read_form
from openmeet.web.site.layout import go, page
from openmeet.web.site.tenant_routing import database_of

FIELD_WORDS = {
    "name": "Title",
    "description": "Description",
    "starts_at": "Start",
    "ends_at": "End",
    "time_zone": "Time zone",
    "mode": "In person or online",
    "status": "Status",
    "venues": "Place",
    "online_url": "Link to join",
    "links": "Links",
    "is_discoverable": "Found by search",
    "tickets": "Tickets",
    "accessibility": "Accessibility",
    "categories": "What it is about",
    "tags": "Tags",
    "languages": "Languages",
    # Fields of groups and memberships.
    "locality": "Town",
    "country": "Country",
    "join_policy": "How people get in",
    "join_question": "Question to those who ask",
    "level": "What the network gets",
    "avatar": "Picture",
    "backup_admins": "Who may continue the group",
    "role": "Role of a member",
    # Fields of series.
    "start": "First date",
    "minutes": "Length",
    "rule": "When it repeats",
    "rrule": "When it repeats",
    "left_out": "Dates left out",
    "added": "Dates added",
    "venue": "Place",
    "record": "Something that is not understood here",
}

_WHY = {
    MergeReason.MANUAL_EDIT_IS_KEPT: "What was typed here is kept.",
    MergeReason.ORIGIN_WINS: "It follows the place where it was made.",
    MergeReason.PARTS_ADD_UP: "Both changed different parts, so both stand.",
    MergeReason.MORE_RESTRICTIVE: "The more cautious of the two stands until you look at it.",
    MergeReason.MOST_RECENT: "The later change stands.",
    MergeReason.LATEST_ANSWER: "The later answer stands.",
}

_STANDS = {MergeSide.OURS: "yours", MergeSide.THEIRS: "theirs", MergeSide.BOTH: "both"}


@dataclass(frozen=True, slots=True)
class MergeView:
    """One decision, for the template. ``standing``: yours, theirs or both."""

    field: str
    theirs_rev: str
    words: str
    before: str
    yours: str
    theirs: str
    why: str
    standing: str
    when: str
    is_decided: bool
    may_choose: bool


def shown(conflict: KeptDecision, zone: str, now: Instant, first: datetime | None = None) -> MergeView:
    """One decision as the host sees it; ``zone``: for its times. ``first``: the start of a series."""
    decision = conflict.decision
    return MergeView(
        field=decision.field,
        theirs_rev=conflict.theirs_rev,
        words=FIELD_WORDS.get(decision.field, decision.field),
        before=_value(decision.field, decision.base, zone, first),
        yours=_value(decision.field, decision.ours, zone, first),
        theirs=_value(decision.field, decision.theirs, zone, first),
        why="You decided this." if conflict.choice is not None else _WHY[decision.policy],
        standing=_STANDS[conflict.choice or decision.result],
        when=formatting.ago(conflict.decided_at, now),
        is_decided=conflict.choice is not None,
        may_choose=decision.ours_values is not None,
    )


def _value(field: str, text: str, zone: str, first: datetime | None) -> str:
    if not text:
        return "nothing"
    match field:
        case "starts_at" | "ends_at" if text.lstrip("-").isdigit():
            local = wall_time.local_of(Instant(int(text)), zone)
            return f"{formatting.day(local)}, {formatting.clock(local)} {formatting.zone_words(local, zone)}"
        case "mode" | "status":
            return text.replace("_", " ")
        case "minutes":
            return f"{text} minutes"
        case "start":
            return text.replace("T", " ")
        case "rule":
            return _rule(text, first)
        case "avatar":
            return "a picture"
        case _:
            return text


def _rule(text: str, first: datetime | None) -> str:
    if first is None:
        return text
    try:
        return describe(pattern(first, None, parse_rule(text)))
    except RuleRefused:
        return text


CHOICES = {"yours": MergeSide.OURS, "theirs": MergeSide.THEIRS}


@dataclass(frozen=True, slots=True)
class MergedRecordView:
    """``thing``: its kind as a word; ``path``: its page, ``edit``: its edit form."""

    thing: str
    title: str
    path: str
    edit: str
    decisions: list[MergeView]


@dataclass(frozen=True, slots=True)
class MergeChoice:
    """A decision, and which side's value to keep."""

    field: str
    theirs_rev: str
    side: MergeSide


Look = Callable[[Reader, Caller, str], Awaitable[MergedRecordView]]
Choose = Callable[[Transaction, Caller, str, MergeChoice], Awaitable[str]]


def routes() -> list[Route]:
    return [
        *_routes("/events/{slug}/merged", of_event, choose_for_event),
        *_routes("/groups/{slug}/merged", of_group, choose_for_group),
        *_routes("/series/{slug}/merged", of_series, choose_for_series),
    ]


async def of_event(reader: Reader, caller: Caller, slug: str) -> MergedRecordView:
    """For users who may change the event. Raises NotFound, Forbidden."""
    event, found = await merge_review.merged(reader, caller, EventSlug(slug))
    path = f"/events/{quote(event.slug)}"
    return MergedRecordView("event", event.title, path, f"{path}/edit", _shown(reader, found, event.time_zone))


async def of_group(reader: Reader, caller: Caller, slug: str) -> MergedRecordView:
    """For users who may change the group. Raises NotFound, Forbidden."""
    group, found = await merge_review.merged_into_group(reader, caller, GroupSlug(slug))
    path = f"/groups/{quote(group.slug)}"
    decisions = _shown(reader, found, group.details.time_zone)
    return MergedRecordView("group", group.details.name, path, f"{path}/settings", decisions)


async def of_series(reader: Reader, caller: Caller, slug: str) -> MergedRecordView:
    """For users who may change the series. Raises NotFound, Forbidden."""
    series, found = await merge_review.merged_into_series(reader, caller, SeriesSlug(slug))
    path = f"/series/{quote(series.slug)}"
    decisions = _shown(reader, found, series.zone_name, series.timing.pattern.start)
    return MergedRecordView("series", series.template.title, path, f"{path}/edit", decisions)


async def choose_for_event(tx: Transaction, caller: Caller, slug: str, choice: MergeChoice) -> str:
    """Returns the event's slug, which may have changed."""
    wanted = {"field": choice.field, "theirs_rev": choice.theirs_rev}
    return (await merge_review.choose(tx, caller, EventSlug(slug), **wanted, choice=choice.side)).slug


async def choose_for_group(tx: Transaction, caller: Caller, slug: str, choice: MergeChoice) -> str:
    """Returns the group's slug, which may have changed."""
    wanted = {"field": choice.field, "theirs_rev": choice.theirs_rev}
    return (await merge_review.choose_for_group(tx, caller, GroupSlug(slug), **wanted, choice=choice.side)).slug


async def choose_for_series(tx: Transaction, caller: Caller, slug: str, choice: MergeChoice) -> str:
    """Returns the series' slug."""
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
        choice = MergeChoice(typed.get("field", ""), typed.get("theirs_rev", ""), side)
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


def _shown(reader: Reader, found: list[KeptDecision], zone: str, first: datetime | None = None) -> list[MergeView]:
    return [shown(one, zone, reader.now, first) for one in found]
