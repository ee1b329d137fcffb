"""In-flight writes: creates and updates whose outcome is unknown. They are stored before they are sent and deleted when
the response arrives.

A request without a response may take effect much later. As long as its key belongs to a publication, the write is
matched with that row when it comes back. A key that was abandoned, because its subject became private or was deleted,
belongs to no publication. A record that appears there later is recognised by this table and deleted again
(``publishing.late_writes``).

A *key* is here the URI of a record, under which another record may be written later.

An update names the version that it replaces, and fails once that version is gone. But an RSVP can return to exactly the
same bytes: going, interested, going. If an update of the first version takes effect after the third was written, it is
an outdated write of ours and not an edit in another app; the two CIDs together identify it. After a delete, a record
gets a new key, or bytes with another time. A late create may be followed by an update of the same record: whichever of
the two is found, it is ours.

A create that arrived but whose response was lost also stays here, because it is unknown which of several identical
creates it was.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from groundwork.clock import DAY, MINUTE, Instant
from groundwork.database.pages import delete_some
from groundwork.database.transaction import Reader, Transaction
from groundwork.outbox import jobs
from groundwork.outbox.jobs import Job
from openmeet.outbox.kinds import JobKind

# A request carries an access token and is refused after the token expires: two hours for password sessions on the
# reference PDS and on ours, less with OAuth. After this time no request of ours can take effect.
MAY_ARRIVE_FOR: Final = DAY
FIRST_CHECK_AFTER: Final = 5 * MINUTE

_STORE_CREATE = """
    insert into in_flight_creates (uri, cid, did, sends, last_sent_at) values (:uri, :cid, :did, 1, :now)
        on conflict (uri, cid) do update
       set sends = in_flight_creates.sends + 1, last_sent_at = excluded.last_sent_at
"""

_DELETE_CREATE_IF_SENT_ONCE = "delete from in_flight_creates where uri = :uri and cid = :cid and sends = 1"
_DECREMENT_CREATE_SENDS = "update in_flight_creates set sends = sends - 1 where uri = :uri and cid = :cid and sends > 1"

_STORE_UPDATE = """
    insert into in_flight_updates (uri, cid, replaced_cid, did, sends, last_sent_at)
    values (:uri, :cid, :replaced_cid, :did, 1, :now)
        on conflict (uri, cid, replaced_cid) do update
       set sends = in_flight_updates.sends + 1, last_sent_at = excluded.last_sent_at
"""

_UPDATE = "uri = :uri and cid = :cid and replaced_cid = :replaced_cid"
_DELETE_UPDATE_IF_SENT_ONCE = f"delete from in_flight_updates where {_UPDATE} and sends = 1"
_DECREMENT_UPDATE_SENDS = f"update in_flight_updates set sends = sends - 1 where {_UPDATE} and sends > 1"

# Under an abandoned key, an update can take effect only if a create can still arrive there first.
_BEHIND_A_CREATE = "exists (select 1 from in_flight_creates c where c.uri = u.uri)"
_AMONG = f"""
    select uri, cid from in_flight_creates where uri in :uris
     union
    select u.uri, u.cid from in_flight_updates u where u.uri in :uris and {_BEHIND_A_CREATE}
"""

_OF_URI = f"""
    select cid, last_sent_at from in_flight_creates where uri = :uri
     union all
    select u.cid, u.last_sent_at from in_flight_updates u where u.uri = :uri and {_BEHIND_A_CREATE}
"""

_FORGET_CREATES = "delete from in_flight_creates where uri = :uri and last_sent_at <= :until"
_FORGET_UPDATES = "delete from in_flight_updates where uri = :uri and last_sent_at <= :until"

# If a publication has the key, old rows are deleted without a check, because those writes can no longer arrive.
_IS_OLD_CREATE = """
    last_sent_at <= :before and exists (select 1 from publications p where p.uri = in_flight_creates.uri)
"""

_URIS_OF_CREATES = "select distinct uri from in_flight_creates where did = :did order by uri"
_ERASE_CREATES = "delete from in_flight_creates where did = :did"
_ERASE_UPDATES = "delete from in_flight_updates where did = :did"


@dataclass(frozen=True, slots=True)
class InFlightWrite:
    """A write under a key: the CID of the version that it writes and of the one that it replaces (None for a create)."""

    uri: str
    cid: str
    replaced_cid: str | None


@dataclass(frozen=True, slots=True)
class InFlightKey:
    """A key under which writes may still arrive: their CIDs, and when the last one was sent."""

    cids: frozenset[str]
    last_sent_at: Instant

    @property
    def end_at(self) -> Instant:
        """The instant after which none of these writes can take effect."""
        return Instant(self.last_sent_at + MAY_ARRIVE_FOR)


async def store(tx: Transaction, write: InFlightWrite, *, did: str) -> None:
    """Store a write before it is sent. Call this in the transaction that stores the chosen bytes."""
    if write.replaced_cid is None:
        await tx.execute(_STORE_CREATE, uri=write.uri, cid=write.cid, did=did, now=tx.now)
    else:
        await tx.execute(
            _STORE_UPDATE, uri=write.uri, cid=write.cid, replaced_cid=write.replaced_cid, did=did, now=tx.now
        )


async def remove(tx: Transaction, write: InFlightWrite) -> None:
    """Delete a write that can no longer take effect: it got a response, successful or not, or it is not sent after all."""
    if write.replaced_cid is None:
        if await tx.execute(_DELETE_CREATE_IF_SENT_ONCE, uri=write.uri, cid=write.cid) == 0:
            await tx.execute(_DECREMENT_CREATE_SENDS, uri=write.uri, cid=write.cid)
    else:
        names = {"uri": write.uri, "cid": write.cid, "replaced_cid": write.replaced_cid}
        if await tx.execute(_DELETE_UPDATE_IF_SENT_ONCE, **names) == 0:
            await tx.execute(_DECREMENT_UPDATE_SENDS, **names)


async def among(reader: Reader, uris: Sequence[str]) -> frozenset[tuple[str, str]]:
    """Writes under these URIs that may still take effect, as pairs of URI and CID."""
    if not uris:
        return frozenset()
    return frozenset((row["uri"], row["cid"]) for row in await reader.fetch(_AMONG, uris=list(uris)))


async def of_uri(reader: Reader, uri: str) -> InFlightKey | None:
    """The writes under one URI that may still take effect; None if there are none."""
    rows = await reader.fetch(_OF_URI, uri=uri)
    if not rows:
        return None
    return InFlightKey(frozenset(row["cid"] for row in rows), Instant(max(row["last_sent_at"] for row in rows)))


async def watch_key(tx: Transaction, uri: str, *, is_gone: bool) -> None:
    """Enqueue checks of an abandoned key for late writes, until none can take effect any more.

    ``is_gone``: it is certain that no record is there. Otherwise the first check is due now.
    """
    if await of_uri(tx, uri) is not None:
        due_at = Instant(tx.now + FIRST_CHECK_AFTER) if is_gone else tx.now
        await jobs.enqueue_again(tx, JobKind.LATE_WRITE, [uri], due_at=due_at)


async def enqueue_check(tx: Transaction, uri: str) -> None:
    """Enqueue a check of an abandoned key, due now, because a late write took effect under it."""
    await jobs.enqueue_again(tx, JobKind.LATE_WRITE, [uri])


async def enqueue_next_check(tx: Transaction, check: Job, key: InFlightKey) -> None:
    """Enqueue the next check of a key that had no record, at growing intervals. The last check runs when no write can
    take effect any more. ``check``: the check that found no record. One that was enqueued since then stays, so that it
    is not delayed.
    """
    waited = tx.now - key.last_sent_at
    due_at = min(tx.now + max(waited, FIRST_CHECK_AFTER), max(key.end_at, tx.now + FIRST_CHECK_AFTER))
    await jobs.enqueue(tx, JobKind.LATE_WRITE, check.subject, check.revision + 1, due_at=Instant(due_at))


async def forget(tx: Transaction, uri: str, *, sent_until: Instant) -> None:
    """Delete the writes sent until then, inclusive: they had no effect and can no longer have one."""
    await tx.execute(_FORGET_CREATES, uri=uri, until=sent_until)
    await tx.execute(_FORGET_UPDATES, uri=uri, until=sent_until)


async def forget_old(tx: Transaction) -> int:
    """Delete writes that are too old to take effect: all updates, and the creates whose key belongs to a publication.
    Returns how many.
    """
    before = tx.now - MAY_ARRIVE_FOR
    creates = await delete_some(tx, "in_flight_creates", _IS_OLD_CREATE, before=before)
    return creates + await delete_some(tx, "in_flight_updates", "last_sent_at <= :before", before=before)


async def erase(tx: Transaction, did: str) -> None:
    """Delete the writes to a deleted account's repository."""
    rows = await tx.fetch(_URIS_OF_CREATES, did=did)
    await jobs.forget_many(tx, JobKind.LATE_WRITE, [row["uri"] for row in rows])
    await tx.execute(_ERASE_CREATES, did=did)
    await tx.execute(_ERASE_UPDATES, did=did)
