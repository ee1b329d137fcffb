"""SQL for import runs, for the mapping from legacy rows to new ones, and for the events and series that the import stored:
the fields that they had at their source, and erasing them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from groundwork.clock import Instant
from groundwork.database.transaction import Reader, Transaction
from groundwork.uuid7 import new_id
from openmeet.domain.events.model import EventId
from openmeet.domain.legacy_import.model import OldEvent
from openmeet.domain.notifications import fan_out
from openmeet.domain.series.model import SeriesId
from openmeet.domain.users.model import UserId


class RunState(StrEnum):
    """State of a run."""

    RUNNING = "running"
    DONE = "done"
    ROLLED_BACK = "rolled_back"


class LegacyRowKind(StrEnum):
    """Kind of a legacy row. ``KNOWN`` and ``KNOWN_EVENT``: a user or event that already existed on this site and is
    kept by a rollback.
    """

    USER = "user"
    KNOWN = "known"
    GROUP = "group"
    MEMBER = "member"
    SERIES = "series"
    EVENT = "event"
    KNOWN_EVENT = "known_event"
    ANSWER = "answer"


@dataclass(frozen=True, slots=True)
class ImportRun:
    """An import of one source. ``expected`` are the counts of its plan."""

    id: str
    source: str
    zone: str
    state: RunState
    expected: Mapping[str, int]
    started_at: Instant
    finished_at: Instant | None


# Maximum number of values in a list parameter.
_AT_ONCE = 500

_COLUMNS = "id, source, zone, state, expected, started_at, finished_at"


async def run_of(reader: Reader, source: str) -> ImportRun | None:
    """The run of this source, unless it was rolled back."""
    row = await reader.fetch_one(
        f"select {_COLUMNS} from legacy_runs where source = :source and state <> 'rolled_back'", source=source
    )
    if row is None:
        return None
    return ImportRun(
        row["id"],
        row["source"],
        row["zone"],
        RunState(row["state"]),
        msgspec.json.decode(row["expected"]),
        row["started_at"],
        row["finished_at"],
    )


async def begin(tx: Transaction, source: str, zone: str, expected: Mapping[str, int]) -> None:
    """Start a run, or resume the existing one."""
    await tx.execute(
        """
        insert into legacy_runs (id, source, zone, state, expected, started_at, finished_at)
        values (:id, :source, :zone, 'running', :expected, :now, null)
            on conflict (source) where state <> 'rolled_back'
            do update set state = 'running', expected = excluded.expected
        """,
        id=new_id(tx.now),
        source=source,
        zone=zone,
        expected=msgspec.json.encode(expected).decode(),
        now=tx.now,
    )


async def set_state(tx: Transaction, run_id: str, state: RunState) -> None:
    await tx.execute(
        "update legacy_runs set state = :state, finished_at = :now where id = :id",
        state=state.value,
        now=tx.now,
        id=run_id,
    )


async def known(reader: Reader, run_id: str, *kinds: LegacyRowKind) -> dict[int, str]:
    """The new ids of rows of these kinds that the run has imported, by legacy id."""
    rows = await reader.fetch(
        "select old_id, new_id from legacy_rows where run_id = :run_id and kind in :kinds order by kind, old_id",
        run_id=run_id,
        kinds=[kind.value for kind in kinds],
    )
    return {row["old_id"]: row["new_id"] for row in rows}


async def known_of(reader: Reader, run_id: str, kind: LegacyRowKind, old_ids: Sequence[int]) -> frozenset[int]:
    """Which of these legacy rows the run has imported."""
    known: set[int] = set()
    for start in range(0, len(old_ids), _AT_ONCE):
        rows = await reader.fetch(
            "select old_id from legacy_rows where run_id = :run_id and kind = :kind and old_id in :ids order by old_id",
            run_id=run_id,
            kind=kind.value,
            ids=list(old_ids[start : start + _AT_ONCE]),
        )
        known |= {row["old_id"] for row in rows}
    return frozenset(known)


async def note(tx: Transaction, run_id: str, kind: LegacyRowKind, pairs: Sequence[tuple[int, str]]) -> None:
    """Store which new row each legacy row became. Raises UniqueViolated if a concurrent run of the same source did."""
    await tx.execute_many(
        "insert into legacy_rows (run_id, kind, old_id, new_id) values (:run_id, :kind, :old_id, :new_id)",
        [{"run_id": run_id, "kind": kind.value, "old_id": old, "new_id": new} for old, new in pairs],
    )


async def last(reader: Reader, run_id: str, kind: LegacyRowKind, limit: int) -> list[str]:
    """A batch of new ids of one kind, newest first, to roll back next."""
    rows = await reader.fetch(
        "select new_id from legacy_rows where run_id = :run_id and kind = :kind order by old_id desc limit :limit",
        run_id=run_id,
        kind=kind.value,
        limit=limit,
    )
    return [row["new_id"] for row in rows]


async def forget(tx: Transaction, run_id: str, kind: LegacyRowKind, new_ids: Sequence[str]) -> None:
    """Delete what ``note`` stored about rows that were rolled back."""
    await tx.execute(
        "delete from legacy_rows where run_id = :run_id and kind = :kind and new_id in :new_ids",
        run_id=run_id,
        kind=kind.value,
        new_ids=list(new_ids),
    )


async def count_active_users(reader: Reader, run_id: str) -> int:
    """Number of imported users who have signed in or changed their profile since. Erased users do not count."""
    row = await reader.fetch_one(
        """
        select count(*) as found from legacy_rows r join users u on u.id = r.new_id
         where r.run_id = :run_id and r.kind = 'user'
           and u.created_at <> 0
           and (u.revision > 1 or exists (select 1 from sessions s where s.user_id = u.id))
        """,
        run_id=run_id,
    )
    return int(row["found"]) if row else 0


async def changed_events(reader: Reader, run_id: str) -> int:
    """Number of events edited or deleted since they were imported."""
    row = await reader.fetch_one(
        """
        select count(*) as found from legacy_rows r join events e on e.id = r.new_id
         where r.run_id = :run_id and r.kind = 'event' and (e.revision > 1 or e.deleted_at is not null)
        """,
        run_id=run_id,
    )
    return int(row["found"]) if row else 0


async def count_new_rsvps(reader: Reader, run_id: str) -> int:
    """Number of RSVPs to imported events that were made or changed on this site since the import."""
    row = await reader.fetch_one(
        """
        select count(*) as found from attendances a
         where (a.event_id in (select new_id from legacy_rows where run_id = :run_id and kind = 'event')
                or a.event_id in (select e.id from events e join legacy_rows r on r.new_id = e.series_id
                                   where r.run_id = :run_id and r.kind = 'series'))
           and (a.revision > 1 or not exists (select 1 from legacy_rows k where k.run_id = :run_id
                                                 and k.kind = 'answer' and k.new_id = a.id))
        """,
        run_id=run_id,
    )
    return int(row["found"]) if row else 0


async def count_new_events(reader: Reader, run_id: str) -> int:
    """Number of events made in imported groups since the import, except dates materialized by imported series."""
    row = await reader.fetch_one(
        """
        select count(*) as found from events e join legacy_rows g on g.new_id = e.group_id
         where g.run_id = :run_id and g.kind = 'group'
           and not exists (select 1 from legacy_rows k where k.run_id = :run_id and k.kind = 'event'
               and k.new_id = e.id)
           and not exists (select 1 from legacy_rows k where k.run_id = :run_id and k.kind = 'series'
                              and k.new_id = e.series_id)
        """,
        run_id=run_id,
    )
    return int(row["found"]) if row else 0


async def published_events(reader: Reader, run_id: str) -> int:
    """Number of published events and dates of the run."""
    row = await reader.fetch_one(
        """
        select count(*) as found from publications p join events e on e.id = p.subject_id
         where p.kind = 'event' and p.uri is not null
           and exists (select 1 from legacy_rows r where r.run_id = :run_id
                          and (r.kind = 'event' and r.new_id = e.id or r.kind = 'series' and r.new_id = e.series_id))
        """,
        run_id=run_id,
    )
    return int(row["found"]) if row else 0


async def found_counts(reader: Reader, run_id: str) -> dict[str, int]:
    """The actual counts of a run, with the same names as ``LegacyPlan.counts``.

    They come from the domain tables, not from the run's mapping.
    """
    row = await reader.fetch_one(
        """
        select (select count(*) from legacy_rows r join users u on u.id = r.new_id
                 where r.run_id = :run_id and r.kind in ('user', 'known')) as people,
               (select count(*) from legacy_rows r join groups g on g.id = r.new_id
                 where r.run_id = :run_id and r.kind = 'group') as groups,
               (select count(*) from legacy_rows r join group_members m on m.id = r.new_id
                 where r.run_id = :run_id and r.kind = 'member') as members,
               count(*) as series,
               count(s.split_from) as split_series,
               count(s.matrix_room_id) as series_rooms
          from legacy_rows r join event_series s on s.id = r.new_id where r.run_id = :run_id and r.kind = 'series'
        """,
        run_id=run_id,
    )
    events = await reader.fetch_one(
        """
        select count(e.series_id) as dates, count(*) - count(e.series_id) as singles,
               coalesce(sum(e.is_modified_occurrence), 0) as modified,
               coalesce(sum(case when e.status = 'cancelled' then 1 else 0 end), 0) as cancelled,
               count(e.matrix_room_id) as rooms
          from legacy_rows r join events e on e.id = r.new_id
              where r.run_id = :run_id and r.kind in ('event', 'known_event')
        """,
        run_id=run_id,
    )
    followers = await reader.fetch_one(
        "select count(*) as found from event_series_followers f join legacy_rows r on r.new_id = f.series_id"
        " where r.run_id = :run_id and r.kind = 'series'",
        run_id=run_id,
    )
    answers = await reader.fetch(
        "select a.status, count(*) as found from legacy_rows r join attendances a on a.id = r.new_id"
        " where r.run_id = :run_id and r.kind = 'answer' group by a.status order by a.status",
        run_id=run_id,
    )
    assert row is not None  # noqa: S101  # a count is always a row
    assert events is not None  # noqa: S101
    assert followers is not None  # noqa: S101
    return {
        "people": int(row["people"]),
        "groups": int(row["groups"]),
        "members": int(row["members"]),
        "series": int(row["series"]),
        "splitSeries": int(row["split_series"]),
        "dates": int(events["dates"]),
        "modifiedDates": int(events["modified"]),
        "cancelledEvents": int(events["cancelled"]),
        "singleEvents": int(events["singles"]),
        "followers": int(followers["found"]),
        "answers": sum(int(one["found"]) for one in answers),
        **{f"answers:{one['status']}": int(one["found"]) for one in answers},
        "rooms": int(events["rooms"]) + int(row["series_rooms"]),
    }


async def count_series(reader: Reader) -> int:
    """Number of series that were imported and not rolled back."""
    row = await reader.fetch_one(
        """
        select count(*) as n from legacy_rows r join legacy_runs u on u.id = r.run_id
         where r.kind = 'series' and u.state <> 'rolled_back'
        """
    )
    return 0 if row is None else int(row["n"])


@dataclass(frozen=True, slots=True)
class ImportedSource:
    """Source fields of an imported event. ``record`` is its URI and the DID of its repository, if it came from the
    network.
    """

    created_at: Instant | None = None
    matrix_room_id: str | None = None
    external_id: str | None = None
    external_source: str | None = None
    external_data: str | None = None
    record: tuple[str, str] | None = None


async def note_event_source(tx: Transaction, event_id: EventId, before: ImportedSource) -> None:
    """Store the source fields of an event that has just been stored."""
    await tx.execute(
        """
        update events
           set created_at = coalesce(:created_at, created_at), matrix_room_id = :matrix_room_id,
               external_id = :external_id, external_source = :external_source, external_data = :external_data
         where id = :id
        """,
        id=event_id,
        created_at=before.created_at,
        matrix_room_id=before.matrix_room_id,
        external_id=before.external_id,
        external_source=before.external_source,
        external_data=before.external_data,
    )
    if before.record is not None:
        uri, did = before.record
        await tx.execute(
            "update events set record_uri = :uri, record_did = :did, origin = 'network', is_published_by_policy = 0"
            " where id = :id",
            uri=uri,
            did=did,
            id=event_id,
        )


async def set_series_source(
    tx: Transaction,
    series_id: SeriesId,
    old: OldEvent,
    *,
    split_from: SeriesId | None,
    group_id: str | None,
) -> None:
    """Set the fields that an imported series had at its source as the event ``old``. The slug is set only if no series
    has it. ``split_from`` and ``group_id`` are ids of imported rows.
    """
    await tx.execute(
        """
        update event_series
           set slug = case when exists (select 1 from event_series o where o.slug = :slug)
                           then slug else coalesce(:slug, slug) end,
               split_from = :split_from, group_id = :group_id, matrix_room_id = :matrix_room_id,
               created_at = coalesce(:created_at, created_at), external_id = :external_id,
               external_source = :external_source
         where id = :id
        """,
        id=series_id,
        slug=old.slug or None,
        split_from=split_from,
        group_id=group_id,
        matrix_room_id=old.matrix_room_id,
        created_at=old.created_at,
        external_id=old.source_id,
        external_source=old.source_type,
    )


async def follow_all(tx: Transaction, series_id: SeriesId, user_ids: Sequence[UserId]) -> None:
    """Make these people followers with notifications turned on."""
    await tx.execute_many(
        """
        insert into event_series_followers (series_id, user_id, notifications_enabled, created_at, updated_at)
        values (:series_id, :user_id, 1, :now, :now) on conflict (series_id, user_id) do nothing
        """,
        [{"series_id": series_id, "user_id": one, "now": tx.now} for one in user_ids],
    )


async def taken_event_slugs(reader: Reader, slugs: Sequence[str]) -> frozenset[str]:
    """Return which of these slugs are already used."""
    if not slugs:
        return frozenset()
    rows = await reader.fetch("select slug from events where slug in :slugs order by slug", slugs=list(slugs))
    return frozenset(row["slug"] for row in rows)


async def dates_of_series(reader: Reader, series_ids: Sequence[SeriesId]) -> list[str]:
    """Ids of all stored dates of these series."""
    rows = await reader.fetch("select id from events where series_id in :ids order by id", ids=list(series_ids))
    return [row["id"] for row in rows]


async def erase_events(tx: Transaction, event_ids: Sequence[EventId]) -> None:
    """Erase imported events. Everything that referred to them is already deleted."""
    await tx.execute_many("delete from events where id = :id", [{"id": one} for one in event_ids])


async def erase_series(tx: Transaction, series_ids: Sequence[SeriesId]) -> None:
    """Erase imported series. Their dates must have been erased before."""
    named = [{"id": one} for one in series_ids]
    for table in ("followers", "standing_rsvps", "offers", "undos"):
        await tx.execute_many(f"delete from event_series_{table} where series_id = :id", named)
    await fan_out.forget(tx, series_ids)
    await tx.execute_many("update event_series_undos set made = null where made = :id", named)
    await tx.execute_many("update event_series set split_from = null where split_from = :id", named)
    await tx.execute_many("delete from event_series where id = :id", named)
