"""What a person has published in one of their repositories moves to the one for new records.

A record cannot be moved: the event or the series gets a new one there, and the old one stays, says where it went on, and leads there for
good (``events.owners``, decision 0067). Moved back, the first one goes on. Answers stay where they are, one for each event, and so do the
records of groups, which have ways of their own, and what its author wrote in another app.
"""

from dataclasses import dataclass, replace
from typing import Final

from at_protocol.failures import Malformed
from at_protocol.syntax.did import Did, parse_did
from groundwork.database.transaction import Database, Reader, Transaction
from groundwork.errors import InvalidInput, NotFound, Refused
from openmeet.debts import former_records
from openmeet.debts.publications import Kind
from openmeet.events import owners
from openmeet.events.model import EventId, Origin
from openmeet.events.queries import lock_for_update
from openmeet.identities import queries as identity_queries
from openmeet.identities.model import Identity
from openmeet.series import queries, saving
from openmeet.series.model import SeriesId
from openmeet.users.model import UserId

# Per transaction: each is a few statements.
AT_A_TIME: Final = 50

# What is there, or may be, and is its owner's to move.
_STANDING: Final = """
    select p.did, p.kind, p.subject_id
      from publications p join events e on p.kind = 'event' and e.id = p.subject_id
     where p.user_id = :user_id and p.uri is not null and p.is_recalled = 0 and p.state not in ('retracting', 'retracted')
       and e.author_id = :user_id and e.origin = 'here' and e.deleted_at is null and e.removed_at is null
    union all
    select p.did, p.kind, p.subject_id
      from publications p join event_series s on p.kind = 'series' and s.id = p.subject_id
     where p.user_id = :user_id and p.uri is not null and p.is_recalled = 0 and p.state not in ('retracting', 'retracted')
       and s.user_id = :user_id and s.is_read_only = 0 and s.deleted_at is null
"""
COUNT: Final = f"select did, kind, count(*) as n from ({_STANDING}) as standing group by did, kind order by did, kind"
NEXT: Final = f"""
    select subject_id from ({_STANDING}) as standing
     where kind = :kind and did = :did and subject_id > :after order by subject_id limit :limit
"""


@dataclass(frozen=True, slots=True)
class Held:
    """How much of somebody's stands in one of their repositories, written from here."""

    identity: Identity
    events: int
    series: int


@dataclass(frozen=True, slots=True)
class Moved:
    """How much was moved. ``after``: the last that was looked at; None where nothing is left to look at."""

    number: int
    after: str | None


async def held(reader: Reader, user_id: UserId) -> list[Held]:
    """What stands in each of a person's repositories, that for new records first."""
    mine = [one for one in await identity_queries.of_user(reader, user_id) if one.can_write]
    rows = await reader.fetch(COUNT, user_id=user_id)
    counted = {(row["did"], Kind(row["kind"])): int(row["n"]) for row in rows}
    return [Held(one, counted.get((one.did, Kind.EVENT), 0), counted.get((one.did, Kind.SERIES), 0)) for one in mine]


def account(text: str) -> Did:
    """The account that is named. Raises InvalidInput."""
    try:
        return parse_did(text)
    except Malformed:
        raise InvalidInput("from", "Choose one of your accounts.") from None


async def move_all(db: Database, user_id: UserId, source: Did) -> tuple[int, int]:
    """Events and series that were moved. Interrupted, what is done is done, and the same again does the rest. Raises as ``move_some``."""
    numbers: dict[Kind, int] = {}
    # Series first: the records of their dates name theirs.
    for kind in (Kind.SERIES, Kind.EVENT):
        after: str | None = ""
        while after is not None:
            async with db.transaction() as tx:
                moved = await move_some(tx, user_id, source, kind, after)
            numbers[kind] = numbers.get(kind, 0) + moved.number
            after = moved.after
    return numbers[Kind.EVENT], numbers[Kind.SERIES]


async def move_some(tx: Transaction, user_id: UserId, source: Did, kind: Kind, after: str = "") -> Moved:
    """Move some records of a kind (events, series) from this repository to that for new ones; again with ``after`` until that is None.

    Raises NotFound (no repository of theirs) and Refused (``AlreadyThere``).
    """
    target = await _target(tx, user_id, source)
    rows = await tx.fetch(NEXT, user_id=user_id, did=source, kind=kind.value, after=after, limit=AT_A_TIME)
    ids = [row["subject_id"] for row in rows]
    move_one = _move_event if kind is Kind.EVENT else _move_series
    number = sum([await move_one(tx, user_id, target, one) for one in ids])
    return Moved(number, ids[-1] if len(ids) == AT_A_TIME else None)


async def _target(tx: Transaction, user_id: UserId, source: Did) -> Did:
    mine = [one for one in await identity_queries.of_user(tx, user_id) if one.can_write]
    if source not in {one.did for one in mine}:
        raise NotFound("This account is not yours here.")
    if mine[0].did == source:
        raise Refused(
            "New records go to this account. Choose the other one for new records first.", name="AlreadyThere"
        )
    return mine[0].did


async def _move_event(tx: Transaction, user_id: UserId, target: Did, subject_id: str) -> bool:
    event = await lock_for_update(tx, EventId(subject_id))
    if event is None or event.is_gone or event.author_id != user_id or event.origin is not Origin.HERE:
        return False
    await owners.move_records(tx, [event], to=target)
    return True


async def _move_series(tx: Transaction, user_id: UserId, target: Did, subject_id: str) -> bool:
    series = await queries.lock(tx, SeriesId(subject_id))
    if series is None or series.deleted_at is not None or series.owner_id != user_id:
        return False
    await owners.leave_record(tx, Kind.SERIES, series.id, user_id, series.revision + 1)
    former = await former_records.of(tx, Kind.SERIES, series.id)
    await owners.return_to(tx, Kind.SERIES, series.id, former, user_id, did=target)
    await saving.save(tx, replace(series, changed_by=user_id))
    return True
