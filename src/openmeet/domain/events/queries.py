"""SQL for events. The SQL for unfinished forms is in ``draft_queries``."""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from groundwork.database.bulk import execute_each, insert_rows_sql
from groundwork.database.expressions import qualified
from groundwork.database.row_lock import lock_rows
from groundwork.database.transaction import Engine, Reader, Row, Transaction
from groundwork.database.words import words_of
from groundwork.geo_points import Spot, spot_in
from groundwork.isolation import Position
from groundwork.wakeups import Wakeups
from openmeet.domain.events import content
from openmeet.domain.events.content import Content, topics_of
from openmeet.domain.events.model import (
    Detail,
    Event,
    EventId,
    EventRevision,
    EventSlug,
    EventStatus,
    GroupOfEvent,
    PositionInSeries,
    RecordOrigin,
    RecordSettings,
    ZoneSource,
)
from openmeet.domain.events.visibility import is_hidden
from openmeet.domain.groups.model import GroupId, GroupVisibility, PromotionLevel
from openmeet.domain.users.model import UserId
from openmeet.i18n.markdown import folded

# The columns of an event in addition to those of its content.
_STORED = (
    "id, slug, starts_at, ends_at, starts_local, starts_text, ends_text, time_zone, status, status_reason, author_id,"
    " origin, record_uri, record_cid, record_did, revision, is_read_only, is_held, external_source, removed_at,"
    " deleted_at, created_at, updated_at, series_id, original_date, overridden_fields, is_published_by_policy, group_id,"
    " is_all_day, is_draft, publish_at, needs_author_approval, record_wanted, record_detail, record_announced,"
    " record_answers, retractions, record_deleted_at, derived_from, place_x, place_y, place_z,"
    " zone_source"
)

# Woken after a commit of events that have a town and no position, or a position and no time zone (``town_positions``).
MISSING_POSITIONS: Final = Wakeups()

# The cells of an emptied event, and their assignments in an update. Of its content, only the visibility is kept.
BLANK = {name: cell for name, cell in content.to_row(Content("")).items() if name != "visibility"}
SET_BLANK = ", ".join(f"{name} = :{name}" for name in BLANK)


def columns_of(table: str, *, is_visible: bool = False) -> str:
    """Columns for ``event_of``, with ``events`` under this alias: the event's, its group's, and whether it is hidden.

    ``is_visible``: the statement leaves out hidden events anyway, so it need not check that twice.
    """
    stored = qualified(", ".join((_STORED, *content.COLUMNS)), table)
    of_group = ", ".join(
        f"(select eg.{name} from groups eg where eg.id = {table}.group_id) as group_{name}"
        for name in ("visibility", "promotion_level", "announces_events")
    )
    hidden = "0" if is_visible else f"case when {is_hidden(table)} then 1 else 0 end"
    return f"{stored}, {of_group}, {hidden} as is_hidden"


COLUMNS = columns_of("events")


def event_of(row: Row) -> Event:
    """Parse a row with ``COLUMNS``. A dict is faster than a row of SQLite, which compares all names before a cell's."""
    cells = dict(zip(row.keys(), row, strict=True))
    return Event(
        id=EventId(cells["id"]),
        slug=EventSlug(cells["slug"]),
        content=content.of_row(cells),
        starts_at=cells["starts_at"],
        ends_at=cells["ends_at"],
        starts_local=cells["starts_local"],
        starts_text=cells["starts_text"],
        ends_text=cells["ends_text"],
        time_zone=cells["time_zone"],
        status=EventStatus(cells["status"]),
        status_reason=cells["status_reason"],
        author_id=UserId(cells["author_id"]),
        origin=RecordOrigin(cells["origin"]),
        record_uri=cells["record_uri"],
        record_cid=cells["record_cid"],
        record_did=cells["record_did"],
        revision=cells["revision"],
        is_read_only=bool(cells["is_read_only"]),
        is_held=bool(cells["is_held"]),
        is_hidden=bool(cells["is_hidden"]),
        external_source=cells["external_source"],
        removed_at=cells["removed_at"],
        deleted_at=cells["deleted_at"],
        created_at=cells["created_at"],
        updated_at=cells["updated_at"],
        position_in_series=_position_in_series(cells),
        is_published_by_policy=bool(cells["is_published_by_policy"]),
        group=_group_of(cells),
        is_all_day=bool(cells["is_all_day"]),
        is_draft=bool(cells["is_draft"]),
        publish_at=cells["publish_at"],
        needs_author_approval=bool(cells["needs_author_approval"]),
        record_settings=record_settings_of(cells),
        retractions=cells["retractions"],
        record_deleted_at=cells["record_deleted_at"],
        derived_from=cells["derived_from"],
        derived_spot=_derived_spot(cells),
        zone_source=ZoneSource(cells["zone_source"]),
    )


def _derived_spot(row: Row) -> Spot | None:
    spot = row["place_x"], row["place_y"], row["place_z"]
    return spot if row["derived_from"] and row["place_x"] is not None else None


def _group_of(row: Row) -> GroupOfEvent | None:
    if row["group_id"] is None:
        return None
    return GroupOfEvent(
        GroupId(row["group_id"]),
        GroupVisibility(row["group_visibility"]),
        PromotionLevel(row["group_promotion_level"]),
        announces_events=bool(row["group_announces_events"]),
    )


def record_settings_of(row: Row) -> RecordSettings:
    """Parse the record settings of an event or series row."""
    return RecordSettings(
        is_wanted=bool(row["record_wanted"]),
        detail=Detail(row["record_detail"]),
        is_announced=bool(row["record_announced"]),
        publishes_rsvps=bool(row["record_answers"]),
    )


def record_settings_columns(settings: RecordSettings) -> dict[str, object]:
    """Convert record settings to columns."""
    return {
        "record_wanted": int(settings.is_wanted),
        "record_detail": settings.detail.value,
        "record_announced": int(settings.is_announced),
        "record_answers": int(settings.publishes_rsvps),
    }


def _position_in_series(row: Row) -> PositionInSeries | None:
    if row["series_id"] is None:
        return None
    overridden = tuple(filter(None, row["overridden_fields"].split(",")))
    return PositionInSeries(row["series_id"], row["original_date"], overridden)


async def by_slug(reader: Reader, slug: EventSlug) -> Event | None:
    row = await reader.fetch_one(f"select {COLUMNS} from events where slug = :slug", slug=slug)
    return event_of(row) if row else None


async def by_id(reader: Reader, event_id: EventId) -> Event | None:
    row = await reader.fetch_one(f"select {COLUMNS} from events where id = :id", id=event_id)
    return event_of(row) if row else None


async def several(reader: Reader, event_ids: Sequence[EventId]) -> list[Event]:
    """The events with these ids, ordered by start."""
    if not event_ids:
        return []
    rows = await reader.fetch(
        f"select {COLUMNS} from events where id in :ids order by starts_at, id", ids=list(event_ids)
    )
    return [event_of(row) for row in rows]


async def by_submission(reader: Reader, author_id: UserId, submission_key: str) -> tuple[Event, bytes | None] | None:
    """The event created by this submission (form or API key), and the digest of its content."""
    row = await reader.fetch_one(
        f"select {COLUMNS}, submission_digest from events where author_id = :author_id and submission_key = :key",
        author_id=author_id,
        key=submission_key,
    )
    return (event_of(row), row["submission_digest"]) if row else None


async def latest_country(reader: Reader, author_id: UserId) -> str:
    """The country of the person's latest event that has one, else empty."""
    row = await reader.fetch_one(
        "select country from events where author_id = :author_id and country <> '' and deleted_at is null"
        " order by created_at desc, id desc limit 1",
        author_id=author_id,
    )
    return row["country"] if row else ""


async def lock_for_update(tx: Transaction, event_id: EventId) -> Event | None:
    """Return the event, locked until the transaction ends. Code that counts or assigns seats holds this lock.

    On PostgreSQL, an update that changes nothing takes the row lock and returns the newest row. SQLite has a single
    writer.
    """
    row = await tx.fetch_one(f"update events set id = id where id = :id returning {COLUMNS}", id=event_id)
    return event_of(row) if row else None


async def revisions_of(reader: Reader, event_ids: Collection[EventId]) -> frozenset[EventRevision]:
    """Return the current revision of each of these events."""
    if not event_ids:
        return frozenset()
    rows = await reader.fetch("select id, revision from events where id in :ids", ids=sorted(event_ids))
    return frozenset(EventRevision(EventId(row["id"]), row["revision"]) for row in rows)


async def lock_revisions(tx: Transaction, revisions: Collection[EventRevision]) -> bool:
    """Lock these events, so that none is changed until the transaction ends. Returns False if one has changed."""
    ids = sorted({one.event_id for one in revisions})
    if ids and tx.engine != "sqlite":
        await tx.fetch("select id from events where id in :ids order by id for share", ids=ids)
    return await revisions_of(tx, ids) == frozenset(revisions)


async def lock_subject(tx: Transaction, subject_id: str) -> Event | None:
    """``lock_for_update`` of the subject of a fan-out."""
    return await lock_for_update(tx, EventId(subject_id))


# Not an update: updating hundreds of unchanged rows and their indexes would cost as much as changing them.
_DATES = f"select {COLUMNS} from events where series_id = :series_id order by id"
_DATES_HELD: Mapping[Engine, str] = {"sqlite": _DATES, "postgresql": f"{_DATES} for no key update"}


async def lock_dates(tx: Transaction, series_id: str) -> list[Event]:
    """Lock every stored date of a locked series, in id order, including deleted ones."""
    rows = await tx.fetch(_DATES_HELD[tx.engine], series_id=series_id)
    return [event_of(row) for row in rows]


async def lock_several(tx: Transaction, event_ids: Sequence[EventId]) -> None:
    """Lock these events, in id order. If they are dates of a series, it is locked first."""
    await lock_rows(tx, "events", "id", event_ids)


async def lock_series_of(tx: Transaction, slug: EventSlug) -> None:
    """Lock the series of a date. Call this before locking the event, as everywhere that locks both."""
    await tx.execute(
        "update event_series set id = id where id = (select series_id from events where slug = :slug)", slug=slug
    )


async def lock_series_and_dates_of(tx: Transaction, slug: EventSlug) -> None:
    """Lock the series of a date, then all its dates in id order, as everywhere that locks several dates.

    Call this before locking the date itself.
    """
    await lock_series_of(tx, slug)
    row = await tx.fetch_one("select series_id from events where slug = :slug", slug=slug)
    if row is not None and row["series_id"] is not None:
        await lock_rows(tx, "events", "series_id", [row["series_id"]])


async def lock_by_slug(tx: Transaction, slug: EventSlug) -> Event | None:
    """``lock_for_update`` by slug."""
    row = await tx.fetch_one(f"update events set id = id where slug = :slug returning {COLUMNS}", slug=slug)
    return event_of(row) if row else None


async def status_before(reader: Reader, event_id: EventId) -> EventStatus:
    """The status to restore when a cancelled event is reinstated."""
    row = await reader.fetch_one("select status_before from events where id = :id", id=event_id)
    return EventStatus(row["status_before"]) if row and row["status_before"] else EventStatus.SCHEDULED


async def statuses_before(reader: Reader, event_ids: Sequence[EventId]) -> dict[EventId, EventStatus]:
    """``status_before`` for several events."""
    if not event_ids:
        return {}
    rows = await reader.fetch("select id, status_before from events where id in :ids order by id", ids=list(event_ids))
    return {EventId(row["id"]): EventStatus(row["status_before"] or EventStatus.SCHEDULED) for row in rows}


async def insert(tx: Transaction, event: Event, *, search_text: str, submission: tuple[str, bytes] | None) -> bool:
    """Insert a row for a submission with this key and digest.

    Return False if this submission, or this date of a series, already has a row. Raises UniqueViolated if the record
    URI is already known.
    """
    values = _values(event, search_text)
    values["submission_key"], values["submission_digest"] = submission or (None, None)
    names = ", ".join(values)
    marks = ", ".join(f":{name}" for name in values)
    taken = "series_id, original_date" if event.position_in_series else "author_id, submission_key"
    made = await tx.execute(f"insert into events ({names}) values ({marks}) on conflict ({taken}) do nothing", **values)
    _announce_missing_positions(tx, [values])
    return made == 1


async def insert_each(tx: Transaction, events: Sequence[tuple[Event, str]]) -> None:
    """Insert rows, each with its search text. Raises UniqueViolated if a date of a series or a record already has one."""
    if not events:
        return
    rows = [_values(event, search_text) for event, search_text in events]
    await execute_each(tx, insert_rows_sql("events", {name: _type_of(name) for name in rows[0]}), rows)
    _announce_missing_positions(tx, rows)


_NUMBERS = re.compile(
    r"is_.*|.*_at|place_.|revision|is_published_by_policy|needs_author_approval|record_(wanted|announced|answers)"
)


def _type_of(column: str) -> str:
    return content.COLUMNS.get(column) or ("bigint" if _NUMBERS.fullmatch(column) else "text")


async def update(tx: Transaction, event: Event, *, search_text: str) -> None:
    """Write every column of a row that the caller has locked, except those that identify it."""
    await update_many(tx, [(event, search_text)])


async def update_many(tx: Transaction, events: Sequence[tuple[Event, str]]) -> None:
    """``update`` for several events, each with its search text."""
    if not events:
        return
    fixed = {"slug", "author_id", "origin", "created_at", "status_before"}
    rows = [
        {name: value for name, value in _values(event, search_text).items() if name not in fixed}
        for event, search_text in events
    ]
    sets = ", ".join(f"{name} = :{name}" for name in rows[0] if name != "id")
    await tx.execute_many(f"update events set {sets} where id = :id", rows)
    _announce_missing_positions(tx, rows)


def _announce_missing_positions(tx: Transaction, rows: Sequence[Mapping[str, object]]) -> None:
    if any(_lacks_position(row) or _lacks_zone(row) for row in rows):
        tx.after_commit(MISSING_POSITIONS.wake)


def _lacks_position(row: Mapping[str, object]) -> bool:
    return bool(row["locality"]) and row["place_x"] is None and not row["derived_from"]


def _lacks_zone(row: Mapping[str, object]) -> bool:
    return row["zone_source"] == ZoneSource.UNKNOWN and row["place_x"] is not None


async def due_for_removal(reader: Reader, after: Position, limit: int) -> list[tuple[int, EventId]]:
    """Events whose time to be removed has come, in the order of these times."""
    rows = await reader.fetch(
        "select removes_at, id from events"
        " where removes_at <= :now and deleted_at is null and removed_at is null"
        " and (removes_at, id) > (cast(:after_at as bigint), :after_id) order by removes_at, id limit :limit",
        now=reader.now,
        after_at=after[0],
        after_id=after[1],
        limit=limit,
    )
    return [(int(row["removes_at"]), EventId(row["id"])) for row in rows]


async def save_policy(tx: Transaction, events: Sequence[Event]) -> None:
    """Save new revisions of locked rows that differ only in whether they are published by the series' policy."""
    await tx.execute_many(
        "update events set is_published_by_policy = :is_published, revision = :revision, updated_at = :at"
        " where id = :id",
        [
            {
                "is_published": int(one.is_published_by_policy),
                "revision": one.revision,
                "at": one.updated_at,
                "id": one.id,
            }
            for one in events
        ],
    )


async def set_status_before(tx: Transaction, event_id: EventId, status: EventStatus) -> None:
    await set_statuses_before(tx, [(event_id, status)])


async def set_statuses_before(tx: Transaction, statuses: Sequence[tuple[EventId, EventStatus]]) -> None:
    """Store each event's status before it was cancelled. It then counts as cancelled on its own, not with its series."""
    for status in sorted({status for _, status in statuses}):
        await tx.execute(
            "update events set status_before = :status, is_cancelled_with_series = 0 where id in :ids",
            status=status.value,
            ids=[event_id for event_id, before in statuses if before is status],
        )


async def raise_revision(tx: Transaction, event_id: EventId, revision: int) -> None:
    """Raise the event's revision to at least this one, which was already seen, so that the next one is greater."""
    await tx.execute(
        "update events set revision = :revision where id = :id and revision < :revision", id=event_id, revision=revision
    )


async def release(tx: Transaction, event_id: EventId) -> bool:
    """Show a held event. Returns False if it is not held, or is a draft: that stays one, whatever its author's PDS
    reports.
    """
    sql = "update events set is_held = 0 where id = :id and is_held = 1 and is_draft = 0"
    return await tx.execute(sql, id=event_id) == 1


async def release_each(tx: Transaction, event_ids: Sequence[str]) -> list[EventId]:
    """``release`` those of these events that are held. Returns their ids."""
    sql = "update events set is_held = 0 where id in :ids and is_held = 1 and is_draft = 0 returning id"
    return [EventId(row["id"]) for row in await tx.fetch(sql, ids=list(event_ids))]


def _values(event: Event, search_text: str) -> dict[str, object]:
    position = event.position_in_series
    # A derived position is kept until the town changes.
    town = event.town if event.town == event.derived_from else ""
    derived = event.derived_spot if town else None
    x, y, z = spot_in(event.place.latitude, event.place.longitude) or derived or (None, None, None)
    return {
        "id": event.id,
        "slug": event.slug,
        **content.to_row(event.content),
        "starts_at": event.starts_at,
        "ends_at": event.ends_at,
        "over_at": event.over_at,
        "removes_at": event.removes_at,
        "starts_local": event.starts_local,
        "starts_text": event.starts_text,
        "ends_text": event.ends_text,
        "time_zone": event.time_zone,
        "status": event.status.value,
        "status_before": "",
        "status_reason": event.status_reason,
        "author_id": event.author_id,
        "origin": event.origin.value,
        "record_uri": event.record_uri,
        "record_cid": event.record_cid,
        "record_did": event.record_did,
        "revision": event.revision,
        "is_read_only": int(event.is_read_only),
        "is_held": int(event.is_held),
        "external_source": event.external_source,
        "search_text": search_text,
        "search_words": words_of(folded(event.title), search_text, topics_of(event.content)),
        "place_x": x,
        "place_y": y,
        "place_z": z,
        "derived_from": town,
        "zone_source": event.zone_source.value,
        "removed_at": event.removed_at,
        "deleted_at": event.deleted_at,
        "created_at": event.created_at,
        "updated_at": event.updated_at,
        "series_id": position.series_id if position else None,
        "original_date": position.original_date if position else None,
        "is_modified_occurrence": int(bool(position and position.overridden)),
        "overridden_fields": ",".join(position.overridden) if position else "",
        "is_published_by_policy": int(event.is_published_by_policy),
        "group_id": event.group.id if event.group else None,
        "is_all_day": int(event.is_all_day),
        "picture_key": event.content.picture.key if event.content.picture else None,
        "is_draft": int(event.is_draft),
        "publish_at": event.publish_at,
        "needs_author_approval": int(event.needs_author_approval),
        "record_deleted_at": event.record_deleted_at,
        **record_settings_columns(event.record_settings),
    }
