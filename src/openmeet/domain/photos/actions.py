"""Add, describe and remove photos, and delete the files of removed ones."""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from groundwork.blobstore.contract import BlobStore, put
from groundwork.clock import HOUR, Instant
from groundwork.database.row_lock import lock_row
from groundwork.database.transaction import Database, Reader, Transaction
from groundwork.errors import Forbidden, Refused, TooLarge, Unavailable
from groundwork.isolation import Position, each_due
from groundwork.threads import on_thread
from groundwork.workers.pool import ChargedPool
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
from openmeet.domain.moderation import reports
from openmeet.domain.moderation.model import SubjectVisibility
from openmeet.domain.moderation.visibility import status_of
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
from openmeet.domain.photos.notify import announce
from openmeet.domain.users.model import UserId

_ROUND: Final = 200
# How long the files of a photo may take to be stored.
_WAITS_FOR: Final = HOUR


def blob_key(key: PhotoKey, size: Size, format_: PictureFormat = PictureFormat.JPEG) -> str:
    """The storage key of one file of a photo."""
    return f"event-photos/{key}-{size.value}.{format_.value}"


async def require_adding(reader: Reader, slug: EventSlug, user_id: UserId) -> Event:
    """The event, if this person may add a photo to it now. Raises NotFound, Forbidden."""
    event, access = await event_with_photos(reader, slug, user_id)
    if not access.sees_all:
        raise Forbidden(PhotoReason.CANNOT_ADD)
    if event.is_cancelled:
        raise Forbidden(PhotoReason.EVENT_CANCELLED)
    return event


async def add(
    db: Database, store: BlobStore, workers: ChargedPool, user_id: UserId, slug: EventSlug, body: bytes, caption: str
) -> EventPhoto:
    """Re-encode a photo in a worker process, without its metadata, and add it to the event. Adding the same file again
    returns the stored photo.

    Raises NotFound, Forbidden, Refused (``TooManyPhotos``, ``PhotoRemoved``), InvalidForm (``picture``, ``caption``),
    TooLarge, Unavailable.
    """
    caption = checked_caption(caption)
    if len(body) > MAX_UPLOAD_BYTES:
        raise TooLarge(MediaReason.TOO_LARGE, most=MAX_UPLOAD_MEGABYTES)
    digest = (await on_thread(hashlib.sha256, body)).hexdigest()
    async with db.reader() as reader:
        event = await require_adding(reader, slug, user_id)
        if (stored := await queries.by_digest(reader, event.id, user_id, digest)) is not None:
            return stored
        await _require_possible(reader, event, user_id, digest)
    made = await workers.run(partial(prepare, body))
    key = PhotoKey(secrets.token_hex(16))
    # The row is stored before the files, so that a crash in between leaves no files that the task does not find.
    async with db.transaction() as tx:
        await queries.insert_waiting(tx, key, user_id, made, until=Instant(tx.now + _WAITS_FOR))
    added: EventPhoto | None = None
    try:
        for (size, format_), bytes_ in made.bodies.items():
            await put(store, blob_key(key, size, format_), bytes_)
        async with db.transaction() as tx:
            # Their answer, the event and the number of photos may have changed meanwhile. The lock on the event makes
            # photos that arrive at the same time count one after the other.
            await lock_row(tx, "events", "id", event.id)
            event = await require_adding(tx, slug, user_id)
            if await queries.by_digest(tx, event.id, user_id, digest) is None:
                await _require_possible(tx, event, user_id, digest)
                await queries.add_to_event(tx, key, event.id, caption, digest)
            added = await queries.by_digest(tx, event.id, user_id, digest)
            if added is not None and added.key == key:
                await announce(tx, event, added)
    finally:
        if added is None or added.key != key:
            await _forget(db, store, key)
    if added is None:
        # Storing the files took so long that the task deleted them.
        raise Unavailable(MediaReason.KEEPS_NO_PICTURES)
    return added


async def describe(tx: Transaction, user_id: UserId, key: str, caption: str) -> EventPhoto:
    """Change the caption of one's own photo, and return the changed photo. People who only see their own photos may not:
    hosts and attendees, who may have shut them out, would read it.

    Raises NotFound, Forbidden, InvalidForm (``caption``).
    """
    photo, _, access = await visible_photo(tx, key, user_id)
    if photo.user_id != user_id:
        raise Forbidden(PhotoReason.NOT_YOURS)
    if not access.sees_all:
        raise Forbidden(PhotoReason.CANNOT_DESCRIBE)
    changed = replace(photo, caption=checked_caption(caption))
    await queries.set_caption(tx, photo.key, changed.caption)
    return changed


async def remove(tx: Transaction, user_id: UserId, key: str) -> tuple[Event, PhotoAccess]:
    """Remove one's own photo, or as a host any photo of the event. Returns the event, and the person's access to its
    photos before that. Raises NotFound, Forbidden.

    A decision of a host or a moderator is final: the person who added the photo cannot add it again. A reported photo
    stays for the moderators until they have decided.
    """
    photo, event, access = await visible_photo(tx, key, user_id)
    if photo.user_id != user_id and access is not PhotoAccess.HOST:
        raise Forbidden(PhotoReason.NOT_YOURS)
    decision = await status_of(tx, photo.key)
    if (
        photo.user_id != user_id
        or (decision is not None and decision.state is SubjectVisibility.HIDDEN)
        or await reports.open_about(tx, [photo.key], 1)
    ):
        await queries.remove_for_good(tx, photo.key)
    else:
        await queries.release(tx, photo.key)
    return event, access


async def forget_unused(db: Database, store: BlobStore) -> int:
    """Delete the files of photos that belong to no event any more. Returns how many photos."""

    async def next_photos(after: Position) -> Sequence[tuple[int, PhotoKey]]:
        async with db.reader() as reader:
            return await queries.unused(reader, after, _ROUND)

    async def forget(key: PhotoKey) -> int:
        await _forget(db, store, key)
        return 1

    return await each_due(db, "unused_event_photos", next_photos, forget)


async def _require_possible(reader: Reader, event: Event, user_id: UserId, digest: str) -> None:
    if await queries.may_not_add_again(reader, event.id, user_id, digest):
        raise Refused(PhotoReason.REMOVED_BEFORE, name="PhotoRemoved")
    number, own = await queries.counts(reader, event.id, user_id)
    if own >= MAX_OF_PERSON:
        raise Refused(PhotoReason.TOO_MANY_OF_PERSON, name="TooManyPhotos", most=MAX_OF_PERSON)
    if number >= MAX_OF_EVENT:
        raise Refused(PhotoReason.TOO_MANY_OF_EVENT, name="TooManyPhotos", most=MAX_OF_EVENT)


async def _forget(db: Database, store: BlobStore, key: PhotoKey) -> None:
    # Delete the files first: after a crash in between, the remaining row makes the task try again.
    for size, format_ in FILES:
        await store.delete(blob_key(key, size, format_))
    async with db.transaction() as tx:
        await queries.forget_files(tx, key)
