"""Answering by the API."""

from typing import Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from groundwork.database.transaction import Reader, Transaction
from groundwork.errors import NotFound
from groundwork.http.json_bodies import json_response, read_json
from openmeet.attendance import actions, queries
from openmeet.attendance.model import Attendance, Reply
from openmeet.events.model import EventSlug
from openmeet.events.queries import by_slug, lock_by_slug
from openmeet.site.etags import IF_MATCH, etag_of, must_match
from openmeet.site.operations import Operation
from openmeet.site.times import iso
from openmeet.tenants.edge import database_of
from openmeet.users.edge import caller_of
from openmeet.users.model import Caller

StatusName = Literal["attending", "interested", "declined", "pending", "waitlisted", "invited", "rejected", "attended"]

# Words of older clients beside ours.
ReplyName = Literal["going", "interested", "declined", "attending", "confirmed", "maybe", "cancelled", "waitlist"]

_REPLIES = {
    "going": Reply.GOING,
    "attending": Reply.GOING,
    "confirmed": Reply.GOING,
    "waitlist": Reply.GOING,
    "interested": Reply.INTERESTED,
    "maybe": Reply.INTERESTED,
    "declined": Reply.DECLINED,
    "cancelled": Reply.DECLINED,
}


class AnswerWanted(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """What the caller says; ``going`` to a full event means the end of its waitlist."""

    reply: ReplyName


class AnswerShown(msgspec.Struct, rename="camel"):
    """Where the answer led. ``waitingBefore``: people in the line before the caller; null when not waiting."""

    id: str
    status: StatusName
    waiting_before: int | None
    record_uri: str | None
    answered_at: str


async def put_answer(request: Request) -> Response:
    caller = caller_of(request)
    reply = _REPLIES[(await read_json(request, AnswerWanted)).reply]
    async with database_of(request).transaction() as tx:
        await _must_match(request, tx, caller)
        saved = await actions.answer(tx, caller, EventSlug(request.path_params["slug"]), reply)
        waiting = await _waiting_before(tx, saved)
    return json_response(_shown(saved, waiting), headers=etag_of(saved.revision))


async def show_answer(request: Request) -> Response:
    caller = caller_of(request)
    async with database_of(request).reader() as reader:
        event = await by_slug(reader, EventSlug(request.path_params["slug"]))
        mine = await queries.find(reader, event.id, caller.user_id) if event else None
        if mine is None:
            raise NotFound("You have not answered any such event.")
        waiting = await _waiting_before(reader, mine)
    return json_response(_shown(mine, waiting), headers=etag_of(mine.revision))


async def _must_match(request: Request, tx: Transaction, caller: Caller) -> None:
    """What ``If-Match`` names is one's answer as it was read; the event's lock keeps it so."""
    if "if-match" in request.headers:
        event = await lock_by_slug(tx, EventSlug(request.path_params["slug"]))
        mine = await queries.find(tx, event.id, caller.user_id) if event else None
        must_match(request, mine.revision if mine else None)


async def _waiting_before(reader: Reader, mine: Attendance) -> int | None:
    if mine.waitlist_number is None:
        return None
    return await queries.waiting_before(reader, mine.event_id, mine.waitlist_number)


def _shown(mine: Attendance, waiting: int | None) -> AnswerShown:
    return AnswerShown(mine.id, mine.status.value, waiting, mine.record_uri, iso(mine.answered_at))


OPERATIONS = (
    Operation(
        "PUT",
        "/api/events/{slug}/answer",
        "putAnswer",
        "Answer to an event; the same answer again changes nothing",
        put_answer,
        {200: AnswerShown},
        AnswerWanted,
        (IF_MATCH,),
        failures=(404, 412, 422),
    ),
    Operation(
        "GET",
        "/api/events/{slug}/answer",
        "showAnswer",
        "The caller's own answer",
        show_answer,
        {200: AnswerShown},
        failures=(404,),
    ),
)
