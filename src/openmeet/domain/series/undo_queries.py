"""All SQL of what can be undone of a series, and of its dates as an act finds and leaves them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from groundwork.clock import Instant
from groundwork.database.transaction import Reader, Transaction
from groundwork.fresh_id import new_id
from openmeet.domain.events.model import Event, EventId, Status
from openmeet.domain.events.queries import COLUMNS as EVENT_COLUMNS
from openmeet.domain.events.queries import event_of
from openmeet.domain.series.model import SeriesId
from openmeet.domain.series.notify_queries import TellingId

# Answers that somebody gave to this very date: who goes to all dates loses nothing with one.
_ANSWERS = """(select count(*) from attendances a where a.event_id = events.id
    and a.status in ('attending', 'interested', 'pending', 'waitlisted', 'attended')
    and not exists (select 1 from event_series_answers g where g.series_id = events.series_id and g.user_id = a.user_id))"""


class Known(msgspec.Struct, frozen=True):
    """A stored date with what its model does not show."""

    event: Event
    status_before: Status
    is_cancelled_with_series: bool
    answers: int


class KeptDate(msgspec.Struct, frozen=True):
    """A date that an act changed: as it was, and a digest of what it said afterwards."""

    known: Known
    digest: str


class Kept(msgspec.Struct, frozen=True):
    """What an act changed: the series' row as it was, the revisions that it left, the dates. Kept for minutes, never longer.

    ``untold``: what is left of telling people of it. ``had``: dates that were stored at the act's own instant, before it.
    """

    series: dict[str, Any]
    revisions: dict[str, int]
    dates: list[KeptDate]
    untold: TellingId | None = None
    had: list[EventId] = []


@dataclass(frozen=True, slots=True)
class Undo:
    """An act that can be taken back. ``series_id`` is what it was done to, ``made`` the series that it made."""

    id: str
    series_id: SeriesId
    made: SeriesId | None
    act: str
    is_silent: bool
    created_at: Instant
    expires_at: Instant
    kept: Kept


async def known_dates(
    reader: Reader, series_ids: Sequence[SeriesId], *, also: Sequence[EventId] = ()
) -> dict[EventId, Known]:
    """Every stored date of these series, and these events, by their ids."""
    rows = await reader.fetch(
        f"select {EVENT_COLUMNS}, status_before, is_cancelled_with_series, {_ANSWERS} as answers from events"
        " where series_id in :series_ids or id in :also order by id",
        series_ids=list(series_ids),
        also=list(also) or [""],
    )
    return {
        EventId(row["id"]): Known(
            event_of(row),
            Status(row["status_before"] or Status.SCHEDULED),
            bool(row["is_cancelled_with_series"]),
            row["answers"],
        )
        for row in rows
    }


async def insert(
    tx: Transaction,
    series_id: SeriesId,
    made: SeriesId | None,
    act: str,
    kept: Kept,
    *,
    is_silent: bool,
    expires_at: int,
) -> None:
    await tx.execute(
        """
        insert into event_series_undos (id, series_id, made, act, is_silent, kept, created_at, expires_at, undone_at)
        values (:id, :series_id, :made, :act, :is_silent, :kept, :now, :expires_at, null)
        """,
        id=new_id(tx.now),
        series_id=series_id,
        made=made,
        act=act,
        is_silent=int(is_silent),
        kept=msgspec.json.encode(kept).decode(),
        now=tx.now,
        expires_at=expires_at,
    )


async def newest(reader: Reader, series_id: SeriesId) -> Undo | None:
    """The last act on a series, or the one that made it, that was not taken back."""
    row = await reader.fetch_one(
        "select id, series_id, made, act, is_silent, kept, created_at, expires_at from event_series_undos"
        " where (series_id = :series_id or made = :series_id) and undone_at is null"
        " order by created_at desc, id desc limit 1",
        series_id=series_id,
    )
    if row is None:
        return None
    return Undo(
        row["id"],
        SeriesId(row["series_id"]),
        None if row["made"] is None else SeriesId(row["made"]),
        row["act"],
        bool(row["is_silent"]),
        row["created_at"],
        row["expires_at"],
        msgspec.json.decode(row["kept"], type=Kept),
    )


async def note_undone(tx: Transaction, undo_id: str) -> None:
    await tx.execute("update event_series_undos set undone_at = :now where id = :id", now=tx.now, id=undo_id)


async def forget_expired(tx: Transaction) -> int:
    return await tx.execute("delete from event_series_undos where expires_at <= :now", now=tx.now)
