"""Merge decisions about the caller's events, groups and series, as JSON."""

from collections.abc import Awaitable, Callable
from typing import Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from groundwork.database.transaction import Reader
from groundwork.http.json_bodies import json_name, json_response, read_json
from openmeet.domain.events.model import EventSlug
from openmeet.domain.groups.model import GroupSlug
from openmeet.domain.merge_decisions.model import KeptDecision, MergeSide
from openmeet.domain.paging import MAX_LIMIT, Page
from openmeet.domain.series.model import SeriesSlug
from openmeet.domain.users.model import Caller
from openmeet.i18n.formatting import iso
from openmeet.network.ingestion import merge_review
from openmeet.web.api.operations import ApiOperation
from openmeet.web.api.pagination import CURSOR, LIMIT, paging
from openmeet.web.atproto.merges_pages import (
    CHOICES,
    Choose,
    MergeChoice,
    choose_for_group,
    choose_for_series,
    remote_version_of,
)
from openmeet.web.events.api import to_host
from openmeet.web.events.merged_fields import FIELD_LABELS
from openmeet.web.events.schemas import EventDetail
from openmeet.web.site.caller import caller_of
from openmeet.web.site.slugs import event_slug_of
from openmeet.web.site.tenant_routing import database_of

_NAMES: dict[MergeSide, Literal["yours", "theirs", "both"]] = {
    MergeSide.OURS: "yours",
    MergeSide.THEIRS: "theirs",
    MergeSide.BOTH: "both",
}

Answering = Callable[[Request], Awaitable[Response]]

_FIELDS = {json_name(name): name for name in FIELD_LABELS}


class DecisionOutput(msgspec.Struct, rename="camel"):
    """A field that was changed on both sides. ``theirsRev`` is the revision of the remote version that was merged.

    ``result`` is the side that the merge rule chose. ``choice`` is the side that the host chose later. It is null until
    the host chooses.
    """

    field: str
    theirs_rev: str
    before: str
    yours: str
    theirs: str
    rule: str
    result: Literal["yours", "theirs", "both"]
    choice: Literal["yours", "theirs", "both"] | None
    may_choose: bool
    decided_at: str


class DecisionList(msgspec.Struct, rename="camel"):
    """Decisions about one event, group or series, newest first; ``cursor`` is null on the last page."""

    decisions: list[DecisionOutput]
    cursor: str | None = None


class ChoiceInput(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """The merge decision to change, and the side whose value to use."""

    field: str
    theirs_rev: str
    keep: Literal["yours", "theirs"]


DecisionsOf = Callable[[Reader, Caller, str, Page], Awaitable[list[KeptDecision]]]


def _lister(decisions_of: DecisionsOf) -> Answering:
    async def list_them(request: Request) -> Response:
        page = paging(request)
        async with database_of(request).reader() as reader:
            decisions = await decisions_of(reader, caller_of(request), request.path_params["slug"], page)
        return json_response(_decision_list(decisions, page))

    return list_them


def _chooser(choose: Choose, decisions_of: DecisionsOf) -> Answering:
    async def choose_one(request: Request) -> Response:
        body = await read_json(request, ChoiceInput)
        caller = caller_of(request)
        choice = MergeChoice(_FIELDS.get(body.field, ""), body.theirs_rev, CHOICES[body.keep])
        async with database_of(request).transaction() as tx:
            slug = await choose(tx, caller, request.path_params["slug"], choice)
            decisions = await decisions_of(tx, caller, slug, Page(MAX_LIMIT))
        return json_response(_decision_list(decisions, Page(MAX_LIMIT)))

    return choose_one


def _decision_list(kept_decisions: list[KeptDecision], page: Page) -> DecisionList:
    decisions, cursor = page.cut(kept_decisions, lambda one: one.mark)
    return DecisionList([_decision_output(one) for one in decisions], cursor)


def _decision_output(decision: KeptDecision) -> DecisionOutput:
    return DecisionOutput(
        json_name(decision.decision.field),
        decision.theirs_rev,
        decision.decision.base,
        decision.decision.ours,
        remote_version_of(decision.decision) or decision.decision.theirs,
        decision.decision.policy.value,
        _NAMES[decision.decision.result],
        None if decision.choice is None else _NAMES[decision.choice],
        decision.decision.ours_values is not None,
        iso(decision.decided_at),
    )


async def _decisions_of_event(reader: Reader, caller: Caller, slug: str, page: Page) -> list[KeptDecision]:
    return (await merge_review.merged(reader, caller, EventSlug(slug), page))[1]


async def _decisions_of_group(reader: Reader, caller: Caller, slug: str, page: Page) -> list[KeptDecision]:
    return (await merge_review.merged_into_group(reader, caller, GroupSlug(slug), page))[1]


async def _decisions_of_series(reader: Reader, caller: Caller, slug: str, page: Page) -> list[KeptDecision]:
    return (await merge_review.merged_into_series(reader, caller, SeriesSlug(slug), page))[1]


async def choose(request: Request) -> Response:
    body = await read_json(request, ChoiceInput)
    async with database_of(request).transaction() as tx:
        event = await merge_review.choose(
            tx,
            caller_of(request),
            event_slug_of(request),
            field=_FIELDS.get(body.field, ""),
            theirs_rev=body.theirs_rev,
            choice=CHOICES[body.keep],
        )
        return await to_host(request, tx, event)


OPERATIONS = (
    ApiOperation(
        "GET",
        "/api/events/{slug}/decisions",
        "listDecisions",
        "Merge decisions about your event",
        _lister(_decisions_of_event),
        {200: DecisionList},
        parameters=(CURSOR, LIMIT),
        failures=(403, 404, 422),
    ),
    ApiOperation(
        "POST",
        "/api/events/{slug}/decisions",
        "chooseSide",
        "Choose the local or the remote version of a merged field",
        choose,
        {200: EventDetail},
        ChoiceInput,
        failures=(403, 404, 422),
    ),
    ApiOperation(
        "GET",
        "/api/groups/{slug}/merged",
        "listGroupDecisions",
        "Merge decisions about a group that you may edit",
        _lister(_decisions_of_group),
        {200: DecisionList},
        parameters=(CURSOR, LIMIT),
        failures=(403, 404),
    ),
    ApiOperation(
        "POST",
        "/api/groups/{slug}/merged",
        "chooseSideOfGroup",
        "Choose the local or the remote version of a merged field of a group",
        _chooser(choose_for_group, _decisions_of_group),
        {200: DecisionList},
        ChoiceInput,
        failures=(403, 404, 422),
    ),
    ApiOperation(
        "GET",
        "/api/series/{slug}/merged",
        "listSeriesDecisions",
        "Merge decisions about a series that you may edit",
        _lister(_decisions_of_series),
        {200: DecisionList},
        parameters=(CURSOR, LIMIT),
        failures=(403, 404),
    ),
    ApiOperation(
        "POST",
        "/api/series/{slug}/merged",
        "chooseSideOfSeries",
        "Choose the local or the remote version of a merged field of a series, for all its upcoming dates",
        _chooser(choose_for_series, _decisions_of_series),
        {200: DecisionList},
        ChoiceInput,
        failures=(403, 404, 422),
    ),
)
