"""The caller's reports, blocks and mutes, as JSON."""

from collections.abc import Awaitable, Callable
from typing import Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from groundwork.http.json_bodies import json_response, read_json
from openmeet.domain.moderation import blocks as distance
from openmeet.domain.moderation import model, reports
from openmeet.domain.moderation.model import AbuseReport, ModeratedKind, ReportOutcome, ReportReason, Subject
from openmeet.domain.safety import actions, subjects
from openmeet.domain.users.model import UserId
from openmeet.i18n.formatting import iso
from openmeet.web.api.operations import ApiOperation
from openmeet.web.api.pagination import CURSOR, LIMIT, paging
from openmeet.web.site.caller import caller_of
from openmeet.web.site.tenant_routing import database_of


class ReportInput(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """A report. ``words`` has at most 2,000 characters and is required if the reason is ``other``."""

    reason: ReportReason
    words: str = ""


class ReportOutput(msgspec.Struct, rename="camel"):
    """A report that the caller made. ``outcome`` is ``acted`` or ``dismissed``, and null until a moderator decides."""

    id: str
    thing: ModeratedKind
    subject_id: str
    reason: ReportReason
    words: str
    outcome: ReportOutcome | None
    created_at: str


class ReportList(msgspec.Struct, rename="camel"):
    """The reports that the caller made, newest first. ``cursor`` is null on the last page."""

    reports: list[ReportOutput]
    cursor: str | None


class BlockOutput(msgspec.Struct, rename="camel"):
    """A user that the caller has blocked."""

    person_id: str
    display_name: str
    since: str


class BlockList(msgspec.Struct, rename="camel"):
    """The people whom the caller has blocked, newest first. ``cursor`` is null on the last page."""

    blocks: list[BlockOutput]
    cursor: str | None


class MuteOutput(msgspec.Struct, rename="camel"):
    """A user or group that the caller has muted."""

    thing: Literal["person", "group"]
    subject_id: str
    since: str


class MuteList(msgspec.Struct, rename="camel"):
    """The people and groups that the caller has muted, newest first. ``cursor`` is null on the last page."""

    mutes: list[MuteOutput]
    cursor: str | None


def _report_handler(kind: ModeratedKind) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        body = await read_json(request, ReportInput)
        reason, comment = model.check_report(body.reason, body.words)
        (address,) = request.path_params.values()
        async with database_of(request).transaction() as tx:
            report = await actions.report(tx, caller_of(request), kind, address, reason, comment)
        return json_response(_report_output(report), 201)

    return answer


async def list_reports(request: Request) -> Response:
    page = paging(request)
    async with database_of(request).reader() as reader:
        read = await reports.of_person(reader, caller_of(request).user_id, page)
    own_reports, cursor = page.cut(read, lambda one: (one.created_at, one.id))
    return json_response(ReportList([_report_output(one) for one in own_reports], cursor))


async def list_blocks(request: Request) -> Response:
    page = paging(request)
    async with database_of(request).reader() as reader:
        viewer = caller_of(request).user_id
        read = await distance.blocked_by(reader, viewer, page)
        blocks, cursor = page.cut(read, lambda one: (one.since, one.subject.id))
        described = await subjects.described(reader, [one.subject for one in blocks])
        known = await subjects.known_among(reader, viewer, [UserId(one.subject.id) for one in blocks])
    shown = [
        BlockOutput(one.subject.id, described[one.subject.id].title if one.subject.id in known else "", iso(one.since))
        for one in blocks
    ]
    return json_response(BlockList(shown, cursor))


async def block(request: Request) -> Response:
    async with database_of(request).transaction() as tx:
        await actions.block(tx, caller_of(request), UserId(request.path_params["userId"]))
    return Response(status_code=204)


async def unblock(request: Request) -> Response:
    async with database_of(request).transaction() as tx:
        await actions.unblock(tx, caller_of(request), UserId(request.path_params["userId"]))
    return Response(status_code=204)


async def list_mutes(request: Request) -> Response:
    page = paging(request)
    async with database_of(request).reader() as reader:
        read = await distance.mutes_of(reader, caller_of(request).user_id, page)
    own_mutes, cursor = page.cut(read, lambda one: (one[1], one[0].id))
    shown = [
        MuteOutput("group" if subject.kind is ModeratedKind.GROUP else "person", subject.id, iso(since))
        for subject, since in own_mutes
    ]
    return json_response(MuteList(shown, cursor))


def _mute(kind: ModeratedKind, change: Callable[..., Awaitable[object]]) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        async with database_of(request).transaction() as tx:
            await change(tx, caller_of(request), Subject(kind, request.path_params["subjectId"]))
        return Response(status_code=204)

    return answer


def _report_output(report: AbuseReport) -> ReportOutput:
    return ReportOutput(
        report.id,
        report.subject.kind,
        report.subject.id,
        report.reason,
        report.comment,
        report.outcome,
        iso(report.created_at),
    )


def _reporting(path: str, name: str, kind: ModeratedKind, words: str) -> ApiOperation:
    return ApiOperation(
        "POST",
        path,
        name,
        f"Report {words} to the moderators. A repeated report changes the open one",
        _report_handler(kind),
        {201: ReportOutput},
        ReportInput,
        failures=(404, 422),
    )


OPERATIONS = (
    _reporting("/api/events/{slug}/reports", "reportEvent", ModeratedKind.EVENT, "an event"),
    _reporting("/api/series/{slug}/reports", "reportSeries", ModeratedKind.SERIES, "a series"),
    _reporting("/api/groups/{slug}/reports", "reportGroup", ModeratedKind.GROUP, "a group"),
    _reporting("/api/photos/{photoId}/reports", "reportPhoto", ModeratedKind.PHOTO, "a photo"),
    _reporting("/api/people/{userId}/reports", "reportPerson", ModeratedKind.PERSON, "a person"),
    ApiOperation(
        "GET",
        "/api/me/reports",
        "listMyReports",
        "Your reports",
        list_reports,
        {200: ReportList},
        parameters=(CURSOR, LIMIT),
    ),
    ApiOperation(
        "GET",
        "/api/me/blocks",
        "listBlocks",
        "People and groups that you have blocked or muted",
        list_blocks,
        {200: BlockList},
        parameters=(CURSOR, LIMIT),
    ),
    ApiOperation(
        "PUT",
        "/api/me/blocks/{userId}",
        "blockPerson",
        "Block a person. Their answers to your upcoming events are withdrawn",
        block,
        {204: None},
        failures=(404, 422),
    ),
    ApiOperation(
        "DELETE",
        "/api/me/blocks/{userId}",
        "unblockPerson",
        "Unblock a person. Answers that were withdrawn by the block stay withdrawn",
        unblock,
        {204: None},
        failures=(404,),
    ),
    ApiOperation(
        "GET",
        "/api/me/mutes",
        "listMutes",
        "People and groups that you have muted",
        list_mutes,
        {200: MuteList},
        parameters=(CURSOR, LIMIT),
    ),
    *(
        ApiOperation(
            method,
            f"/api/me/mutes/{'people' if kind is ModeratedKind.PERSON else 'groups'}/{{subjectId}}",
            f"{'mute' if method == 'PUT' else 'unmute'}{kind.value.title()}",
            f"{'Mute' if method == 'PUT' else 'Unmute'} a {kind.value}",
            _mute(kind, actions.mute if method == "PUT" else actions.unmute),
            {204: None},
            failures=(404, 422) if method == "PUT" else (404,),
        )
        for kind in (ModeratedKind.PERSON, ModeratedKind.GROUP)
        for method in ("PUT", "DELETE")
    ),
)
