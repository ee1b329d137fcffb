"""Upload the pictures of messages to the homeserver, and fetch those of Matrix messages.

Pictures are sent from public rooms only: a homeserver serves a file to every account of the server that knows the
address, whether or not the account is in the room. Fetched pictures are treated like uploads: limited in size, decoded
in a worker process, and re-encoded. Anything that is not a valid picture stays a line of text.
"""

from dataclasses import replace
from typing import Final

from groundwork.clock import DAY, Instant
from groundwork.database.transaction import Reader, Transaction
from groundwork.errors import InvalidForm, NotFound, RemoteFailed, TooLarge
from groundwork.http.client import ResponseTooLarge
from groundwork.workers.quota import QuotaHolder, person
from openmeet.domain.chat import log, message_queries, mirroring, room_queries
from openmeet.domain.chat import pictures as chat_pictures
from openmeet.domain.chat.messages import write_message
from openmeet.domain.chat.model import ChatMessage, LogKind, MessagePicture, RoomId, with_pictures
from openmeet.domain.chat.pictures import StoredPicture, blob_key
from openmeet.domain.media.pictures import PictureFormat, Size
from openmeet.matrix import content, store
from openmeet.matrix.bridge import Bridge
from openmeet.matrix.calls import MatrixUser
from openmeet.matrix.content import OutgoingPicture

# Pictures per room and day, including those that could not be fetched or shown. Further ones stay lines of text.
_MAX_A_DAY: Final = 200
# The token is wrong, or the homeserver took too long: a retry can succeed.
_LATER: Final = frozenset({401, 408})


async def are_uploaded(reader: Reader, bridge: Bridge, room: RoomId) -> bool:
    """Whether pictures of this room are uploaded to the homeserver."""
    return bridge.pictures is not None and not await mirroring.is_subject_restricted(reader, room)


async def send(
    bridge: Bridge,
    ghost: MatrixUser,
    matrix_room: str,
    message: ChatMessage,
    transaction: str,
    *,
    heading: str = "",
    reply_to: str | None = None,
) -> str | None:
    """Upload the pictures of a message and send an event for each; return the first event's id. Repeating this uploads
    and sends nothing twice.

    ``heading``: the first line of the first caption.
    """
    first = None
    for one in message.pictures:
        sent = await _uploaded(bridge, ghost, message, one)
        if sent is None:
            continue
        uri, size = sent
        caption = "\n".join(filter(None, [heading if first is None else "", one.alt]))
        made = content.picture(
            message.id,
            message.revision,
            OutgoingPicture(uri, caption, one.width, one.height, size),
            reply_to=reply_to if first is None else None,
        )
        event = await ghost.send(matrix_room, "m.room.message", f"{transaction}-{one.key[:16]}", made)
        async with bridge.db.transaction() as tx:
            await tx.execute(
                "update matrix_pictures set event_id = :event where message_id = :message and picture_key = :key",
                event=event,
                message=message.id,
                key=one.key,
            )
        first = first or event
    return first


async def edit_caption(
    bridge: Bridge,
    ghost: MatrixUser,
    matrix_room: str,
    message: ChatMessage,
    text: str,
    original: str,
    transaction: str,
) -> str | None:
    """Change the caption of the picture in the event ``original``; None if that event is not a picture."""
    async with bridge.db.reader() as reader:
        row = await reader.fetch_one(
            "select m.uri, p.width, p.height, p.size from matrix_pictures m join chat_pictures p on p.key = m.picture_key"
            " where m.message_id = :message and m.event_id = :event",
            message=message.id,
            event=original,
        )
    if row is None:
        return None
    shown = OutgoingPicture(row["uri"], text, row["width"], row["height"], row["size"])
    made = content.edit_picture(message.id, message.revision, shown, original)
    return await ghost.send(matrix_room, "m.room.message", transaction, made)


async def redact(bridge: Bridge, matrix_room: str, message: ChatMessage) -> None:
    """Redact the events that show the pictures of a message, and forget the uploaded files. Only the homeserver's
    operator can delete those.
    """
    async with bridge.db.reader() as reader:
        rows = await reader.fetch(
            "select event_id from matrix_pictures where message_id = :message and event_id is not null order by event_id",
            message=message.id,
        )
    for row in rows:
        await bridge.bot.redact(matrix_room, row["event_id"], f"om-{bridge.tenant}-redact-{row['event_id']}")
    async with bridge.db.transaction() as tx:
        await tx.execute("delete from matrix_pictures where message_id = :message", message=message.id)


async def _uploaded(
    bridge: Bridge, ghost: MatrixUser, message: ChatMessage, picture: MessagePicture
) -> tuple[str, int] | None:
    """Return the Matrix address and the size of a picture, uploading it if necessary. None if our file is gone or the
    homeserver will never accept it.
    """
    blobs = bridge.pictures
    assert blobs is not None, "are_uploaded has said so"  # noqa: S101 - for the type checker
    at = blob_key(picture.key, Size.LARGE)
    try:
        size = await blobs.size(at)
    except NotFound:
        return None
    async with bridge.db.reader() as reader:
        row = await reader.fetch_one(
            "select uri from matrix_pictures where message_id = :message and picture_key = :key",
            message=message.id,
            key=picture.key,
        )
    if row is not None:
        return str(row["uri"]), size
    try:
        uri = await ghost.upload(b"".join([piece async for piece in blobs.read(at)]), PictureFormat.JPEG.content_type)
    except RemoteFailed as failed:
        # The text of the message is sent without this picture.
        if not _never_succeeds(failed):
            raise
        return None
    async with bridge.db.transaction() as tx:
        await tx.execute(
            "insert into matrix_pictures (message_id, picture_key, uri) values (:message, :key, :uri) "
            "on conflict do nothing",
            message=message.id,
            key=picture.key,
            uri=uri,
        )
    return uri, size


async def fetch(bridge: Bridge, matrix_room: str, event_id: str) -> None:
    """Fetch the picture of an event that is stored as a line of text, and show it instead. If this fails, the line
    stays.
    """
    async with bridge.db.reader() as reader:
        room = await store.room_of(reader, matrix_room)
        message = None if room is None else await _line_of(reader, room, event_id)
    event = None if message is None else await bridge.bot.event(matrix_room, event_id)
    incoming = content.incoming(event)
    if message is None or not isinstance(incoming, content.IncomingMessage) or incoming.picture is None:
        return
    if not await _may_try(bridge, message.room_id):
        return
    stored = await _stored(bridge, message, incoming.picture.uri)
    if stored is None:
        return
    async with bridge.db.transaction() as tx:
        await _show(tx, message, stored, incoming.picture.caption)


async def _line_of(reader: Reader, room: RoomId, event_id: str) -> ChatMessage | None:
    """Return the message with this event, unless it was removed or already has its picture."""
    row = await reader.fetch_one(
        """
        select m.id from chat_messages m where m.room_id = :room and m.external_id = :event and m.removed_at is null
           and not exists (select 1 from chat_pictures p where p.message_id = m.id)
        """,
        room=room,
        event=event_id,
    )
    return None if row is None else await message_queries.by_id(reader, row["id"])


async def _stored(bridge: Bridge, message: ChatMessage, uri: str) -> StoredPicture | None:
    if bridge.pictures is None or bridge.workers is None:
        return None
    author = person(message.user_id) if message.user_id else QuotaHolder(f"matrix:{message.matrix_sender}")
    try:
        body = await bridge.bot.download(uri, bridge.picture_bytes)
        return await chat_pictures.store_picture(
            bridge.db,
            bridge.pictures,
            bridge.workers.charged_to(author),
            message.user_id,
            body,
            most_bytes=bridge.picture_bytes,
        )
    except (ResponseTooLarge, InvalidForm, TooLarge):
        return None
    except RemoteFailed as failed:
        if not _never_succeeds(failed):
            raise
        return None


def _never_succeeds(failed: RemoteFailed) -> bool:
    """Whether the homeserver has refused this file permanently: it is gone, too large, or of a type that it does not
    accept. An invalid token does not count, because the operator can renew it.
    """
    return failed.status is not None and 400 <= failed.status < 500 and failed.status not in _LATER


async def _may_try(bridge: Bridge, room: RoomId) -> bool:
    """Count one more picture of a room, whether or not it can be fetched. Returns False if the daily limit is reached."""
    async with bridge.db.transaction() as tx:
        counted = await tx.execute(
            """
            update chat_rooms
               set matrix_pictures_tried = case when matrix_pictures_since <= :before then 1
                   else matrix_pictures_tried + 1 end,
                   matrix_pictures_since = case when matrix_pictures_since <= :before then :now
                       else matrix_pictures_since end
             where id = :room and (matrix_pictures_since <= :before or matrix_pictures_tried < :most)
            """,
            room=room,
            now=tx.now,
            before=Instant(tx.now - DAY),
            most=_MAX_A_DAY,
        )
    return bool(counted)


async def _show(tx: Transaction, message: ChatMessage, stored: StoredPicture, caption: str) -> None:
    await room_queries.lock(tx, message.room_id)
    now_there = await message_queries.by_id(tx, message.id)
    # The author removed or changed the message in the meantime. The stored file is not needed and will be deleted.
    if now_there is None or now_there.is_removed or now_there.pictures or now_there.revision != message.revision:
        return
    shown = MessagePicture(stored.key, "", stored.width, stored.height)
    changed = replace(
        now_there, body=caption, details=with_pictures(now_there.details, [shown]), revision=now_there.revision + 1
    )
    await write_message(tx, changed)
    await chat_pictures.attach(tx, message.id, [shown])
    number = await log.append(tx, message.room_id, LogKind.EDITED, message.id)
    # Matrix already shows the picture.
    await store.note_sent(tx, message.room_id, number, None, by_delivery=False)
