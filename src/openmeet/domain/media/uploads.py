"""Uploaded pictures and portraits: limits per person, storage, and deletion of unused ones."""

import secrets
from functools import partial

from groundwork.blobstore.contract import BlobStore, put
from groundwork.clock import DAY, Instant
from groundwork.database.transaction import Database, Reader, Transaction
from groundwork.errors import NotFound, TooLarge, TooMany
from groundwork.workers.pool import ChargedPool
from openmeet.domain.media.pictures import (
    FILES,
    MAX_SQUARE_BYTES,
    MAX_UPLOAD_BYTES,
    MAX_UPLOAD_MEGABYTES,
    PORTRAIT_SIDES,
    MediaReason,
    Picture,
    PictureFormat,
    PictureKey,
    PreparedPicture,
    Size,
    blob_key,
    portrait_key,
    prepare,
    prepare_portrait,
    prepare_squares,
)

# Uploads per person and day: enough for a host who tries a few pictures, too few for a script to fill the disk.
MAX_A_DAY = 50

# Long enough to upload a picture in one tab and use it in another.
UNUSED_FOR = 7 * DAY
ROUND = 200


async def store_picture(
    db: Database, store: BlobStore, workers: ChargedPool, user_id: str, body: bytes
) -> tuple[PictureKey, PreparedPicture]:
    """Re-encode the picture in a worker process and store it.

    Raises InvalidForm (``picture``), TooLarge, TooMany, Unavailable. The bytes are stored before the row, so a crash in
    between leaves bytes without a row, never a row without bytes.
    """
    await require_acceptable(db, user_id, body)
    made = await workers.run(partial(prepare, body))
    key = PictureKey(secrets.token_hex(16))
    for (size, format_), bytes_ in made.bodies.items():
        await put(store, blob_key(key, size, format_), bytes_)
    async with db.transaction() as tx:
        total = sum(map(len, made.bodies.values()))
        await insert(tx, key, user_id, made.width, made.height, total, made.tone)
    return key, made


async def add_squares(store: BlobStore, workers: ChargedPool, key: str) -> None:
    """Store the squares of a picture that was uploaded before there were any.

    Raises NotFound (no such picture), InvalidForm (``picture``), TooLarge, TooMany, Unavailable.
    """
    body = b"".join([piece async for piece in store.read(blob_key(key, Size.SMALL))])
    for file, bytes_ in (await workers.run(partial(prepare_squares, body))).items():
        await put(store, blob_key(key, *file), bytes_)
    try:
        await store.size(blob_key(key, Size.LARGE))
    except NotFound:
        # ``forget_unused`` deletes this file first. It may have looked for the squares before they were stored.
        for size in MAX_SQUARE_BYTES:
            for format_ in PictureFormat:
                await store.delete(blob_key(key, size, format_))
        raise


async def store_portrait(db: Database, store: BlobStore, workers: ChargedPool, user_id: str, body: bytes) -> PictureKey:
    """Re-encode the portrait in a worker process and store it. Nobody sees it until ``put`` of ``profiles.portraits``
    is called.

    Raises InvalidForm (``picture``), TooLarge, TooMany, Unavailable.
    """
    await require_acceptable(db, user_id, body)
    made = await workers.run(partial(prepare_portrait, body))
    # The bytes are stored before the row, so a crash in between never leaves a row without bytes.
    key = PictureKey(secrets.token_hex(16))
    for side, square in made.items():
        await put(store, portrait_key(key, side), square)
    side = max(made)
    async with db.transaction() as tx:
        await insert(tx, key, user_id, side, side, sum(map(len, made.values())))
    return key


async def require_acceptable(db: Database, user_id: str, body: bytes) -> None:
    """Raise TooLarge, or TooMany if the person has uploaded ``MAX_A_DAY`` pictures."""
    if len(body) > MAX_UPLOAD_BYTES:
        raise TooLarge(MediaReason.TOO_LARGE, most=MAX_UPLOAD_MEGABYTES)
    async with db.reader() as reader:
        if await sent_since(reader, user_id, Instant(reader.now - DAY)) >= MAX_A_DAY:
            raise TooMany(MediaReason.TOO_MANY_PICTURES, most=MAX_A_DAY, after_seconds=24 * 3600)


async def forget_unused(db: Database, store: BlobStore) -> int:
    """Delete unused pictures. Returns the number deleted."""
    async with db.reader() as reader:
        unused_pictures = await unused(reader, Instant(reader.now - UNUSED_FOR), ROUND)
    for key in unused_pictures:
        async with db.transaction() as tx:
            await delete(tx, key)
        for name in (*(blob_key(key, *file) for file in FILES), *(portrait_key(key, side) for side in PORTRAIT_SIDES)):
            await store.delete(name)
    return len(unused_pictures)


async def insert(
    tx: Transaction, key: PictureKey, user_id: str, width: int, height: int, size: int, tone: int | None = None
) -> None:
    await tx.execute(
        """
        insert into pictures (key, user_id, width, height, size, tone, created_at)
        values (:key, :user_id, :width, :height, :size, :tone, :now)
        """,
        key=key,
        user_id=user_id,
        width=width,
        height=height,
        size=size,
        tone=tone,
        now=tx.now,
    )


async def sent_since(reader: Reader, user_id: str, since: Instant) -> int:
    """Number of pictures that a person has uploaded since this time."""
    row = await reader.fetch_one(
        "select count(*) as sent from pictures where user_id = :user_id and created_at > :since",
        user_id=user_id,
        since=since,
    )
    return int(row["sent"]) if row else 0


async def unused(reader: Reader, before: Instant, limit: int) -> list[PictureKey]:
    """Pictures uploaded before this time that no event, series, group or person uses and that no undo can restore."""
    rows = await reader.fetch(
        """
        select p.key from pictures p
         where p.created_at < :before
           and not exists (select 1 from events e where e.picture_key = p.key)
           and not exists (select 1 from groups g where g.picture_key = p.key)
           and not exists (select 1 from users u where u.portrait_key = p.key)
           and not exists (select 1 from event_series s where s.template like '%"' || p.key || '"%')
           and not exists (
             select 1 from event_series_undos o
              where o.expires_at > :now and o.undone_at is null and o.kept like '%' || p.key || '%'
           )
         order by p.created_at, p.key limit :limit
        """,
        before=before,
        now=reader.now,
        limit=limit,
    )
    return [PictureKey(row["key"]) for row in rows]


async def release(tx: Transaction, key: PictureKey) -> None:
    """Let the next run of ``forget_unused`` delete the picture if nothing shows it."""
    await tx.execute("update pictures set created_at = 0 where key = :key", key=key)


async def delete(tx: Transaction, key: PictureKey) -> None:
    await tx.execute("delete from pictures where key = :key", key=key)


async def find_own(reader: Reader, key: PictureKey, user_id: str, alt: str) -> Picture | None:
    """A picture that this person uploaded, with this description. None for any other picture."""
    row = await reader.fetch_one(
        "select width, height, tone from pictures where key = :key and user_id = :user_id", key=key, user_id=user_id
    )
    return None if row is None else Picture(key, alt, row["width"], row["height"], row["tone"])
