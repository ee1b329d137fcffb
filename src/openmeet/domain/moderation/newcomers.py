"""Unknown remote authors: when each was first seen, on which host, and how many events arrived recently. SQL.

Every query uses an index: each author is one row, and counts per host stop at the limit.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from groundwork.clock import HOUR, Instant
from groundwork.database.transaction import Reader, Row, Transaction
from openmeet.domain.moderation.model import SubjectVisibility

# The period over which rates are measured.
WINDOW = HOUR

# Decisions about an author that end with their account.
_FORGOTTEN = (SubjectVisibility.ARRIVAL.value, SubjectVisibility.BURST.value, SubjectVisibility.TRUSTED.value)


@dataclass(frozen=True, slots=True)
class Newcomer:
    """An unknown author with new events.

    ``counted``: number of events within the last ``WINDOW``, including the new ones. ``is_new``: the author is seen for
    the first time.
    """

    did: str
    host: str
    first_seen_at: Instant
    counted: int
    is_new: bool


@dataclass(frozen=True, slots=True)
class EventCount:
    """Number of events of one DID in one batch. ``host`` is a result of ``model.host_of``."""

    did: str
    host: str
    number: int


@dataclass(frozen=True, slots=True)
class WaitingNewcomer:
    """A newcomer who is held for some time. ``host`` is a result of ``model.host_of``, and empty until resolved."""

    did: str
    host: str
    first_seen_at: Instant
    counted: int


async def count_new_events(tx: Transaction, came: Sequence[EventCount]) -> list[Newcomer]:
    """Count events of these DIDs. Unknown authors become newcomers. Rows are written in order of DID to avoid
    deadlocks.
    """
    ordered = sorted(came, key=lambda one: one.did)
    fresh = {one.did for one in ordered} - set(await _seen(tx, [one.did for one in ordered]))
    await tx.execute_many(
        """
        insert into remote_authors (did, host, first_seen_at, counted, counted_from)
        values (:did, :host, :now, :number, :now)
            on conflict (did) do update
           set counted = case when remote_authors.counted_from > :since then remote_authors.counted else 0 end +
               excluded.counted,
               counted_from = case when remote_authors.counted_from > :since then remote_authors.counted_from
                   else :now end
        """,
        [
            {"did": one.did, "host": one.host, "number": one.number, "now": tx.now, "since": Instant(tx.now - WINDOW)}
            for one in ordered
        ],
    )
    await _meet_hosts(tx, sorted({one.host for one in ordered if one.did in fresh}))
    already_seen = await _seen(tx, [one.did for one in ordered])
    return [
        Newcomer(one.did, row["host"], row["first_seen_at"], int(row["counted"]), one.did in fresh)
        for one in ordered
        if (row := already_seen.get(one.did)) is not None
    ]


async def _seen(reader: Reader, dids: Sequence[str]) -> dict[str, Row]:
    if not dids:
        return {}
    rows = await reader.fetch(
        "select did, host, first_seen_at, counted from remote_authors where did in :dids order by did", dids=list(dids)
    )
    return {row["did"]: row for row in rows}


async def count_recent_events(reader: Reader, did: str) -> int:
    """Number of events of this author within their latest ``WINDOW``."""
    row = await reader.fetch_one("select counted from remote_authors where did = :did", did=did)
    return 0 if row is None else int(row["counted"])


async def note_host(tx: Transaction, did: str, host: str) -> bool:
    """Store the host from the author's DID document. False if the author is not a newcomer."""
    updated = await tx.execute("update remote_authors set host = :host where did = :did", did=did, host=host)
    if updated:
        await _meet_hosts(tx, [host])
    return updated == 1


async def _meet_hosts(tx: Transaction, hosts: Sequence[str]) -> None:
    await tx.execute_many(
        "insert into remote_hosts (host, first_seen_at) values (:host, :now) on conflict (host) do nothing",
        [{"host": host, "now": tx.now} for host in hosts],
    )


async def due(reader: Reader, waiting_since: Instant, limit: int) -> list[WaitingNewcomer]:
    """Newcomers whose holding time is over, oldest first. If their host is still unknown, they are held for at least an
    hour.
    """
    rows = await reader.fetch(
        """
        select n.did, n.host, n.first_seen_at, n.counted
          from moderation_states w join remote_authors n on n.did = w.subject
         where w.state = 'arrival' and w.since <= :waiting_since and (n.host <> '' or w.since <= :at_last)
             order by w.since, w.subject limit :limit
        """,
        waiting_since=waiting_since,
        at_last=min(waiting_since, Instant(reader.now - WINDOW)),
        limit=limit,
    )
    return [WaitingNewcomer(row["did"], row["host"], row["first_seen_at"], int(row["counted"])) for row in rows]


async def met_around(reader: Reader, host: str, at: Instant, limit: int) -> tuple[int, int]:
    """Authors of a host who were first seen within ``WINDOW`` of a time, and their events. Counts at most ``limit``
    authors.
    """
    row = await reader.fetch_one(
        """
        select count(*) as authors, coalesce(sum(counted), 0) as events from (
          select counted from remote_authors where host = :host and first_seen_at between :since and :until limit :limit
        ) met
        """,
        host=host,
        since=Instant(at - WINDOW),
        until=Instant(at + WINDOW),
        limit=limit,
    )
    return (int(row["authors"]), int(row["events"])) if row else (0, 0)


async def new_hosts_around(reader: Reader, host: str, at: Instant, limit: int) -> int:
    """Number of hosts first seen within ``WINDOW`` of a time if this host is one of them, otherwise 0. Counts at most
    ``limit``.
    """
    around = "first_seen_at between :since and :until"
    row = await reader.fetch_one(
        f"select count(*) as hosts from (select 1 from remote_hosts where {around} limit :limit) met"
        f" where exists (select 1 from remote_hosts where host = :host and {around})",
        host=host,
        since=Instant(at - WINDOW),
        until=Instant(at + WINDOW),
        limit=limit,
    )
    return int(row["hosts"]) if row else 0


async def forget(tx: Transaction, did: str) -> None:
    """Forget an author whose account was deleted. A moderator's block of the DID stays."""
    await tx.execute("delete from remote_authors where did = :did", did=did)
    await tx.execute(
        "delete from moderation_states where subject = :did and state in :states", did=did, states=_FORGOTTEN
    )
