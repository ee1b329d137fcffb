"""All SQL of what people are yet to be told of acts on a series, and of the crowd that hears of one, in order of their ids."""

from collections.abc import Sequence
from typing import NewType

import msgspec

from groundwork.clock import Instant
from groundwork.database.transaction import Reader, Transaction
from groundwork.fresh_id import new_id
from openmeet.domain.attendance.notify import Heard
from openmeet.domain.events.model import EventId
from openmeet.domain.notifications.model import Kind, Particulars, When
from openmeet.domain.series.model import SeriesId
from openmeet.domain.users.model import UserId

TellingId = NewType("TellingId", str)


class About(msgspec.Struct, frozen=True):
    """What news say of one date. ``starts_at``: of a moved one, the earlier start; ``is_at``: when it is now."""

    event_id: EventId
    revision: int
    particulars: Particulars
    starts_at: Instant | None = None
    is_at: When | None = None


class News(msgspec.Struct, frozen=True):
    """One kind of news of an act: of these dates, the earliest first.

    Who answered one of ``answers_to`` hears of it, of their earliest, and when their others are; ``hosts``, and followers where
    ``to_followers``, hear of the first date and of the others unless they have heard of this act already; who goes to all dates, where
    ``to_goers``, hears of them anyway.
    """

    kind: Kind
    about: list[About]
    answers_to: list[EventId]
    hosts: list[UserId]
    to_followers: bool
    to_goers: bool = False


class Telling(msgspec.Struct, frozen=True):
    """All news of one act. ``by``: who did it, and knows. ``only``: who did not hear of what is taken back need not hear of that."""

    news: list[News]
    by: UserId
    only: Heard | None = None


class Owed(msgspec.Struct, frozen=True):
    """What is left of a telling: everybody behind ``told_until``."""

    id: TellingId
    telling: Telling
    told_until: UserId


async def insert(tx: Transaction, series_id: SeriesId, telling: Telling, told_until: UserId) -> TellingId:
    """Of a locked series."""
    telling_id = TellingId(new_id(tx.now))
    await tx.execute(
        """
        insert into event_series_tellings (id, series_id, telling, told_until, created_at)
        values (:id, :series_id, :telling, :told_until, :now)
        """,
        id=telling_id,
        series_id=series_id,
        telling=msgspec.json.encode(telling).decode(),
        told_until=told_until,
        now=tx.now,
    )
    return telling_id


async def series_of(reader: Reader, telling_id: TellingId) -> SeriesId | None:
    """None: everybody was told."""
    row = await reader.fetch_one("select series_id from event_series_tellings where id = :id", id=telling_id)
    return None if row is None else SeriesId(row["series_id"])


async def oldest(reader: Reader, series_id: SeriesId) -> Owed | None:
    """What is told next: nobody hears of a later act before an earlier one."""
    row = await reader.fetch_one(
        "select id, telling, told_until from event_series_tellings where series_id = :series_id"
        " order by created_at, id limit 1",
        series_id=series_id,
    )
    if row is None:
        return None
    return Owed(TellingId(row["id"]), msgspec.json.decode(row["telling"], type=Telling), UserId(row["told_until"]))


async def is_any_owed(reader: Reader, series_id: SeriesId) -> bool:
    row = await reader.fetch_one(
        "select 1 as found from event_series_tellings where series_id = :series_id limit 1", series_id=series_id
    )
    return row is not None


async def note(tx: Transaction, telling_id: TellingId, told_until: UserId) -> None:
    await tx.execute(
        "update event_series_tellings set told_until = :told_until where id = :id",
        told_until=told_until,
        id=telling_id,
    )


async def drop(tx: Transaction, telling_id: TellingId) -> UserId | None:
    """No more is told of it: until whom it was. None: to everybody, it was done."""
    row = await tx.fetch_one("delete from event_series_tellings where id = :id returning told_until", id=telling_id)
    return None if row is None else UserId(row["told_until"])


def next_people(crowds: Sequence[Sequence[UserId]], limit: int) -> tuple[list[UserId], bool]:
    """The first of several ordered crowds as one, and whether that is everybody there is. Pure."""
    everybody = sorted({user_id for crowd in crowds for user_id in crowd})
    return everybody[:limit], len(everybody) <= limit
