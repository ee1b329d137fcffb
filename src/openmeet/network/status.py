"""Status of the synchronization, read live from the databases and the queue; and problems that need an operator: failing
servers, conflicting records, dead letters.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from at_network import circuits as circuit_breakers
from at_protocol.data import cbor, json_form
from at_protocol.failures import Malformed
from groundwork.clock import SECOND, Instant
from groundwork.database.transaction import Database, Reader
from groundwork.errors import Explanation, NotFound, Unavailable, decode_explanation
from groundwork.outbox import jobs
from groundwork.queue.contract import DeadLetter, Queue, QueueDepth
from groundwork.telemetry.health import Check
from openmeet.domain.merge_decisions import queries as merge_decisions
from openmeet.domain.merge_decisions.queries import OPEN
from openmeet.domain.moderation import labels
from openmeet.domain.moderation.labels import Labeler
from openmeet.network.firehose import cursors, unresolved
from openmeet.network.firehose.cursors import SourceState
from openmeet.network.ingestion import dead_letters, discrepancies, quarantine
from openmeet.network.ingestion.context import IngestionContext
from openmeet.network.ingestion.dead_letters import DeadLetterView
from openmeet.network.ingestion.reasons import IngestionReason
from openmeet.network.records import seen
from openmeet.network.records.message import RecordMessage, decode
from openmeet.network.repositories import circuits
from openmeet.outbox import publication_status
from openmeet.outbox.due_publications import SERVER

# For the operators’ pages, which do not import ``at_network``.
CircuitState = circuit_breakers.CircuitState

SHOWN = 50
_PAGE = 500

# Publications that wait for a failing server.
FAILING = f"""
    select pds_url, count(*) as n, max(attempts) as attempts, min(due_at) as next_at, max(reason) as reason
      from (select {SERVER} as pds_url, attempts, due_at, reason from publications where state = 'retrying') as failing
     where pds_url <> ''
     group by pds_url order by count(*) desc, pds_url limit :limit
"""

OPEN_CONFLICTS = f"""
    select c.uri, c.field, c.policy, c.result, c.decided_at, e.slug, e.title
      from merge_decisions c left join events e on e.record_uri = c.uri and e.visibility = 'public'
          and e.deleted_at is null
     where {OPEN} order by c.decided_at desc, c.uri, c.field limit :limit
"""


@dataclass(frozen=True, slots=True)
class SyncDependencies:
    """Dependencies of the pages and commands that show and control synchronization, provided by ``programs/``.

    ``others``: checks whether the databases of other communities respond, if this community's operators may see that.
    """

    installation: Database
    queue: Queue
    ingestion_context: IngestionContext
    others: Mapping[str, Check] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ReadingDelay:
    """``late_since``: arrival of the oldest message that has not been applied, or of the last message of a source that
    fails, whichever is earlier; None if nothing is late.

    ``is_broker_away``: the broker does not respond, so nothing is read, and what waits there is unknown.
    """

    late_since: Instant | None
    is_broker_away: bool


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """State of one source. ``quiet_seconds``: seconds since its cursor last moved past confirmed messages; None if it
    never did.
    """

    url: str
    state: SourceState
    reason: Explanation | None
    cursor: int | None
    quiet_seconds: float | None


@dataclass(frozen=True, slots=True)
class JobCount:
    """Number of jobs of one kind and state. ``oldest_at``: when the first of them was due."""

    kind: str
    state: str
    number: int
    oldest_at: Instant


@dataclass(frozen=True, slots=True)
class FailingServer:
    """A PDS that fails or that records are waiting for. ``next_at`` is the earliest retry among its records.

    ``circuit``: whether the server is called at all. While the circuit breaker is open, ``next_at`` is the time of the
    next trial call.
    """

    pds_url: str
    records: int
    attempts: int
    next_at: Instant
    reason: Explanation | None
    circuit: CircuitState


@dataclass(frozen=True, slots=True)
class OpenConflict:
    """A field that was changed here and in another app at the same time. A host can reverse the merge decision, but
    none has reviewed it.

    ``slug`` and ``title`` belong to the event, if it is public.
    """

    uri: str
    field: str
    policy: str
    result: str
    decided_at: Instant
    slug: str | None
    title: str | None


@dataclass(frozen=True, slots=True)
class OpenedDeadLetter:
    """A dead letter with its content: the record as JSON, or the first bytes if it cannot be decoded."""

    letter: DeadLetterView
    content: str


@dataclass(frozen=True, slots=True)
class SyncStatus:
    """Status of both directions.

    ``rejected``: frames kept for inspection. ``unresolved``: repositories to read once their identity resolves.
    ``discrepancies``: found but not repaired by reconciling, by kind. ``quarantined``: number of records. ``queue``:
    None while the broker does not respond, because operators look here in that case.
    """

    now: Instant
    sources: Sequence[SourceStatus]
    labelers: Sequence[Labeler]
    rejected: int
    unresolved: int
    queue: QueueDepth | None
    records: dict[str, int]
    publications: Sequence[JobCount]
    jobs: Sequence[JobCount]
    open_conflicts: int
    failing_servers: Sequence[FailingServer]
    discrepancies: dict[str, int]
    quarantined: int

    def last_received_at(self, source: SourceStatus) -> Instant:
        """Return when a message of a source was last delivered; now if there was none."""
        return Instant(self.now - round((source.quiet_seconds or 0.0) * SECOND))

    @property
    def queue_age_seconds(self) -> float:
        """Age of the oldest message in seconds; 0 if there is none or it is unknown."""
        return (
            0.0
            if self.queue is None or self.queue.oldest_at is None
            else max(0.0, (self.now - self.queue.oldest_at) / SECOND)
        )


async def sync_status(db: Database, sync_dependencies: SyncDependencies) -> SyncStatus:
    """Read the current status of both directions. Raises Unavailable if a database does not respond."""
    depth = await _depth(sync_dependencies)
    async with sync_dependencies.installation.reader() as reader:
        sources = await _sources(reader)
        rejected = await cursors.count_rejected(reader)
        waiting = await unresolved.count(reader)
    async with db.reader() as reader:
        return SyncStatus(
            now=reader.now,
            sources=sources,
            labelers=await labels.labelers(reader),
            rejected=rejected,
            unresolved=waiting,
            queue=depth,
            records={kind.value: number for kind, number in (await seen.count_by_state(reader)).items()},
            publications=[
                JobCount(kind.value, state.value, number, oldest)
                for kind, state, number, oldest in await publication_status.counts(reader)
            ],
            jobs=[
                JobCount(kind, state.value, number, oldest) for kind, state, number, oldest in await jobs.counts(reader)
            ],
            open_conflicts=await merge_decisions.count_open(reader),
            failing_servers=await failing_servers(reader),
            discrepancies={
                kind.value: number
                for (kind, is_repaired), number in (await discrepancies.count_by_kind(reader)).items()
                if not is_repaired
            },
            quarantined=await quarantine.count(reader),
        )


async def reading_delay(sync_dependencies: SyncDependencies, late_after: int) -> ReadingDelay:
    """Return whether and since when reading from other servers has been late. ``late_after``: in microseconds.

    A source that fails or has stopped, and a waiting message count as late. A followed source that sends nothing is on
    time, because nobody may have written anything.
    """
    depth = await _depth(sync_dependencies)
    async with sync_dependencies.installation.reader() as reader:
        failing = [one for one in await cursors.sources(reader) if one.state is not SourceState.FOLLOWING]
        now = reader.now
    waiting = [one.seen_at or one.changed_at for one in failing]
    if depth is not None and depth.oldest_at is not None:
        waiting.append(depth.oldest_at)
    late_since = min((one for one in waiting if one < now - late_after), default=None)
    return ReadingDelay(late_since, is_broker_away=depth is None)


async def _depth(sync_dependencies: SyncDependencies) -> QueueDepth | None:
    try:
        return await sync_dependencies.queue.depth()
    except Unavailable:
        return None


async def _sources(reader: Reader) -> list[SourceStatus]:
    return [
        SourceStatus(
            one.url,
            one.state,
            one.reason,
            one.cursor,
            None if one.seen_at is None else max(0.0, (reader.now - one.seen_at) / SECOND),
        )
        for one in await cursors.sources(reader)
    ]


async def failing_servers(reader: Reader) -> list[FailingServer]:
    """Return servers by number of waiting records, highest first, followed by servers with an open circuit and no
    waiting records.
    """
    open_circuits = {one.service: one for one in await circuits.known(reader)}
    servers = []
    for row in await reader.fetch(FAILING, limit=SHOWN):
        circuit = open_circuits.pop(row["pds_url"].rstrip("/"), None)
        servers.append(
            FailingServer(
                row["pds_url"],
                row["n"],
                row["attempts"],
                Instant(row["next_at"]) if circuit is None else circuit.open_until or reader.now,
                decode_explanation(row["reason"]) if circuit is None else circuit.reason,
                CircuitState.CLOSED if circuit is None else circuit.state(reader.now),
            )
        )
    servers += [
        FailingServer(one.service, 0, one.failures, one.open_until or reader.now, one.reason, one.state(reader.now))
        for one in open_circuits.values()
    ]
    return servers[:SHOWN]


async def open_conflicts(reader: Reader) -> list[OpenConflict]:
    """Return conflicts that no host has reviewed, newest first."""
    return [
        OpenConflict(
            row["uri"],
            row["field"],
            row["policy"],
            row["result"],
            Instant(row["decided_at"]),
            row["slug"],
            row["title"],
        )
        for row in await reader.fetch(OPEN_CONFLICTS, limit=SHOWN)
    ]


async def open_dead_letter(queue: Queue, letter_id: str) -> OpenedDeadLetter:
    """Return a dead letter with its content. Raises NotFound if it was retried or discarded in the meantime."""
    after = ""
    while letters := await queue.dead_letters(_PAGE, after):
        letter = next((one for one in letters if one.letter_id == letter_id), None)
        if letter is not None:
            return OpenedDeadLetter(dead_letters.view_of(letter), _content(letter))
        after = letters[-1].letter_id
    raise NotFound(IngestionReason.NO_SUCH_MESSAGE)


async def dead_letters_of(queue: Queue, *, after: str = "") -> tuple[Sequence[DeadLetterView], str]:
    """Return one page of dead letters, and the start of the next page (empty on the last page)."""
    page = await dead_letters.page(queue, limit=SHOWN + 1, after=after)
    return page[:SHOWN], page[SHOWN - 1].letter_id if len(page) > SHOWN else ""


def _content(letter: DeadLetter) -> str:
    try:
        message = decode(letter.message.body)
        if isinstance(message, RecordMessage) and message.body is not None:
            return json.dumps(json_form.to_json(cbor.decode(message.body)), ensure_ascii=False, indent=2)
    except Malformed:
        return repr(letter.message.body[:500])
    return f"{message}"
