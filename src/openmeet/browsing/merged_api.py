"""What was merged into one's event from elsewhere, as JSON."""

from typing import Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from groundwork.http.json_bodies import json_response, read_json
from groundwork.http.json_names import json_name
from openmeet.browsing.merged_pages import CHOICES
from openmeet.browsing.merged_view import FIELD_WORDS
from openmeet.events.model import EventSlug
from openmeet.events.shapes import EventShown, shown_to_host
from openmeet.ingestion import reviewing
from openmeet.ingestion.merge import Side
from openmeet.site.etags import etag_of
from openmeet.site.operations import Operation
from openmeet.site.times import iso
from openmeet.tenants.edge import database_of
from openmeet.users.edge import caller_of

_NAMES: dict[Side, Literal["yours", "theirs", "both"]] = {
    Side.OURS: "yours",
    Side.THEIRS: "theirs",
    Side.BOTH: "both",
}

_FIELDS = {json_name(name): name for name in FIELD_WORDS}


class DecisionShown(msgspec.Struct, rename="camel"):
    """A field that was changed on both sides. ``theirsRev`` names the version that it was merged with.

    ``result`` is what the rule chose, ``choice`` what the host did since; null while they have not.
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
    """Decisions about one event, newest first."""

    decisions: list[DecisionShown]


class ChoiceWanted(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """Which decision, and whose value shall stand."""

    field: str
    theirs_rev: str
    keep: Literal["yours", "theirs"]


async def list_decisions(request: Request) -> Response:
    async with database_of(request).reader() as reader:
        _, found = await reviewing.merged(reader, caller_of(request), EventSlug(request.path_params["slug"]))
    return json_response(
        DecisionList(
            [
                DecisionShown(
                    json_name(one.decision.field),
                    one.theirs_rev,
                    one.decision.base,
                    one.decision.ours,
                    one.decision.theirs,
                    one.decision.policy.value,
                    _NAMES[one.decision.result],
                    None if one.choice is None else _NAMES[one.choice],
                    one.decision.ours_values is not None,
                    iso(one.decided_at),
                )
                for one in found
            ]
        )
    )


async def choose(request: Request) -> Response:
    wanted = await read_json(request, ChoiceWanted)
    async with database_of(request).transaction() as tx:
        event = await reviewing.choose(
            tx,
            caller_of(request),
            EventSlug(request.path_params["slug"]),
            field=_FIELDS.get(wanted.field, ""),
            theirs_rev=wanted.theirs_rev,
            choice=CHOICES[wanted.keep],
        )
    return json_response(shown_to_host(event, request.app.state.settings.public_url), headers=etag_of(event.revision))


OPERATIONS = (
    Operation(
        "GET",
        "/api/events/{slug}/decisions",
        "listDecisions",
        "What was merged into the caller's event, and why so",
        list_decisions,
        {200: DecisionList},
        failures=(403, 404, 422),
    ),
    Operation(
        "POST",
        "/api/events/{slug}/decisions",
        "chooseSide",
        "Have a merged field one's own way, or theirs",
        choose,
        {200: EventShown},
        ChoiceWanted,
        failures=(403, 404, 422),
    ),
)
