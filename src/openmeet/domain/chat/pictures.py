"""Pictures in messages: uploaded first, then sent with a message; readable by everyone who may read that message.

They are re-encoded like pictures of events (``domain.media``), and stored under keys that no public address serves. A
message lists its pictures, and ``chat_pictures`` maps the stored files to their message. A task deletes the files of
messages that no longer exist.
"""

import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from groundwork.blobstore.contract import BlobStore, put
from groundwork.clock import DAY, Instant
from groundwork.database.transaction import Database, Reader, Transaction
from groundwork.errors import InvalidForm, NotFound, TooLarge
from groundwork.workers.pool import ChargedPool
from openmeet.domain.chat import message_queries, queries
from openmeet.domain.chat.access import access
from openmeet.domain.chat.model import (
    MAX_PICTURES,
    Access,
    ChatMessage,
    ChatMessageId,
    MessagePicture,
    NewPicture,
    SentPictureKey,
)
from openmeet.domain.chat.reasons import ChatReason
from openmeet.domain.chat.texts import cleaned
from openmeet.domain.media.pictures import (
    FILES,
    MAX_ALT,
    MAX_UPLOAD_BYTES,
    MediaReason,
    PictureFormat,
    PreparedPicture,
    Size,
    prepare,
)
from openmeet.domain.users.model import UserId
from openmeet.domain.validation import GeneralReason
from openmeet.i18n.catalogue import gettext
from openmeet.i18n.markdown import one_line

# How long an uploaded picture waits to be sent.
WAITS_FOR: Final = DAY
ROUND: Final = 200


@dataclass(frozen=True, slots=True)
class StoredPicture:
    """A stored picture. If ``message_id`` is None, it was uploaded but not sent yet, and only its uploader can see it."""

    key: SentPictureKey
    user_id: UserId | None
    message_id: ChatMessageId | None
    width: int
    height: int


def blob_key(key: SentPictureKey, size: Size, format_: PictureFormat = PictureFormat.JPEG) -> str:
    """The storage key of one file of a picture."""
    return f"chat-pictures/{key}-{size.value}.{format_.value}"


def checked_alt(text: str) -> str:
    """Validate the description of a picture, which may be empty. Raises InvalidForm (``alt``)."""
    alt = one_line(cleaned(text))
    if len(alt) > MAX_ALT:
        raise InvalidForm({"alt": GeneralReason.TEXT_TOO_LONG(most=MAX_ALT)})
    return alt


def words_of(body: str, pictures: Sequence[MessagePicture]) -> str:
    """The text of a message for lists and e-mails, or else the descriptions of its pictures."""
    if body or not pictures:
        return body
    described = next((one.alt for one in pictures if one.alt), "")
    return gettext("Picture: %(words)s", words=described) if described else gettext("Picture")


async def store_picture(
    db: Database,
    store: BlobStore,
    workers: ChargedPool,
    user_id: UserId | None,
    body: bytes,
    *,
    most_bytes: int = MAX_UPLOAD_BYTES,
) -> StoredPicture:
    """Re-encode a picture in a worker process and store it until it is sent. ``user_id`` is None if it came from
    Matrix.

    The bytes are stored before the row, so a crash in between can leave bytes without a row, but never a row without
    bytes. Raises InvalidForm (``picture``), TooLarge, Unavailable.
    """
    if len(body) > most_bytes:
        raise TooLarge(MediaReason.TOO_LARGE, most=most_bytes // 1_000_000)
    made: PreparedPicture = await workers.run(partial(prepare, body))
    key = SentPictureKey(secrets.token_hex(16))
    for (size, format_), bytes_ in made.bodies.items():
        await put(store, blob_key(key, size, format_), bytes_)
    async with db.transaction() as tx:
        await tx.execute(
            """
            insert into chat_pictures (key, user_id, width, height, size, waits_until, created_at)
            values (:key, :user_id, :width, :height, :size, :until, :now)
            """,
            key=key,
            user_id=user_id,
            width=made.width,
            height=made.height,
            size=sum(map(len, made.bodies.values())),
            until=Instant(tx.now + WAITS_FOR),
            now=tx.now,
        )
    return StoredPicture(key, user_id, None, made.width, made.height)


async def by_key(reader: Reader, key: SentPictureKey) -> StoredPicture | None:
    """A picture of a message, or one that was not sent yet."""
    row = await reader.fetch_one(
        "select key, user_id, message_id, width, height from chat_pictures where key = :key"
        " and (message_id is not null or waits_until > :now)",
        key=key,
        now=reader.now,
    )
    if row is None:
        return None
    return StoredPicture(
        SentPictureKey(row["key"]),
        None if row["user_id"] is None else UserId(row["user_id"]),
        None if row["message_id"] is None else ChatMessageId(row["message_id"]),
        row["width"],
        row["height"],
    )


async def require_unsent(
    reader: Reader, user_id: UserId | None, new_pictures: Collection[NewPicture]
) -> tuple[MessagePicture, ...]:
    """The uploaded pictures for a new message of this person. None of them may have been sent before. Raises
    InvalidForm (``pictures``, ``alt``).
    """
    if len(new_pictures) > MAX_PICTURES:
        raise InvalidForm({"pictures": ChatReason.TOO_MANY_PICTURES(most=MAX_PICTURES)})
    pictures: dict[SentPictureKey, MessagePicture] = {}
    for one in new_pictures:
        stored = await by_key(reader, one.key)
        if stored is None or stored.message_id is not None or stored.user_id != user_id or one.key in pictures:
            raise InvalidForm({"pictures": ChatReason.NO_SUCH_PICTURE()})
        pictures[one.key] = MessagePicture(one.key, checked_alt(one.alt), stored.width, stored.height)
    return tuple(pictures.values())


async def attach(tx: Transaction, message: ChatMessageId, pictures: Collection[MessagePicture]) -> None:
    """Assign the pictures to this message. Raises InvalidForm (``pictures``) if another message already has one of
    them.
    """
    if pictures:
        updated = await tx.execute(
            "update chat_pictures set message_id = :message, waits_until = null"
            " where key in :keys and message_id is null and waits_until is not null",
            message=message,
            keys=sorted(one.key for one in pictures),
        )
        if updated != len(pictures):
            raise InvalidForm({"pictures": ChatReason.NO_SUCH_PICTURE()})


async def release(tx: Transaction, messages: Collection[ChatMessageId]) -> None:
    """Mark the pictures of these messages as unused. A task deletes their files."""
    if messages:
        await tx.execute(
            "update chat_pictures set message_id = null, waits_until = null where message_id in :messages",
            messages=sorted(messages),
        )


async def release_all_of(tx: Transaction, user_id: UserId) -> None:
    """Mark for deletion every picture that a person uploaded to chats, whether or not it was sent."""
    await tx.execute(
        "update chat_pictures set message_id = null, waits_until = null where user_id = :user_id", user_id=user_id
    )


async def readable_picture(reader: Reader, key: SentPictureKey, viewer: UserId | None) -> StoredPicture:
    """Return the picture, for its uploader and everyone who may read its message. Raises NotFound.

    If a moderator removed the message, only its author and the moderators of the room can see it, as long as it can be
    restored. If the community's moderators removed it, only its author can.
    """
    picture = await by_key(reader, key)
    if picture is None:
        raise NotFound(MediaReason.NO_SUCH_PICTURE)
    if viewer is not None and picture.user_id == viewer:
        return picture
    message = None if picture.message_id is None else await message_queries.by_id(reader, picture.message_id)
    if message is None or not await _may_read(reader, message, viewer):
        raise NotFound(MediaReason.NO_SUCH_PICTURE)
    return picture


async def _may_read(reader: Reader, message: ChatMessage, viewer: UserId | None) -> bool:
    if message.is_taken_back:
        return False
    if message.is_removed:
        return not message.removed_by_site and await access(reader, message.room_id, viewer) is Access.MODERATE
    try:
        await queries.visible_message(reader, message.id, viewer)
    except NotFound:
        return False
    return True


async def forget_unused(db: Database, store: BlobStore) -> int:
    """Delete the files of pictures that belong to no message. Return how many pictures."""
    async with db.reader() as reader:
        rows = await reader.fetch(
            "select key from chat_pictures where message_id is null and (waits_until is null or waits_until <= :now)"
            " order by waits_until, key limit :limit",
            now=reader.now,
            limit=ROUND,
        )
    for row in rows:
        # Delete the files first: after a crash in between, the remaining row makes the task try again.
        for size, format_ in FILES:
            await store.delete(blob_key(row["key"], size, format_))
        async with db.transaction() as tx:
            await tx.execute("delete from chat_pictures where key = :key and message_id is null", key=row["key"])
    return len(rows)
