"""In-flight writes: creates and updates whose outcome is unknown, stored before they are sent, deleted when answered.

A request without an answer may take effect much later. While its key belongs to a publication, the echo finds the row
there. A key that was abandoned meanwhile (its subject became private or was deleted) belongs to no publication: a
record that arrives there later is recognised by this table and deleted again (``publishing.in_flight``).

An update is for one version and fails once that is replaced. But an RSVP may return to the very same bytes: going,
interested, going. An update for the first version that takes effect after the third is an outdated write of ours, not
an edit in another app; both CIDs together tell them apart. A delete leads to a new key, or to bytes with another time.
After a late create an update of it may follow: both are ours, whichever of them is found.

A create that arrived, but whose answer was lost, also stays here: which of several equal ones it was is unknown.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from groundwork.clock import DAY, MINUTE, Instant
from groundwork.database.transaction import Reader, Transaction
from groundwork.outbox import jobs
from openmeet.outbox.kinds import JobKind

# A request carries an access token, and is refused after that expires: two hours for password sessions on the reference
# PDS and on ours, less with OAuth. After this time no request of ours can still take effect.
MAY_ARRIVE_FOR: Final = DAY
FIRST_LOOK_AFTER: Final = 5 * MINUTE

REMEMBER = """
    insert into creates_in_doubt (uri, cid, did, sends, last_sent_at) values (:uri, :cid, :did, 1, :now)
        on conflict (uri, cid) do update
       set sends = creates_in_doubt.sends + 1, last_sent_at = excluded.last_sent_at
"""

FORGET_LAST = "delete from creates_in_doubt where uri = :uri and cid = :cid and sends = 1"
FORGET_ONE = "update creates_in_doubt set sends = sends - 1 where uri = :uri and cid = :cid and sends > 1"

REMEMBER_UPDATE = """
    insert into updates_in_doubt (uri, cid, instead_of, did, sends, last_sent_at)
    values (:uri, :cid, :instead_of, :did, 1, :now)
        on conflict (uri, cid, instead_of) do update
       set sends = updates_in_doubt.sends + 1, last_sent_at = excluded.last_sent_at
"""

_UPDATE = "uri = :uri and cid = :cid and instead_of = :instead_of"
FORGET_LAST_UPDATE = f"delete from updates_in_doubt where {_UPDATE} and sends = 1"
FORGET_ONE_UPDATE = f"update updates_in_doubt set sends = sends - 1 where {_UPDATE} and sends > 1"
FORGET_OLD_UPDATES = "delete from updates_in_doubt where last_sent_at <= :before"

# Where no create can arrive, no update under an abandoned key finds anything.
_BEHIND_A_CREATE = "exists (select 1 from creates_in_doubt c where c.uri = u.uri)"
AMONG = f"""
    select uri, cid from creates_in_doubt where uri in :uris
     union
    select u.uri, u.cid from updates_in_doubt u where u.uri in :uris and {_BEHIND_A_CREATE}
"""

OF_URI = f"""
    select cid, last_sent_at from creates_in_doubt where uri = :uri
     union all
    select u.cid, u.last_sent_at from updates_in_doubt u where u.uri = :uri and {_BEHIND_A_CREATE}
"""

FORGET_URI = "delete from creates_in_doubt where uri = :uri and last_sent_at <= :before"
FORGET_UPDATES = "delete from updates_in_doubt where uri = :uri and last_sent_at <= :before"

# Where a publication holds the key, old rows go without a check: none of those writes can still arrive.
FORGET_OLD = """
    delete from creates_in_doubt
     where last_sent_at <= :before and exists (select 1 from publications p where p.uri = creates_in_doubt.uri)
"""

URIS_OF = "select distinct uri from creates_in_doubt where did = :did order by uri"
ERASE = "delete from creates_in_doubt where did = :did"
ERASE_UPDATES = "delete from updates_in_doubt where did = :did"


@dataclass(frozen=True, slots=True)
class InFlightWrite:
    """A write under a key: the version it leaves, and the version it replaces, which is None for a create."""

    uri: str
    cid: str
    instead_of: str | None


@dataclass(frozen=True, slots=True)
class Doubts:
    """Writes that may still arrive under one key: their CIDs, and when the last of them was sent."""

    cids: frozenset[str]
    last_sent_at: Instant

    @property
    def end_at(self) -> Instant:
        """After this instant none of them can arrive."""
        return Instant(self.last_sent_at + MAY_ARRIVE_FOR)


async def remember(tx: Transaction, sent: InFlightWrite, *, did: str) -> None:
    """Store a write before it is sent; call it in the transaction that fixes the bytes."""
    if sent.instead_of is None:
        await tx.execute(REMEMBER, uri=sent.uri, cid=sent.cid, did=did, now=tx.now)
    else:
        await tx.execute(REMEMBER_UPDATE, uri=sent.uri, cid=sent.cid, instead_of=sent.instead_of, did=did, now=tx.now)


async def answered(tx: Transaction, sent: InFlightWrite) -> None:
    """One of these writes was answered, with whatever result: it will not arrive later."""
    if sent.instead_of is None:
        if await tx.execute(FORGET_LAST, uri=sent.uri, cid=sent.cid) == 0:
            await tx.execute(FORGET_ONE, uri=sent.uri, cid=sent.cid)
    else:
        names = {"uri": sent.uri, "cid": sent.cid, "instead_of": sent.instead_of}
        if await tx.execute(FORGET_LAST_UPDATE, **names) == 0:
            await tx.execute(FORGET_ONE_UPDATE, **names)


async def among(reader: Reader, uris: Sequence[str]) -> frozenset[tuple[str, str]]:
    """(uri, CID) of writes that may still arrive under these uris."""
    if not uris:
        return frozenset()
    return frozenset((row["uri"], row["cid"]) for row in await reader.fetch(AMONG, uris=list(uris)))


async def of_uri(reader: Reader, uri: str) -> Doubts | None:
    """Writes that may still arrive under one uri; None where there are none."""
    rows = await reader.fetch(OF_URI, uri=uri)
    if not rows:
        return None
    return Doubts(frozenset(row["cid"] for row in rows), Instant(max(row["last_sent_at"] for row in rows)))


async def watch(tx: Transaction, uri: str, *, is_gone: bool) -> None:
    """The key is abandoned: enqueue checks for late writes until none can arrive.

    ``is_gone``: it is proven that no record is there; otherwise the first check is due now.
    """
    if await of_uri(tx, uri) is not None:
        await _look_at(tx, uri, Instant(tx.now + FIRST_LOOK_AFTER) if is_gone else tx.now)


async def look_now(tx: Transaction, uri: str) -> None:
    """One of them has arrived: check now."""
    await _look_at(tx, uri, tx.now)


async def look_again(tx: Transaction, uri: str, doubts: Doubts) -> None:
    """No record is there, and one may still arrive: check again, ever more rarely, the last time when none can."""
    waited = tx.now - doubts.last_sent_at
    due_at = min(tx.now + max(waited, FIRST_LOOK_AFTER), max(doubts.end_at, tx.now + FIRST_LOOK_AFTER))
    await _look_at(tx, uri, Instant(due_at))


async def _look_at(tx: Transaction, uri: str, due_at: Instant) -> None:
    """Enqueue another check, whatever was enqueued before. Two callers enqueue one check, at the time of one of them."""
    before = await jobs.find(tx, JobKind.LATE_CREATE, uri)
    await jobs.enqueue(tx, JobKind.LATE_CREATE, uri, 1 if before is None else before.revision + 1, due_at=due_at)


async def forget(tx: Transaction, uri: str, *, before: Instant) -> None:
    """Whatever was sent until then is not there and can no longer arrive: delete those rows."""
    await tx.execute(FORGET_URI, uri=uri, before=before)
    await tx.execute(FORGET_UPDATES, uri=uri, before=before)


async def forget_old(tx: Transaction) -> int:
    """Delete rows that are too old to arrive: updates, and creates under keys that publications hold; returns how many."""
    before = tx.now - MAY_ARRIVE_FOR
    return await tx.execute(FORGET_OLD, before=before) + await tx.execute(FORGET_OLD_UPDATES, before=before)


async def erase(tx: Transaction, did: str) -> None:
    """The account is gone: nothing can arrive there."""
    for row in await tx.fetch(URIS_OF, did=did):
        await jobs.forget(tx, JobKind.LATE_CREATE, row["uri"])
    await tx.execute(ERASE, did=did)
    await tx.execute(ERASE_UPDATES, did=did)
