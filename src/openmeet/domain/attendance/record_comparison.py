"""Compare the RSVP records of an event with the repositories that they come from, when a host asks for it."""

from typing import Final

from groundwork.database.transaction import Database, Reader, Transaction
from groundwork.outbox import jobs
from groundwork.outbox.delivery import JobHandler
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.events.queries import by_id
from openmeet.outbox import publications
from openmeet.outbox.kinds import JobKind
from openmeet.outbox.publications import PublicationKind, PublicationState

# How many RSVPs, or records, one transaction reads.
BATCH_SIZE: Final = 500

# RSVP records received for the event, whether they are applied ('mapped') or await it ('awaits_event').
_RECEIVED_RECORDS: Final = """
    select r.did, r.uri from records r
     where r.subject_uri = :event_uri and r.uri <> r.subject_uri and r.state in ('mapped', 'awaits_event')
"""
# The number of received records and of the records of RSVPs given on this site, even if those were never received.
_COUNT: Final = f"""
    select count(*) as n from (
      select a.record_uri as uri from attendances a where a.event_id = :event_id and a.record_uri is not null
      union
      select b.uri from ({_RECEIVED_RECORDS}) as b
    ) as asked
"""
_COUNTS_BY_STATE: Final = """
    select coalesce(p.state, 'withheld') as state, count(*) as n
      from attendances a left join publications p on p.kind = 'rsvp' and p.subject_id = a.id
     where a.event_id = :event_id group by coalesce(p.state, 'withheld') order by 1
"""
_NEXT_RSVPS: Final = """
    select id, user_id, record_uri from attendances where event_id = :event_id and user_id > :after order by user_id
        limit :limit
"""
_NEXT_RECEIVED_RECORDS: Final = (
    f"{_RECEIVED_RECORDS} and (r.did, r.uri) > (:did, :uri) order by r.did, r.uri limit :limit"
)


async def request_comparison(tx: Transaction, event: Event) -> int:
    """Enqueue a check of every RSVP record of the event against its repository. Return how many.

    Only hosts may request this. It costs one read per record, rate limited per PDS
    (``network.ingestion.server_budgets``).
    """
    await jobs.enqueue_again(tx, JobKind.COMPARE_RSVPS, [event.id])
    row = await tx.fetch_one(_COUNT, event_id=event.id, event_uri=event.record_uri or "")
    return int(row["n"]) if row else 0


async def counts_by_state(reader: Reader, event_id: EventId) -> dict[PublicationState, int]:
    """Number of the event's RSVPs per publication state. Those that are not to be published count as ``WITHHELD``."""
    return {
        PublicationState(row["state"]): int(row["n"]) for row in await reader.fetch(_COUNTS_BY_STATE, event_id=event_id)
    }


def comparison_handler(db: Database) -> JobHandler:
    """Handler of ``JobKind.COMPARE_RSVPS``. The subject is the event. Each batch is one transaction and can safely be
    repeated.
    """

    async def handle(job: jobs.Job) -> None:
        async with db.reader() as reader:
            event = await by_id(reader, EventId(job.subject))
        if event is None or event.is_gone:
            return
        user_id: str | None = ""
        while user_id is not None:
            async with db.transaction() as tx:
                user_id = await _enqueue_checks_of_rsvps(tx, event, job.revision, user_id)
        after_key: tuple[str, str] | None = ("", "")
        while after_key is not None and event.record_uri is not None:
            async with db.transaction() as tx:
                after_key = await _enqueue_checks_of_received_records(tx, event.record_uri, job.revision, after_key)

    return handle


async def _enqueue_checks_of_rsvps(tx: Transaction, event: Event, revision: int, after: str) -> str | None:
    """Enqueue the checks of the next batch of RSVPs. Return the user id of the last one, or None at the end. The
    publisher checks consent.
    """
    rows = await tx.fetch(_NEXT_RSVPS, event_id=event.id, after=after, limit=BATCH_SIZE)
    await publications.make_due(tx, kind=PublicationKind.RSVP, subject_ids=[row["id"] for row in rows])
    await _enqueue_checks(tx, [row["record_uri"] for row in rows if row["record_uri"] is not None], revision)
    return rows[-1]["user_id"] if len(rows) == BATCH_SIZE else None


async def _enqueue_checks_of_received_records(
    tx: Transaction, event_uri: str, revision: int, after_key: tuple[str, str]
) -> tuple[str, str] | None:
    did, uri = after_key
    rows = await tx.fetch(_NEXT_RECEIVED_RECORDS, event_uri=event_uri, did=did, uri=uri, limit=BATCH_SIZE)
    await _enqueue_checks(tx, [row["uri"] for row in rows], revision)
    return (rows[-1]["did"], rows[-1]["uri"]) if len(rows) == BATCH_SIZE else None


async def _enqueue_checks(tx: Transaction, uris: list[str], revision: int) -> None:
    await jobs.enqueue_many(tx, JobKind.PROVE_RECORD, [(uri, revision, tx.now) for uri in uris])
