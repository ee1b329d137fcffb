"""SQL of photos. A row without an event will be deleted together with its files."""

from collections.abc import Sequence
from typing import Final

from groundwork.clock import Instant
from groundwork.database.transaction import Reader, Row, Transaction
from openmeet.domain.events.model import EventId
from openmeet.domain.media.pictures import PreparedPicture
from openmeet.domain.moderation.blocks import is_block_between_sql
from openmeet.domain.moderation.labels import hides_person
from openmeet.domain.moderation.visibility import is_blocked, is_suspended
from openmeet.domain.paging import Page
from openmeet.domain.photos.model import EventPhoto, PhotoAccess, PhotoKey
from openmeet.domain.users.erasure_requests import is_leaving
from openmeet.domain.users.model import UserId

_COLUMNS: Final = "p.key, p.event_id, p.user_id, p.caption, p.width, p.height, p.created_at"

# One's own photos, and those of others unless a moderator hid the photo or its author, or the author is leaving. Hosts
# also see photos of people they blocked, because they decide about all photos of their event.
_IS_SHOWN: Final = f"""p.event_id = :event_id and (p.user_id = :viewer or (:sees_all = 1 and not (
    {is_blocked("p.key")} or {is_leaving("p.user_id")} or {is_suspended("p.user_id")} or {hides_person("p.user_id")}
    or (:is_host = 0 and {is_block_between_sql(":viewer", "p.user_id")}))))"""
_RELEASE: Final = "update event_photos set event_id = null, caption = '', digest = ''"


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


async def shown_one(reader: Reader, photo: EventPhoto, viewer: UserId, access: PhotoAccess) -> bool:
    """Whether this person may see the photo."""
    row = await reader.fetch_one(
        f"select 1 as found from event_photos p where p.key = :key and {_IS_SHOWN}",
        key=photo.key,
        **_values(photo.event_id, viewer, access),
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


async def by_keys(reader: Reader, keys: Sequence[str]) -> list[EventPhoto]:
    """Photos that still belong to an event, whoever may see them."""
    if not keys:
        return []
    rows = await reader.fetch(
        f"select {_COLUMNS} from event_photos p where p.key in :keys and p.event_id is not null order by p.key",
        keys=sorted(set(keys)),
    )
    return [_photo(row) for row in rows]


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


async def insert(
    tx: Transaction,
    key: PhotoKey,
    event_id: EventId,
    user_id: UserId,
    caption: str,
    digest: str,
    made: PreparedPicture,
) -> None:
    """Store a photo. A file that this person has already added to the event is not stored again."""
    await tx.execute(
        """
        insert into event_photos (key, event_id, user_id, caption, digest, width, height, size, created_at)
        values (:key, :event_id, :user_id, :caption, :digest, :width, :height, :size, :now)
            on conflict (event_id, user_id, digest) do nothing
        """,
        key=key,
        event_id=event_id,
        user_id=user_id,
        caption=caption,
        digest=digest,
        width=made.width,
        height=made.height,
        size=sum(map(len, made.bodies.values())),
        now=tx.now,
    )


async def set_caption(tx: Transaction, key: PhotoKey, caption: str) -> None:
    await tx.execute("update event_photos set caption = :caption where key = :key", key=key, caption=caption)


async def release(tx: Transaction, key: PhotoKey) -> None:
    """Take a photo out of its event. A task deletes its files."""
    await tx.execute(f"{_RELEASE} where key = :key", key=key)


async def release_all_of(tx: Transaction, user_id: UserId) -> None:
    """Take all photos of a person out of their events."""
    await tx.execute(f"{_RELEASE} where user_id = :user_id", user_id=user_id)


async def release_of_events(tx: Transaction, event_ids: Sequence[str]) -> None:
    """Take all photos out of these events."""
    if event_ids:
        await tx.execute(f"{_RELEASE} where event_id in :event_ids", event_ids=list(event_ids))


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


async def released(reader: Reader, limit: int) -> list[PhotoKey]:
    rows = await reader.fetch(
        "select key from event_photos where event_id is null order by created_at, key limit :limit", limit=limit
    )
    return [PhotoKey(row["key"]) for row in rows]


async def delete_released(tx: Transaction, key: PhotoKey) -> None:
    await tx.execute("delete from event_photos where key = :key and event_id is null", key=key)


def _values(event_id: EventId, viewer: UserId, access: PhotoAccess) -> dict[str, object]:
    return {
        "event_id": event_id,
        "viewer": viewer,
        "sees_all": int(access.sees_all),
        "is_host": int(access is PhotoAccess.HOST),
    }


def _photo(row: Row) -> EventPhoto:
    return EventPhoto(
        PhotoKey(row["key"]),
        EventId(row["event_id"]),
        UserId(row["user_id"]),
        row["caption"],
        row["width"],
        row["height"],
        Instant(row["created_at"]),
    )
