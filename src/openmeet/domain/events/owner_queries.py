"""All SQL of whose an event is, and whose repository has its record."""

from collections.abc import Sequence

from groundwork.database.transaction import Reader, Transaction
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.events.queries import COLUMNS, event_of
from openmeet.domain.users.model import UserId

# Of a row of events: that its record is, or may be by now, in the own repository of its group. What has none yet is its author's.
HELD_BY_GROUP = """exists (
    select 1 from groups hg join identities hi on hi.user_id = hg.account_id
     where hg.id = events.group_id and hg.deleted_at is null and hg.is_read_only = 0
       and hi.did = coalesce((select hp.did from publications hp where hp.kind = 'event' and hp.subject_id = events.id),
                             events.record_did))"""


async def set_authors(tx: Transaction, event_ids: Sequence[EventId], author_id: UserId) -> None:
    """These events are this person's, and are kept here from now on, wherever they came from."""
    await tx.execute(
        "update events set author_id = :author_id, origin = 'here', submission_key = null where id in :ids",
        author_id=author_id,
        ids=list(event_ids),
    )


async def give_up_record(tx: Transaction, event_id: EventId) -> None:
    """Its record is another event's, which it turned out to be."""
    await tx.execute(
        "update events set record_uri = null, record_cid = null, record_did = null, removed_at = coalesce(removed_at, :now)"
        " where id = :id",
        now=tx.now,
        id=event_id,
    )


async def set_network_author(tx: Transaction, event_id: EventId, author_id: UserId) -> None:
    """An event that is read from the network is somebody else's there."""
    await tx.execute(
        "update events set author_id = :author_id, submission_key = null where id = :id and origin = 'network'",
        author_id=author_id,
        id=event_id,
    )


async def coming_of(reader: Reader, author_id: UserId) -> list[EventId]:
    """Single events that somebody owns, that are made here and not over, in the order of their ids."""
    rows = await reader.fetch(
        "select id from events where author_id = :author_id and origin = 'here' and series_id is null and is_draft = 0"
        " and deleted_at is null and removed_at is null and (over_at is null or over_at > :now) order by id",
        author_id=author_id,
        now=reader.now,
    )
    return [EventId(row["id"]) for row in rows]


async def held_by_groups(reader: Reader, event_ids: Sequence[EventId]) -> frozenset[EventId]:
    """Those of these events whose record stands in the own repository of their group."""
    if not event_ids:
        return frozenset()
    rows = await reader.fetch(
        f"select id from events where id in :ids and {HELD_BY_GROUP} order by id", ids=list(event_ids)
    )
    return frozenset(EventId(row["id"]) for row in rows)


async def let_dates_wait(tx: Transaction, series_id: str, by: UserId) -> None:
    """The coming dates of a locked series wait for their authors, but for those of ``by`` and those in their group's repository."""
    await tx.execute(
        "update events set awaits_author = 1 where series_id = :series_id and author_id <> :by and awaits_author = 0"
        f" and deleted_at is null and removed_at is null and (over_at is null or over_at > :now) and not {HELD_BY_GROUP}",
        series_id=series_id,
        by=by,
        now=tx.now,
    )


async def own_by_slugs(reader: Reader, author_id: UserId, slugs: Sequence[str]) -> list[Event]:
    """Those at these addresses that this person made, dates of no series, and that are still here."""
    if not slugs:
        return []
    rows = await reader.fetch(
        f"select {COLUMNS} from events where slug in :slugs and author_id = :author_id and series_id is null"
        " and deleted_at is null and removed_at is null and is_read_only = 0 and starts_at is not null order by id",
        slugs=sorted(set(slugs)),
        author_id=author_id,
    )
    return [event_of(row) for row in rows]
