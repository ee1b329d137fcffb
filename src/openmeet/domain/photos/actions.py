"""Add, describe and remove photos, and delete the files of removed ones."""

import hashlib
import secrets
from functools import partial
from typing import Final

from groundwork.blobstore.contract import BlobStore, put
from groundwork.database.transaction import Database, Reader, Transaction
from groundwork.errors import Forbidden, Refused, TooLarge
from groundwork.threads import on_thread
from groundwork.workers.pool import ChargedPool
from openmeet.domain.events import queries as event_queries
from openmeet.domain.events.model import Event, EventSlug
from openmeet.domain.media.pictures import (
    FILES,
    MAX_UPLOAD_BYTES,
    MAX_UPLOAD_MEGABYTES,
    MediaReason,
    PictureFormat,
    Size,
    prepare,
)
from openmeet.domain.photos import queries
from openmeet.domain.photos.access import event_with_photos, visible_photo
from openmeet.domain.photos.model import (
    MAX_OF_EVENT,
    MAX_OF_PERSON,
    EventPhoto,
    PhotoAccess,
    PhotoKey,
    PhotoReason,
    checked_caption,
)
from openmeet.domain.users.model import UserId

ROUND: Final = 200


def blob_key(key: PhotoKey, size: Size, format_: PictureFormat = PictureFormat.JPEG) -> str:
    """The storage key of one file of a photo."""
    return f"event-photos/{key}-{size.value}.{format_.value}"


async def require_adding(reader: Reader, slug: EventSlug, user_id: UserId) -> Event:
    """The event, if this person may add a photo to it now. Raises NotFound, Forbidden."""
    event, access = await event_with_photos(reader, slug, user_id)
    if not access.sees_all or event.is_cancelled:
        raise Forbidden(PhotoReason.CANNOT_ADD)
    return event


async def add(
    db: Database, store: BlobStore, workers: ChargedPool, user_id: UserId, slug: EventSlug, body: bytes, caption: str
) -> EventPhoto:
    """Re-encode a photo in a worker process, without its metadata, and add it to the event. Adding the same file again
    returns the stored photo.

    Raises NotFound, Forbidden, Refused (``TooManyPhotos``), InvalidForm (``picture``, ``caption``), TooLarge,
    Unavailable.
    """
    caption = checked_caption(caption)
    if len(body) > MAX_UPLOAD_BYTES:
        raise TooLarge(MediaReason.TOO_LARGE, most=MAX_UPLOAD_MEGABYTES)
    digest = (await on_thread(hashlib.sha256, body)).hexdigest()
    async with db.reader() as reader:
        event = await require_adding(reader, slug, user_id)
        if (stored := await queries.by_digest(reader, event.id, user_id, digest)) is not None:
            return stored
        await _require_room(reader, event, user_id)
    made = await workers.run(partial(prepare, body))
    key = PhotoKey(secrets.token_hex(16))
    added: EventPhoto | None = None
    try:
        # The files are stored before the row, so a crash in between never leaves a row without files.
        for (size, format_), bytes_ in made.bodies.items():
            await put(store, blob_key(key, size, format_), bytes_)
        async with db.transaction() as tx:
            # Their answer, the event and the number of photos may have changed meanwhile. The lock on the event makes
            # photos that arrive at the same time count one after the other.
            await event_queries.lock_for_update(tx, event.id)
            await require_adding(tx, slug, user_id)
            if await queries.by_digest(tx, event.id, user_id, digest) is None:
                await _require_room(tx, event, user_id)
                await queries.insert(tx, key, event.id, user_id, caption, digest, made)
            added = await queries.by_digest(tx, event.id, user_id, digest)
    finally:
        if added is None or added.key != key:
            await _delete_files(store, key)
    assert added is not None  # noqa: S101  # it was inserted or was already there
    return added


async def describe(tx: Transaction, user_id: UserId, key: str, caption: str) -> EventPhoto:
    """Change the caption of one's own photo. Raises NotFound, Forbidden, InvalidForm (``caption``)."""
    photo, _, _ = await visible_photo(tx, key, user_id)
    if photo.user_id != user_id:
        raise Forbidden(PhotoReason.NOT_YOURS)
    await queries.set_caption(tx, photo.key, checked_caption(caption))
    return photo


async def remove(tx: Transaction, user_id: UserId, key: str) -> tuple[Event, PhotoAccess]:
    """Remove one's own photo, or as a host any photo of the event. Returns the event, and the person's access to its
    photos before that. Raises NotFound, Forbidden.
    """
    photo, event, access = await visible_photo(tx, key, user_id)
    if photo.user_id != user_id and access is not PhotoAccess.HOST:
        raise Forbidden(PhotoReason.NOT_YOURS)
    await queries.release(tx, photo.key)
    return event, access


async def forget_unused(db: Database, store: BlobStore) -> int:
    """Delete removed photos with their files. Returns how many."""
    async with db.reader() as reader:
        keys = await queries.released(reader, ROUND)
    for key in keys:
        # Delete the files first: after a crash in between, the remaining row makes the task try again.
        await _delete_files(store, key)
        async with db.transaction() as tx:
            await queries.delete_released(tx, key)
    return len(keys)


async def _require_room(reader: Reader, event: Event, user_id: UserId) -> None:
    number, own = await queries.counts(reader, event.id, user_id)
    if own >= MAX_OF_PERSON:
        raise Refused(PhotoReason.TOO_MANY_OF_PERSON, name="TooManyPhotos", most=MAX_OF_PERSON)
    if number >= MAX_OF_EVENT:
        raise Refused(PhotoReason.TOO_MANY_OF_EVENT, name="TooManyPhotos", most=MAX_OF_EVENT)


async def _delete_files(store: BlobStore, key: PhotoKey) -> None:
    for size, format_ in FILES:
        await store.delete(blob_key(key, size, format_))
