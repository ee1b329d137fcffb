"""Move a person's published records from one of their repositories to the one for new records.

Records cannot really be moved: the event or series gets a new record, and the old record stays and permanently points
to the new one (``events.ownership``, decision 0067). Moving back continues the first record. A job moves the records
that do not fit into one request. Not moved are RSVP records (one per event), records of groups
(``groups.publication_settings``), and records written in other apps.
"""

from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from at_protocol.failures import Malformed
from at_protocol.syntax.did import Did, parse_did
from groundwork.database.pages import last_key, run_in_pages
from groundwork.database.transaction import Database, Reader, Transaction
from groundwork.errors import InvalidInput, NotFound, Refused
from groundwork.outbox import jobs
from groundwork.outbox.delivery import JobHandler
from groundwork.outbox.jobs import JobState
from openmeet.domain.events import ownership
from openmeet.domain.events.model import EventId, RecordOrigin
from openmeet.domain.events.queries import lock_for_update
from openmeet.domain.identities import queries as identity_queries
from openmeet.domain.identities.model import Identity
from openmeet.domain.merge_decisions.queries import settle_outdated
from openmeet.domain.series import queries, save_series
from openmeet.domain.series.model import SeriesId
from openmeet.domain.series.reasons import SeriesReason
from openmeet.domain.series.record_fields import fields_of
from openmeet.domain.users.model import UserId
from openmeet.outbox import superseded_records
from openmeet.outbox.kinds import JobKind
from openmeet.outbox.publications import PublicationKind

# Records per transaction; each takes a few statements.
AT_A_TIME: Final = 50

# Records that are, or may be, published and that this person may move.
_PUBLISHED: Final = """
    select p.did, p.kind, p.subject_id
      from publications p join events e on p.kind = 'event' and e.id = p.subject_id
     where p.user_id = :user_id and p.uri is not null and p.is_withdrawn = 0 and p.state not in ('retracting', 'retracted')
       and e.author_id = :user_id and e.origin = 'here' and e.deleted_at is null and e.removed_at is null
    union all
    select p.did, p.kind, p.subject_id
      from publications p join event_series s on p.kind = 'series' and s.id = p.subject_id
     where p.user_id = :user_id and p.uri is not null and p.is_withdrawn = 0 and p.state not in ('retracting', 'retracted')
       and s.user_id = :user_id and s.is_read_only = 0 and s.deleted_at is null
"""
COUNT: Final = f"select did, kind, count(*) as n from ({_PUBLISHED}) as published group by did, kind order by did, kind"
NEXT: Final = f"""
    select subject_id from ({_PUBLISHED}) as published
     where kind = :kind and did = :did and subject_id > :after order by subject_id limit :limit
"""


@dataclass(frozen=True, slots=True)
class RecordCounts:
    """Number of records in one repository that this site wrote, and whether they are being moved."""

    identity: Identity
    events: int
    series: int
    is_moving: bool


@dataclass(frozen=True, slots=True)
class MovedRecords:
    """Number of records moved. ``after``: the last one looked at, or None at the end."""

    number: int
    after: str | None


@dataclass(frozen=True, slots=True)
class StartedMove:
    """Number of events and series moved at once, and of records that a job will move."""

    events: int
    series: int
    left: int


async def counts_by_repository(reader: Reader, user_id: UserId) -> list[RecordCounts]:
    """Number of records in each of a person's repositories, starting with the one for new records."""
    accounts = await identity_queries.writable_of_user(reader, user_id)
    rows = await reader.fetch(COUNT, user_id=user_id)
    counted = {(row["did"], PublicationKind(row["kind"])): int(row["n"]) for row in rows}
    record_counts: list[RecordCounts] = []
    for account in accounts:
        job = await jobs.find(reader, JobKind.MOVE_RECORDS, _subject(user_id, account.did))
        is_moving = job is not None and job.state in {JobState.DUE, JobState.LEASED}
        events, series = (
            counted.get((account.did, kind), 0) for kind in (PublicationKind.EVENT, PublicationKind.SERIES)
        )
        record_counts.append(RecordCounts(account, events, series, is_moving))
    return record_counts


def parse_account(text: str) -> Did:
    """Parse the DID of the account to move from. Raises InvalidInput."""
    try:
        return parse_did(text)
    except Malformed:
        raise InvalidInput("from", SeriesReason.ACCOUNT_NEEDED) from None


async def start_move(tx: Transaction, user_id: UserId, source: Did) -> StartedMove:
    """Move the first records and enqueue the rest. Raises the same errors as ``move_some``."""
    # Series first, because the records of their dates refer to the series' records.
    series = await move_some(tx, user_id, source, PublicationKind.SERIES)
    events = (
        MovedRecords(0, "") if series.after is not None else await move_some(tx, user_id, source, PublicationKind.EVENT)
    )
    if events.after is None:
        return StartedMove(events.number, series.number, 0)
    rows = await tx.fetch(COUNT, user_id=user_id)
    left = sum(int(row["n"]) for row in rows if row["did"] == source)
    if left:
        await jobs.enqueue_again(tx, JobKind.MOVE_RECORDS, [_subject(user_id, source)])
    return StartedMove(events.number, series.number, left)


def moving_handler(db: Database) -> JobHandler:
    """Return the handler of ``JobKind.MOVE_RECORDS``. Resumable: a repeated job moves what is left."""

    async def handle(job: jobs.Job) -> None:
        person, _, source = job.subject.partition(" ")
        user_id = UserId(person)
        for kind in (PublicationKind.SERIES, PublicationKind.EVENT):
            await run_in_pages(db, partial(_move_next, user_id=user_id, source=Did(source), kind=kind))

    return handle


async def _move_next(tx: Transaction, after: str, *, user_id: UserId, source: Did, kind: PublicationKind) -> str | None:
    if await _is_obsolete(tx, user_id, source):
        return None
    return (await move_some(tx, user_id, source, kind, after)).after


async def _is_obsolete(reader: Reader, user_id: UserId, source: Did) -> bool:
    """Whether the account has been disconnected since, or is again the account for new records."""
    dids = [one.did for one in await identity_queries.writable_of_user(reader, user_id)]
    return source not in dids or dids[0] == source


def _subject(user_id: UserId, source: Did) -> str:
    return f"{user_id} {source}"


async def move_some(
    tx: Transaction, user_id: UserId, source: Did, kind: PublicationKind, after: str = ""
) -> MovedRecords:
    """Move some records of a kind (events, series) to the repository for new records. Repeat with the returned
    ``after`` until it is None.

    Raises NotFound (not a repository of this person) and Refused (``AlreadyThere``).
    """
    target = await _target(tx, user_id, source)
    rows = await tx.fetch(NEXT, user_id=user_id, did=source, kind=kind.value, after=after, limit=AT_A_TIME)
    ids = [row["subject_id"] for row in rows]
    move_one = _move_event if kind is PublicationKind.EVENT else _move_series
    number = sum([await move_one(tx, user_id, target, one) for one in ids])
    return MovedRecords(number, last_key(ids, AT_A_TIME))


async def _target(tx: Transaction, user_id: UserId, source: Did) -> Did:
    accounts = await identity_queries.writable_of_user(tx, user_id)
    if source not in {one.did for one in accounts}:
        raise NotFound(SeriesReason.NOT_YOUR_ACCOUNT)
    if accounts[0].did == source:
        raise Refused(SeriesReason.ACCOUNT_FOR_NEW_RECORDS, name="AlreadyThere")
    return accounts[0].did


async def _move_event(tx: Transaction, user_id: UserId, target: Did, subject_id: str) -> bool:
    event = await lock_for_update(tx, EventId(subject_id))
    if event is None or event.is_gone or event.author_id != user_id or event.origin is not RecordOrigin.HERE:
        return False
    await ownership.move_records(tx, [event], to=target)
    return True


async def _move_series(tx: Transaction, user_id: UserId, target: Did, subject_id: str) -> bool:
    series = await queries.lock(tx, SeriesId(subject_id))
    if series is None or series.deleted_at is not None or series.owner_id != user_id:
        return False
    await ownership.leave_record(tx, PublicationKind.SERIES, series.id, user_id, series.revision + 1)
    former = await superseded_records.of_subject(tx, PublicationKind.SERIES, series.id)
    uri = await ownership.return_to(tx, PublicationKind.SERIES, series.id, former, user_id, did=target)
    if uri is not None:
        await settle_outdated(tx, uri, partial(getattr, fields_of(series.content, series.timing)))
    await save_series.save(tx, replace(series, changed_by=user_id))
    return True
