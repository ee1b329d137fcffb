"""SQL of photos. A task deletes the files of rows without an event.

Such a row is one of these: a photo whose files are being stored (``waits_until``); one that was removed, and whose row
will be deleted, too; or one that its author may not add to the event again (``removed_from``). The row of the last kind
stays, without its files (``has_files``) once no report about it is open.
"""

from collections.abc import Sequence
from typing import Final

from groundwork.clock import Instant
from groundwork.database.transaction import Reader, Row, Transaction
from groundwork.isolation import Position
from openmeet.domain.events.model import EventId
from openmeet.domain.media.pictures import PreparedPicture, is_picture_key
from openmeet.domain.moderation.blocks import is_block_between_sql
from openmeet.domain.moderation.labels import hides_person
from openmeet.domain.moderation.visibility import is_blocked, is_suspended
from openmeet.domain.paging import Page
from openmeet.domain.photos.model import EventPhoto, PhotoAccess, PhotoKey
from openmeet.domain.users.erasure_requests import is_leaving
from openmeet.domain.users.model import UserId

_COLUMNS: Final = "p.key, p.event_id, p.removed_from, p.user_id, p.caption, p.width, p.height, p.created_at"

_IS_HIDDEN: Final = f"""({is_blocked("p.key")} or {is_leaving("p.user_id")} or {is_suspended("p.user_id")}
    or {hides_person("p.user_id")})"""
_IS_BLOCK_BETWEEN: Final = is_block_between_sql(":viewer", "p.user_id")
# One's own photos, and those of others unless a moderator hid the photo or its author, or the author is leaving. Hosts
# also see photos of people they blocked, because they decide about all photos of their event.
_IS_SHOWN: Final = f"""p.event_id = :event_id and (p.user_id = :viewer or (:sees_all = 1 and not (
    {_IS_HIDDEN} or (:with_blocked = 0 and {_IS_BLOCK_BETWEEN}))))"""
_RELEASE: Final = (
    "update event_photos set event_id = null, removed_from = null, waits_until = null, caption = '', digest = ''"
)


async def shown(
    reader: Reader, event_id: EventId, viewer: UserId, access: PhotoAccess, page: Page
) -> Sequence[EventPhoto]:
    """The photos of an event that this person may see, newest first, and one more than the page has."""
    rows = await reader.fetch(
        f"select {_COLUMNS} from event_photos p where {_IS_SHOWN}{page.clause('p.created_at', 'p.key')}",
        **_values(event_id, viewer, access),
        **page.values,
    )
    return [_photo(row) for row in rows]


async def count_shown(reader: Reader, event_id: EventId, viewer: UserId, access: PhotoAccess) -> int:
    row = await reader.fetch_one(
        f"select count(*) as number from event_photos p where {_IS_SHOWN}", **_values(event_id, viewer, access)
    )
    return int(row["number"]) if row else 0


async def shown_one(
    reader: Reader, photo: EventPhoto, viewer: UserId, access: PhotoAccess, *, with_blocked: bool = False
) -> bool:
    """Whether this person may see the photo. ``with_blocked`` is as in ``access.visible_photo``."""
    row = await reader.fetch_one(
        f"select 1 as found from event_photos p where p.key = :key and {_IS_SHOWN}",
        key=photo.key,
        **_values(photo.event_id, viewer, access, with_blocked=with_blocked),
    )
    return row is not None


async def neighbours(
    reader: Reader, photo: EventPhoto, viewer: UserId, access: PhotoAccess
) -> tuple[PhotoKey | None, PhotoKey | None]:
    """The next newer and the next older photo of the event that this person may see."""
    keys: list[PhotoKey | None] = []
    for sign, way in ((">", ""), ("<", " desc")):
        row = await reader.fetch_one(
            f"select p.key from event_photos p where (p.created_at, p.key) {sign} (:created_at, :key) and {_IS_SHOWN}"
            f" order by p.created_at{way}, p.key{way} limit 1",
            created_at=photo.created_at,
            key=photo.key,
            **_values(photo.event_id, viewer, access),
        )
        keys.append(PhotoKey(row["key"]) if row else None)
    return keys[0], keys[1]


async def events_with_photos(reader: Reader, event_ids: Sequence[str], viewer: UserId) -> set[EventId]:
    """Those of these events with a photo by somebody else, which the viewer would see as an attendee."""
    if not event_ids:
        return set()
    rows = await reader.fetch(
        "select distinct p.event_id from event_photos p where p.event_id in :event_ids and p.user_id <> :viewer"
        f" and not ({_IS_HIDDEN} or {_IS_BLOCK_BETWEEN}) order by p.event_id",
        event_ids=list(event_ids),
        viewer=viewer,
    )
    return {EventId(row["event_id"]) for row in rows}


async def by_key(reader: Reader, key: str) -> EventPhoto | None:
    """A photo that still belongs to an event, whoever may see it."""
    return next((one for one in await for_moderators(reader, [key]) if not one.is_removed), None)


async def for_moderators(reader: Reader, keys: Sequence[str]) -> list[EventPhoto]:
    """Photos that belong to an event, and removed ones that still have their files."""
    wanted = sorted({key for key in keys if is_picture_key(key)})
    if not wanted:
        return []
    rows = await reader.fetch(
        f"select {_COLUMNS} from event_photos p where p.key in :keys and p.has_files = 1"
        " and (p.event_id is not null or p.removed_from is not null) order by p.key",
        keys=wanted,
    )
    return [_photo(row) for row in rows]


async def has_earlier_since(reader: Reader, photo: EventPhoto, since: Instant) -> bool:
    """Whether the author of this photo has added another one to its event since this time."""
    row = await reader.fetch_one(
        "select 1 as found from event_photos p where p.event_id = :event_id and p.user_id = :user_id"
        " and p.created_at >= :since and p.key <> :key limit 1",
        event_id=photo.event_id,
        user_id=photo.user_id,
        since=since,
        key=photo.key,
    )
    return row is not None


async def by_digest(reader: Reader, event_id: EventId, user_id: UserId, digest: str) -> EventPhoto | None:
    """The photo that this person made of the same file at this event."""
    row = await reader.fetch_one(
        f"select {_COLUMNS} from event_photos p"
        " where p.event_id = :event_id and p.user_id = :user_id and p.digest = :digest",
        event_id=event_id,
        user_id=user_id,
        digest=digest,
    )
    return _photo(row) if row else None


async def counts(reader: Reader, event_id: EventId, user_id: UserId) -> tuple[int, int]:
    """How many photos the event has, and how many of them are this person's."""
    row = await reader.fetch_one(
        "select count(*) as number, coalesce(sum(case when user_id = :user_id then 1 else 0 end), 0) as own"
        " from event_photos where event_id = :event_id",
        event_id=event_id,
        user_id=user_id,
    )
    return (int(row["number"]), int(row["own"])) if row else (0, 0)


async def has_own(reader: Reader, event_id: EventId, user_id: UserId) -> bool:
    """Whether this person has added a photo to the event."""
    row = await reader.fetch_one(
        "select 1 as found from event_photos where event_id = :event_id and user_id = :user_id limit 1",
        event_id=event_id,
        user_id=user_id,
    )
    return row is not None


async def may_not_add_again(reader: Reader, event_id: EventId, user_id: UserId, digest: str) -> bool:
    """Whether a photo that this person made of the same file was taken out of the event for good."""
    row = await reader.fetch_one(
        "select 1 as found from event_photos"
        " where removed_from = :event_id and user_id = :user_id and digest = :digest limit 1",
        event_id=event_id,
        user_id=user_id,
        digest=digest,
    )
    return row is not None


async def insert_waiting(
    tx: Transaction, key: PhotoKey, user_id: UserId, made: PreparedPicture, *, until: Instant
) -> None:
    """Store a photo that belongs to no event yet, before its files are stored. The task deletes the files of one that
    still waits after ``until``.
    """
    await tx.execute(
        """
        insert into event_photos (key, user_id, caption, digest, width, height, size, waits_until, created_at)
        values (:key, :user_id, '', '', :width, :height, :size, :until, :now)
        """,
        key=key,
        user_id=user_id,
        width=made.width,
        height=made.height,
        size=sum(map(len, made.bodies.values())),
        until=until,
        now=tx.now,
    )


async def add_to_event(tx: Transaction, key: PhotoKey, event_id: EventId, caption: str, digest: str) -> None:
    """Add a waiting photo to an event. The caller holds the lock of the event and has found no photo of this file."""
    await tx.execute(
        "update event_photos set event_id = :event_id, caption = :caption, digest = :digest, waits_until = null,"
        " created_at = :now where key = :key and waits_until is not null",
        key=key,
        event_id=event_id,
        caption=caption,
        digest=digest,
        now=tx.now,
    )


async def set_caption(tx: Transaction, key: PhotoKey, caption: str) -> None:
    await tx.execute(
        "update event_photos set caption = :caption where key = :key and event_id is not null", key=key, caption=caption
    )


async def remove_for_good(tx: Transaction, key: PhotoKey) -> None:
    """Take a photo out of its event, so that its author cannot add it again. Its files stay while a report about it is
    open.
    """
    await tx.execute(
        "update event_photos set removed_from = event_id, event_id = null where key = :key and event_id is not null",
        key=key,
    )


async def release(tx: Transaction, key: PhotoKey) -> None:
    """Take a photo out of its event. A task deletes its files."""
    await tx.execute(f"{_RELEASE} where key = :key", key=key)


async def release_all_of(tx: Transaction, user_id: UserId) -> None:
    """Take all photos of a person out of their events."""
    await tx.execute(f"{_RELEASE} where user_id = :user_id", user_id=user_id)


async def release_of_events(tx: Transaction, event_ids: Sequence[str]) -> None:
    """Take all photos out of these events."""
    if event_ids:
        await tx.execute(
            f"{_RELEASE} where event_id in :event_ids or removed_from in :event_ids", event_ids=list(event_ids)
        )


async def reassign(tx: Transaction, from_user: UserId, to_user: UserId) -> None:
    """Photos now belong to the remaining user. If both had added the same file to an event, one of the two is deleted."""
    await tx.execute(
        f"{_RELEASE} where user_id = :from_user and event_id is not null and exists (select 1 from event_photos kept"
        " where kept.user_id = :to_user and kept.event_id = event_photos.event_id and kept.digest = event_photos.digest)",
        from_user=from_user,
        to_user=to_user,
    )
    await tx.execute(
        "update event_photos set user_id = :to_user where user_id = :from_user", from_user=from_user, to_user=to_user
    )


async def unused(reader: Reader, after: Position, limit: int) -> list[tuple[int, PhotoKey]]:
    """Photos after this position whose files can be deleted."""
    rows = await reader.fetch(
        """
        select p.created_at, p.key from event_photos p
         where p.event_id is null and (p.created_at, p.key) > (:created_at, :key)
           and (p.waits_until is null or p.waits_until <= :now)
           and (p.removed_from is null or (p.has_files = 1 and not exists (
                 select 1 from reports r where r.subject = p.key and r.closed_at is null)))
         order by p.created_at, p.key limit :limit
        """,
        created_at=after[0],
        key=after[1],
        now=reader.now,
        limit=limit,
    )
    return [(int(row["created_at"]), PhotoKey(row["key"])) for row in rows]


async def forget_files(tx: Transaction, key: PhotoKey) -> None:
    """Record that the files of a photo without an event were deleted. The row stays if it refuses the same file."""
    await tx.execute("delete from event_photos where key = :key and event_id is null and removed_from is null", key=key)
    await tx.execute(
        "update event_photos set has_files = 0, caption = '' where key = :key and removed_from is not null", key=key
    )


def _values(event_id: EventId, viewer: UserId, access: PhotoAccess, *, with_blocked: bool = False) -> dict[str, object]:
    return {
        "event_id": event_id,
        "viewer": viewer,
        "sees_all": int(access.sees_all),
        "with_blocked": int(with_blocked or access is PhotoAccess.HOST),
    }


def _photo(row: Row) -> EventPhoto:
    return EventPhoto(
        PhotoKey(row["key"]),
        EventId(row["event_id"] or row["removed_from"]),
        UserId(row["user_id"]),
        row["caption"],
        row["width"],
        row["height"],
        Instant(row["created_at"]),
        is_removed=row["event_id"] is None,
    )
