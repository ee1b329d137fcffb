"""Queries for the operators' pages. Each is cheap enough to run for every page view, except a scan of all blobs, which
runs at most once a minute (``CachedBlobTotals``).
"""

import asyncio
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from at_protocol.syntax.did import Did
from at_protocol.syntax.handle import Handle
from aurora_locus.accounts.registry import Registry
from aurora_locus.moderation import reports
from aurora_locus.moderation.reports import ReportState
from aurora_locus.repository.model import HostingStatus
from aurora_locus.sequencer import queries as sequence
from groundwork.clock import DAY, HOUR, MINUTE, Instant
from groundwork.database.expressions import escape_like
from groundwork.database.transaction import Reader
from groundwork.outbox import jobs
from groundwork.outbox.jobs import JobState

_ACCOUNTS = """
    select r.status, count(*) as n from accounts a join repositories r on r.did = a.did group by r.status
"""
_NEW_ACCOUNTS = "select count(*) from accounts where created_at > :since"
_BLOBS = """
    select count(*) as n, cast(coalesce(sum(size), 0) as bigint) as bytes,
           cast(coalesce(sum(case when state = 'temporary' then 1 else 0 end), 0) as bigint) as temporary,
           cast(coalesce(sum(case when takedown_ref is not null then 1 else 0 end), 0) as bigint) as taken_down
      from blobs
"""
_LARGEST = """
    select b.did, a.handle, count(*) as n, cast(sum(b.size) as bigint) as bytes, max(q.max_bytes) as quota
      from blobs b left join accounts a on a.did = b.did left join blob_quotas q on q.did = b.did
     group by b.did, a.handle
     order by 4 desc, b.did
     limit :limit
"""
# How long the totals of all blobs are cached.
TOTALS_CACHED_FOR = MINUTE
LARGEST = 25
# Share of the disk above which an operator should act.
_FULL = 0.9

_IDENTITIES = "select count(*) from plc_operations where state in ('intended', 'ending')"
_LAST_BACKUP = "select max(ended_at) from backups where state = 'done'"
_SEARCH = """
    select a.did, a.handle, a.email, r.status, a.created_at
      from accounts a join repositories r on r.did = a.did
     where a.handle > :after and {clauses}
     order by a.handle
     limit :limit
"""
_MATCHES = "(a.handle like :part escape '!' or coalesce(a.email, '') like :part escape '!' or a.did = :whole)"
_HELD = {
    "sessions": "select count(*) from sessions where did = :did and next_id is null and expires_at > :now",
    "app_passwords": "select count(*) from app_passwords where did = :did",
    "records": "select count(*) from records where did = :did",
    "hidden_records": "select count(*) from record_takedowns where did = :did",
    "blobs": "select count(*) from blobs where did = :did",
    "blob_bytes": "select cast(coalesce(sum(size), 0) as bigint) from blobs where did = :did",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobTotals:
    """Totals of all blobs, and the accounts that use the most space: ``did``, ``handle``, ``n``, ``bytes`` and
    ``quota`` (or None).
    """

    counted_at: Instant
    number: int
    bytes: int
    temporary: int
    taken_down: int
    largest: list[dict[str, Any]]


class CachedBlobTotals:
    """Cached totals of all blobs. One per server."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._cached: BlobTotals | None = None
        self._counting = asyncio.Lock()

    async def read(self, *, fresh: bool = False) -> BlobTotals:
        """Return totals that are at most a minute old. With ``fresh``, count again, after an action that changed them."""
        async with self._counting:
            cached, now = self._cached, self._registry.clock.now()
            if cached is None or fresh or not cached.counted_at <= now < cached.counted_at + TOTALS_CACHED_FOR:
                cached = self._cached = await self._count(now)
            return cached

    async def _count(self, now: Instant) -> BlobTotals:
        async with self._registry.db.reader() as reader:
            row = await reader.fetch_one(_BLOBS)
            largest = await reader.fetch(_LARGEST, limit=LARGEST)
        if row is None:
            raise LookupError("a count has a row")
        return BlobTotals(
            counted_at=now,
            number=int(row["n"]),
            bytes=int(row["bytes"]),
            temporary=int(row["temporary"]),
            taken_down=int(row["taken_down"]),
            largest=[
                {
                    "did": one["did"],
                    "handle": one["handle"],
                    "n": int(one["n"]),
                    "bytes": int(one["bytes"]),
                    "quota": None if one["quota"] is None else int(one["quota"]),
                }
                for one in largest
            ],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Dashboard:
    """What the operator's start page shows. ``hours`` has the number of events in each of the last 24 hours, oldest
    first. ``emails_since`` is when the oldest unsent job was due. ``disk`` has the used and the total bytes of the
    disk where this server keeps its files.
    """

    accounts: dict[str, int]
    new_accounts: int
    hours: list[int]
    head: int
    reports: dict[ReportState, tuple[int, Instant]]
    blobs: int
    blob_bytes: int
    emails_waiting: int
    emails_failed: int
    emails_since: Instant | None
    identities_waiting: int
    last_backup_at: Instant | None
    disk: tuple[int, int]

    @property
    def events_of_a_day(self) -> int:
        return sum(self.hours)

    @property
    def oldest_report_at(self) -> Instant | None:
        return min((at for state, (_, at) in self.reports.items() if state is not ReportState.RESOLVED), default=None)

    @property
    def disk_is_full(self) -> bool:
        used, size = self.disk
        return used > size * _FULL

    @property
    def unresolved(self) -> int:
        return sum(n for state, (n, _) in self.reports.items() if state is not ReportState.RESOLVED)


@dataclass(frozen=True, slots=True)
class AccountRow:
    """An account in a list."""

    did: Did
    handle: Handle
    email: str | None
    status: HostingStatus
    created_at: Instant


async def dashboard(registry: Registry, blobs: BlobTotals, folder: Path) -> Dashboard:
    """Collect everything for the first page. ``folder`` is where files are kept."""
    now = registry.clock.now()
    # The extra microsecond puts an event that happens now into the last of 24 hours, not into a 25th.
    a_day_ago = Instant(now - DAY + 1)
    position = await sequence.position_at(registry.db, a_day_ago)
    counted = await sequence.counts_by_span(registry.db, position, a_day_ago, HOUR)
    room = disk_of(folder)
    async with registry.db.reader() as reader:
        accounts = {row["status"]: int(row["n"]) for row in await reader.fetch(_ACCOUNTS)}
        waiting = await jobs.counts(reader)
        backup = await reader.fetch_one(_LAST_BACKUP)
        return Dashboard(
            accounts=accounts,
            new_accounts=await _number(reader, _NEW_ACCOUNTS, since=now - DAY),
            hours=[counted.get(hour, 0) for hour in range(24)],
            head=await sequence.last_number(registry.db),
            reports=await reports.counts(reader),
            blobs=blobs.number,
            blob_bytes=blobs.bytes,
            emails_waiting=sum(n for _, state, n, _ in waiting if state is not JobState.FAILED),
            emails_failed=sum(n for _, state, n, _ in waiting if state is JobState.FAILED),
            emails_since=min(
                (due for _, state, _, due in waiting if state is not JobState.FAILED and due <= now), default=None
            ),
            identities_waiting=await _number(reader, _IDENTITIES),
            last_backup_at=None if backup is None or backup[0] is None else Instant(backup[0]),
            disk=room,
        )


def disk_of(folder: Path) -> tuple[int, int]:
    """Return the used and the total bytes of the disk that holds the folder. The folder itself does not have to exist,
    because a server may keep its files in a bucket.
    """
    room = shutil.disk_usage(next(each for each in (folder, *folder.absolute().parents) if each.exists()))
    return room.total - room.free, room.total


async def search_accounts(reader: Reader, text: str, status: str, *, after: str, limit: int) -> list[AccountRow]:
    """Return accounts by handle, from after the handle ``after``: those whose handle or address contains this text, or
    whose DID equals it, optionally only those with one status.
    """
    if not text.isprintable() or not after.isprintable() or not status.isprintable():
        return []
    clauses, values = ["1 = 1"], {}
    if text:
        clauses.append(_MATCHES)
        values = {"part": f"%{escape_like(text.lower().removeprefix('@'))}%", "whole": text}
    if status:
        clauses.append("r.status = :status")
        values["status"] = status
    rows = await reader.fetch(_SEARCH.format(clauses=" and ".join(clauses)), after=after, limit=limit, **values)
    return [
        AccountRow(
            Did(row["did"]),
            Handle(row["handle"]),
            row["email"],
            HostingStatus(row["status"]),
            Instant(row["created_at"]),
        )
        for row in rows
    ]


async def account_counts(reader: Reader, did: Did) -> dict[str, int]:
    """Count an account's data on this server."""
    counts = {}
    for name, sql in _HELD.items():
        parameters = {"now": reader.now} if ":now" in sql else {}
        counts[name] = await _number(reader, sql, did=did, **parameters)
    return counts


async def _number(reader: Reader, sql: str, **values: object) -> int:
    row = await reader.fetch_one(sql, **values)
    return 0 if row is None else int(row[0])
