"""Count pending RSVPs: those to an event that is now here, or of a person who gained access to events. RSVPs that fail
are quarantined.
"""

from functools import partial
from typing import Final

from groundwork.database.transaction import Database, Transaction
from groundwork.outbox.delivery import JobHandler
from groundwork.outbox.jobs import Job
from groundwork.telemetry.logs import log
from openmeet.domain.attendance import reevaluation
from openmeet.domain.events import by_record
from openmeet.domain.users.model import UserId
from openmeet.network.ingestion import pending, quarantine
from openmeet.network.ingestion.quarantine import FailedStep, RecordFailure, is_of_record
from openmeet.network.ingestion.retry import MOST_QUARANTINED
from openmeet.network.records import seen
from openmeet.network.records.links import current_subject
from openmeet.network.records.seen import SeenRecord

# Pending RSVPs are limited per author (``records.seen``), so there are few. Missing events are fetched by other jobs.
_PENDING_HERE: Final = """
    select distinct r.subject_uri as uri from records r
      join identities i on i.did = r.did
     where i.user_id = :user_id and r.standing = 'parked'
       and (exists (select 1 from events e where e.record_uri = r.subject_uri)
            or exists (select 1 from superseded_records f where f.uri = r.subject_uri and f.kind = 'event'))
     order by r.subject_uri
"""


def pending_handler(db: Database) -> JobHandler:
    """Return the handler of ``JobKind.WAITING_ANSWERS``, which rechecks the pending RSVPs of the person who is its
    subject.
    """

    async def handle(job: Job) -> None:
        await recheck(db, UserId(job.subject))

    return handle


async def recheck(db: Database, user_id: UserId) -> None:
    """Recheck a person's pending RSVPs. Uses one transaction per event, because others may wait for the lock on it."""
    async with db.reader() as reader:
        rows = await reader.fetch(_PENDING_HERE, user_id=user_id)
    for row in rows:
        await count_waiting(db, row["uri"])
    async with db.transaction() as tx:
        await reevaluation.reevaluate_foreign(tx, user_id)


async def count_waiting(db: Database, uri: str) -> bool:
    """Count the pending RSVPs of an event if the event is already here; no network call is needed then. Returns whether
    it is here.

    If they fail together because of one of them, they are counted individually, and those that fail are quarantined.
    Raises the last error if so many fail that individual RSVPs cannot be the cause.
    """
    try:
        return await db.batch(partial(_count, uri, None))
    except Exception as together:
        if not is_of_record(together):
            raise
    async with db.transaction() as tx:
        current = await current_subject(tx, uri)
        waiting: dict[str, list[SeenRecord]] = {}
        for one in await seen.parked_for(tx, sorted({current, uri})):
            waiting.setdefault(one.did, []).append(one)
    failed: list[RecordFailure] = []
    for did, answers in waiting.items():
        try:
            await db.batch(partial(_count, uri, did))
        except Exception as failure:
            if not is_of_record(failure):
                raise
            failed += [RecordFailure(one.uri, one.rev, failure, one.cid) for one in answers]
            log.error("answer.put_aside", uri=answers[-1].uri, reason=failed[-1].reason)
        if len(failed) > MOST_QUARANTINED:
            raise failed[-1].failure
    async with db.transaction() as tx:
        await quarantine.add(tx, FailedStep.COUNT, failed)
    return True


async def _count(uri: str, only: str | None, tx: Transaction) -> bool:
    current = await current_subject(tx, uri)
    event_id = await by_record.id_with(tx, current)
    if event_id is not None:
        await seen.move_answers(tx, [uri], current)
        await pending.apply_pending(tx, {current: event_id}, only=only)
    return event_id is not None
