"""Chat export for hosts: JSON lines, streamed so that only one page is in memory at a time."""

from collections.abc import AsyncIterator
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from groundwork.database.transaction import Database
from openmeet.domain.chat import export
from openmeet.domain.chat.access import require_access
from openmeet.domain.chat.model import Access, RoomId
from openmeet.domain.chat.polls import poll_in
from openmeet.domain.users.model import UserId
from openmeet.i18n.formatting import iso, iso_or_none
from openmeet.web.chat.pictures import ChatPictureShown, pictures_shown
from openmeet.web.chat.requests import integer_parameter, room_id, spend_on_export
from openmeet.web.site.caller import caller_of
from openmeet.web.site.tenant_routing import database_of

JSON_LINES: Final = "application/jsonl"


class ExportedChoice(msgspec.Struct, rename="camel"):
    """A choice of a poll. ``date`` is true if the choice is a date of the series."""

    text: str
    votes: int
    is_date: bool


class ExportedPoll(msgspec.Struct, rename="camel"):
    """A poll with its results. ``endsAt`` is null if the poll runs until its author ends it."""

    choices: list[ExportedChoice]
    several: bool
    ends_at: str | None


class ChatExportLine(msgspec.Struct, rename="camel"):
    """A message. ``name`` is its author's name, or a number if the author's RSVP is private. ``text`` is empty if the
    message was removed. ``poll`` is null unless the message is a poll.
    """

    id: str
    number: int
    said_at: str
    name: str
    text: str
    kind: str
    about: str | None
    reply_to: str | None
    edited_at: str | None
    is_removed: bool
    pictures: list[ChatPictureShown]
    poll: ExportedPoll | None


async def export_room(request: Request) -> Response:
    """Download the messages of a room. Raises NotFound, Forbidden (``NotAModerator``), TooMany."""
    caller, room, after = caller_of(request), room_id(request), integer_parameter(request, "after") or 0
    db = database_of(request)
    async with db.reader() as reader:
        await require_access(reader, room, caller.user_id, Access.MODERATE)
    await spend_on_export(request, caller.user_id)
    headers = {"content-disposition": 'attachment; filename="chat.jsonl"', "cache-control": "no-store"}
    return StreamingResponse(_export_lines(db, room, caller.user_id, after), media_type=JSON_LINES, headers=headers)


async def _export_lines(db: Database, room: RoomId, person: UserId, after: int) -> AsyncIterator[bytes]:
    """The lines, one page at a time."""
    async for page in export.pages(db, room, person, after):
        yield msgspec.json.Encoder().encode_lines([_export_line(one) for one in page])


def _export_line(exported: export.ExportedMessage) -> ChatExportLine:
    message = exported.message
    return ChatExportLine(
        id=message.id,
        number=message.number,
        said_at=iso(message.said_at),
        name=exported.name,
        text=message.body,
        kind=message.kind.value,
        about=message.about,
        reply_to=message.reply_to,
        edited_at=iso_or_none(message.edited_at),
        is_removed=message.is_removed,
        pictures=pictures_shown(message.pictures),
        poll=_exported_poll(exported),
    )


def _exported_poll(exported: export.ExportedMessage) -> ExportedPoll | None:
    poll = poll_in(exported.message.details)
    if poll is None:
        return None
    choices = [
        ExportedChoice(choice.text, exported.votes.get(number, 0), choice.date is not None)
        for number, choice in enumerate(poll.choices)
    ]
    return ExportedPoll(choices, poll.several, iso_or_none(poll.ends_at))
