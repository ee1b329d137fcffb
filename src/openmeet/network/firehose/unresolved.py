"""Repositories to read later, because their author's key could not be resolved when their frames arrived.

One row per DID in ``unresolved_repositories``. While a DID has a row, its frames are dropped, so that they do not delay
others. A retry that can resolve the DID sends two hints to the processors (refresh the identity, read the repository)
and deletes the row. If the DID has been marked again meanwhile (``failed_at`` is later), the row stays, because frames
were dropped since. Each source has at most ``MAX_PER_SOURCE`` rows: a newer one evicts the oldest, and evictions are
counted.
"""

import asyncio
import contextlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

from at_network.did_resolver import DidResolver
from at_protocol.syntax.did import Did, parse_did
from groundwork.clock import DAY, HOUR, MINUTE, Clock, Instant
from groundwork.database.transaction import Database, Reader, Transaction
from groundwork.errors import (
    Explanation,
    InvalidInput,
    NotFound,
    RemoteFailed,
    RemoteSlow,
    Unavailable,
    encode_explanation,
    reason_of,
)
from groundwork.telemetry.logs import log
from openmeet.network.firehose.delivery import TenantQueues, deliver
from openmeet.network.firehose.metrics import FirehoseMetrics
from openmeet.network.firehose.tenant_interests import Interests
from openmeet.network.records.message import GapCause, Hint, HintKind

# An outage of the PLC directory produces fewer; a hostile stream must not produce more.
MAX_PER_SOURCE = 10_000
FIRST_RETRY = MINUTE
LONGEST_RETRY = 6 * HOUR
# The same retention as for rejected frames. A repository that stays unresolved is read when it writes again.
KEPT_FOR = 14 * DAY
RETRIED_AT_ONCE = 50
RETRY_SECONDS = 15.0

_LIST = "select did, source, failed_at from unresolved_repositories order by failed_at, did"

_PUT = """
    insert into unresolved_repositories (did, source, reason, attempts, failed_at, due_at)
    values (:did, :source, :reason, 0, :failed_at, :due_at)
        on conflict (did) do update
       set source = excluded.source, reason = excluded.reason, attempts = 0, failed_at = excluded.failed_at,
           due_at = excluded.due_at
     where excluded.failed_at > unresolved_repositories.failed_at
"""

_DUE = """
    select did, attempts, failed_at from unresolved_repositories
     where due_at <= :now order by due_at, did limit :limit
"""

_POSTPONE = """
    update unresolved_repositories set attempts = attempts + 1, due_at = :due_at, reason = :reason
     where did = :did and failed_at = :failed_at
"""

_EVICT = "delete from unresolved_repositories where did = :did"
_DELETE = "delete from unresolved_repositories where did = :did and failed_at = :failed_at"


@dataclass(frozen=True, slots=True)
class _NewRow:
    source: str
    reason: Explanation
    failed_at: Instant


@dataclass(frozen=True, slots=True)
class UnsavedRows:
    """What ``UnresolvedAuthors.save`` would store: new rows by DID, and the DIDs of evicted ones."""

    new: Mapping[str, _NewRow]
    evicted: frozenset[str]


@dataclass(slots=True)
class UnresolvedAuthors:
    """The rows in memory, shared by all streams of a process. Changes are stored together with the next cursor
    (``save``).
    """

    _sources: dict[str, str] = field(default_factory=dict)  # DID → source
    _failed_at: dict[str, int] = field(default_factory=dict)  # DID → when its frames were first dropped
    _of_source: dict[str, dict[str, None]] = field(default_factory=dict)  # source → its DIDs, oldest first
    _new: dict[str, _NewRow] = field(default_factory=dict)
    _evicted: set[str] = field(default_factory=set)
    _is_loaded: bool = False

    def __contains__(self, did: str) -> bool:
        return did in self._sources

    def __len__(self) -> int:
        return len(self._sources)

    @property
    def is_changed(self) -> bool:
        """Whether there are unsaved changes."""
        return bool(self._new or self._evicted)

    async def load(self, db: Database) -> None:
        """Read the stored rows, once per process."""
        if self._is_loaded:
            return
        self._is_loaded = True
        async with db.reader() as reader:
            for row in await reader.fetch(_LIST):
                self._put(row["did"], row["source"], row["failed_at"])

    def add(self, did: str, source: str, reason: Explanation, now: Instant) -> int:
        """Mark a repository to be read later; return how many others of this source were evicted."""
        if did in self._sources:
            return 0
        self._put(did, source, now)
        self._evicted.discard(did)
        self._new[did] = _NewRow(source, reason, now)
        forgotten = 0
        while len(self._of_source[source]) > MAX_PER_SOURCE:
            oldest = next(iter(self._of_source[source]))
            self._drop(oldest)
            if self._new.pop(oldest, None) is None:
                self._evicted.add(oldest)
            forgotten += 1
        return forgotten

    def keep_only(self, stored: Collection[str]) -> None:
        """Drop rows that another process has deleted because the account was erased."""
        for did in [did for did in self._sources if did not in stored and did not in self._new]:
            self._drop(did)

    def discard(self, did: str, failed_at: int) -> None:
        """Drop the row of a DID, so that its frames are processed again. A row with another ``failed_at`` stays."""
        if self._failed_at.get(did) == failed_at:
            self._drop(did)

    def _drop(self, did: str) -> None:
        del self._failed_at[did]
        del self._of_source[self._sources.pop(did)][did]

    async def save(self, tx: Transaction) -> None:
        """Store the changes; call ``saved`` after the commit."""
        for did in sorted(self._evicted):
            await tx.execute(_EVICT, did=did)
        for did, row in sorted(self._new.items()):
            due_at = row.failed_at + FIRST_RETRY
            await tx.execute(
                _PUT,
                did=did,
                source=row.source,
                reason=encode_explanation(row.reason),
                failed_at=row.failed_at,
                due_at=due_at,
            )

    def snapshot(self) -> UnsavedRows:
        """Return what ``save`` would store now."""
        return UnsavedRows(dict(self._new), frozenset(self._evicted))

    def saved(self, stored: UnsavedRows) -> None:
        """Note that ``stored`` is committed. Changes made in the meantime are stored with the next cursor."""
        for did, row in stored.new.items():
            if self._new.get(did) is row:
                del self._new[did]
        self._evicted -= stored.evicted

    def _put(self, did: str, source: str, failed_at: int) -> None:
        self._sources[did] = source
        self._failed_at[did] = failed_at
        self._of_source.setdefault(source, {})[did] = None


async def count(reader: Reader) -> int:
    """Return how many repositories wait until the key of their author can be resolved."""
    row = await reader.fetch_one("select count(*) as n from unresolved_repositories")
    return 0 if row is None else int(row["n"])


@dataclass(frozen=True, slots=True)
class RetryContext:
    """Dependencies of retrying unresolved identities."""

    db: Database
    clock: Clock
    dids: DidResolver
    interests: Interests
    tenant_queues: TenantQueues
    metrics: FirehoseMetrics
    unresolved: UnresolvedAuthors


async def retry(context: RetryContext, stop: asyncio.Event) -> None:
    """Retry due DIDs every few seconds until ``stop`` is set."""
    while not stop.is_set():
        try:
            while await retry_due(context) == RETRIED_AT_ONCE and not stop.is_set():
                pass
        except Unavailable as away:
            log.warning("unresolved.retry_waits", reason=away.why)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(RETRY_SECONDS):
                await stop.wait()


async def retry_due(context: RetryContext) -> int:
    """Try to resolve due DIDs, a bounded number concurrently; return how many were tried. Raises Unavailable if the
    database is unreachable.
    """
    now = context.clock.now()
    async with context.db.reader() as reader:
        due = await _due(reader, now)
        stored = {row["did"] for row in await reader.fetch(_LIST)}
    context.unresolved.keep_only(stored)
    resolutions = await asyncio.gather(*(_resolve(context, row.did) for row in due))
    # In the order in which ``save`` locks the rows.
    tried = sorted(zip(due, resolutions, strict=True), key=lambda one: one[0].did)
    resolved = [row for row, resolution in tried if resolution.outcome is ResolutionOutcome.RESOLVED]
    # Before the repository is read, so that no commit falls in between. If this fails, the stored row is due again.
    for row in resolved:
        context.unresolved.discard(row.did, row.failed_at)
    if resolved:
        await deliver(context.tenant_queues, context.interests, _hints([row.did for row in resolved], now))
    forgotten = []
    async with context.db.transaction() as tx:
        for row, resolution in tried:
            if resolution.outcome is ResolutionOutcome.UNREACHABLE and row.failed_at > now - KEPT_FOR:
                wait = min(FIRST_RETRY * 2 ** min(row.attempts + 1, 20), LONGEST_RETRY)
                reason = encode_explanation(resolution.reason)
                await tx.execute(_POSTPONE, did=row.did, failed_at=row.failed_at, due_at=now + wait, reason=reason)
            elif await tx.execute(_DELETE, did=row.did, failed_at=row.failed_at) and row not in resolved:
                forgotten.append(row)
    for row in forgotten:
        context.unresolved.discard(row.did, row.failed_at)
    context.metrics.repositories_forgotten.inc(len(forgotten))
    context.metrics.repositories_unresolved.set(len(context.unresolved))
    if resolved:
        log.info("unresolved.read_now", repositories=len(resolved))
    return len(due)


class ResolutionOutcome(Enum):
    """The outcome of resolving a DID."""

    RESOLVED = auto()
    UNKNOWN = auto()  # there is no such identity
    UNREACHABLE = auto()  # the directory or the DID's host did not answer


@dataclass(frozen=True, slots=True)
class Resolution:
    """An attempt to resolve a DID, and why it failed."""

    outcome: ResolutionOutcome
    reason: Explanation | None = None


@dataclass(frozen=True, slots=True)
class _DueRow:
    did: Did
    attempts: int
    failed_at: int


async def _due(reader: Reader, now: Instant) -> list[_DueRow]:
    rows = await reader.fetch(_DUE, now=now, limit=RETRIED_AT_ONCE)
    return [_DueRow(parse_did(row["did"]), row["attempts"], row["failed_at"]) for row in rows]


async def _resolve(context: RetryContext, did: Did) -> Resolution:
    try:
        await context.dids.resolve(did)
    except (NotFound, InvalidInput):
        return Resolution(ResolutionOutcome.UNKNOWN)
    except (RemoteFailed, RemoteSlow, Unavailable) as away:
        return Resolution(ResolutionOutcome.UNREACHABLE, reason_of(away))
    return Resolution(ResolutionOutcome.RESOLVED)


def _hints(dids: Sequence[Did], now: Instant) -> list[Hint]:
    """Return the hints for a resolved DID. The dropped frames are unknown and may have included account events."""
    cause = GapCause.UNRESOLVED_IDENTITY.value
    return [Hint(did, kind, cause, int(now)) for did in dids for kind in (HintKind.IDENTITY, HintKind.REPOSITORY)]
