"""Status of the synchronization, read live from the databases and the queue."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from groundwork.clock import SECOND, Instant
from groundwork.database.transaction import Database, Reader
from groundwork.errors import Unavailable
from groundwork.outbox import jobs
from groundwork.queue.contract import Queue, QueueDepth
from groundwork.telemetry.health import Check
from openmeet.domain.merge_decisions import queries as merge_decisions
from openmeet.domain.moderation import labels
from openmeet.domain.moderation.labels import Labeler
from openmeet.network.firehose import cursors, unresolved
from openmeet.network.firehose.cursors import SourceState
from openmeet.network.ingestion import discrepancies, quarantine
from openmeet.network.ingestion.apply_event import IngestionContext
from openmeet.network.problems import FailingServer, failing_servers
from openmeet.network.records import seen
from openmeet.outbox import publication_status


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
    """``late_since``: when the oldest thing came that is not read yet; None if nothing is late.

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
    reason: str
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
class SyncStatus:
    """Status of both directions.

    ``rejected``: frames kept for inspection. ``unresolved``: repositories to read once their identity resolves.
    ``discrepancies``: found but not repaired by reconciling, by kind. ``put_aside``: quarantined records. ``queue``:
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
    put_aside: int

    def heard_at(self, source: SourceStatus) -> Instant:
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
            records={kind.value: number for kind, number in (await seen.counts(reader)).items()},
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
                for (kind, is_repaired), number in (await discrepancies.counts(reader)).items()
                if not is_repaired
            },
            put_aside=await quarantine.count(reader),
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
