"""State that survives a restart: the cursor of each source, the last verified state of each repository, rejected
frames, and what to read if a source no longer has the frames after the cursor (a gap).

A gap of a relay or a Jetstream server can affect every followed repository; a gap of a PDS can affect only the
repositories last received through it. A repository whose chain continued through another source lost nothing. The reads
are enqueued at once, a bounded number per call; the handlers run a few at a time.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from at_protocol.data.cid import Cid
from at_protocol.sync.account_state import AccountState, SyncState
from at_protocol.sync.verify import RepoHead
from at_protocol.syntax.did import parse_did
from groundwork.clock import DAY, Instant
from groundwork.database.transaction import Reader, Transaction
from groundwork.errors import Explanation, encode_explanation, read_explanation
from groundwork.uuid7 import new_id
from openmeet.network.firehose.tenant_interests import Interests
from openmeet.network.records.message import GapCause, Hint, HintKind

# Enough to inspect, but not enough for a hostile stream to fill the disk.
REJECTED_KEPT = 1000
REJECTED_FOR = 14 * DAY
MAX_KEPT_BYTES = 100_000
MAX_KEPT_TEXT = 2_048

ADD_SOURCE = """
    insert into sources (url, cursor, state, reason, changed_at, seen_at)
    values (:url, :cursor, 'following', '', :now, null)
        on conflict (url) do update set removed_at = null
"""

# The cursor of a removed source is kept for a while. If the source is configured again, reading continues from there.
REMOVE_SOURCES = "update sources set removed_at = :now where removed_at is null and url not in :urls"
FORGET_SOURCES = "delete from sources where removed_at < :before"
REMOVED_FOR = 30 * DAY

CURSOR = "select cursor from sources where url = :url"

ADVANCE = """
    update sources set cursor = :cursor, seen_at = :now, state = 'following', reason = ''
     where url = :url and (cursor is null or cursor < :cursor)
"""

# Some servers switched from time-based cursors to plain numbers in an upgrade. Values from 10^15 on are times in
# microseconds.
ADVANCE_JETSTREAM = """
    update sources set cursor = :cursor, seen_at = :now, state = 'following', reason = ''
     where url = :url and (cursor is null or cursor < :cursor
                           or (cursor >= 1000000000000000 and :cursor < 1000000000000000))
"""

SEEN_AT = "select seen_at from sources where url = :url"

SET_STATE = """
    update sources set state = :state, reason = :reason, changed_at = :now where url = :url
"""

REOPEN = """
    update sources set state = 'following', reason = '', changed_at = :now where url = :url and state = 'failing'
"""

LIST_SOURCES = (
    "select url, cursor, state, reason, changed_at, seen_at from sources where removed_at is null order by url"
)

KNOWN = "select did, rev, data, is_active, status from verified_repositories where did = :did"

PUT_KNOWN = """
    insert into verified_repositories (did, rev, data, is_active, status, source, updated_at)
    values (:did, :rev, :data, :is_active, :status, :source, :now)
        on conflict (did) do update
       set rev = excluded.rev, data = excluded.data, is_active = excluded.is_active, status = excluded.status,
           source = excluded.source, updated_at = excluded.updated_at
     where excluded.rev >= verified_repositories.rev
"""

REJECT = """
    insert into rejected_frames (id, source, seq, did, reason, frame, rejected_at)
    values (:id, :source, :seq, :did, :reason, :frame, :now)
"""

TRIM_REJECTED = """
    delete from rejected_frames
     where rejected_at < :before
        or id in (select id from rejected_frames order by rejected_at desc, id desc limit 1000000 offset :kept)
"""

LIST_REJECTED = """
    select id, source, seq, did, reason, frame, rejected_at from rejected_frames
     order by rejected_at desc, id desc limit :limit
"""


class SourceState(StrEnum):
    """State of a source. A stopped source waits for an operator, because the server does not recognize our cursor."""

    FOLLOWING = "following"
    FAILING = "failing"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class StreamCursor:
    """A stream and how far it has been read."""

    url: str
    cursor: int | None
    state: SourceState
    reason: Explanation | None
    changed_at: Instant
    seen_at: Instant | None


@dataclass(frozen=True, slots=True)
class RejectedFrame:
    """A frame that was not processed. ``frame`` is cut at 100 kB."""

    source: str
    seq: int | None
    did: str | None
    reason: Explanation | None
    frame: bytes


async def add_source(tx: Transaction, url: str, *, cursor: int | None = None) -> int | None:
    """Register a source; return the cursor to continue after (None: start at the present)."""
    await tx.execute(ADD_SOURCE, url=url, cursor=cursor, now=tx.now)
    row = await tx.fetch_one(CURSOR, url=url)
    return None if row is None else row["cursor"]


async def keep_sources(tx: Transaction, urls: Collection[str]) -> None:
    """Mark sources that are no longer in the settings as removed. Their cursors are kept for 30 days."""
    await tx.execute(REMOVE_SOURCES, urls=sorted({"", *urls}), now=tx.now)
    await tx.execute(FORGET_SOURCES, before=tx.now - REMOVED_FOR)


async def advance(
    tx: Transaction,
    url: str,
    cursor: int,
    account_states: Mapping[str, AccountState],
    rejected: Sequence[RejectedFrame],
) -> None:
    """Store a source's cursor and the verified state of the repositories. The queue has confirmed all messages up to
    the cursor.
    """
    for did, state in sorted(account_states.items()):
        if state.last_head is not None:
            await tx.execute(
                PUT_KNOWN,
                did=did,
                rev=state.last_head.rev,
                data=str(state.last_head.data),
                is_active=int(state.active),
                status=_storable(state.status or ""),
                source=url,
                now=tx.now,
            )
    await _reject(tx, rejected)
    await tx.execute(ADVANCE, url=url, cursor=cursor, now=tx.now)


async def advance_jetstream(tx: Transaction, url: str, cursor: int | None, rejected: Sequence[RejectedFrame]) -> None:
    """Store how far a Jetstream source was read, and what was rejected. Jetstream provides no verified repositories."""
    await _reject(tx, rejected)
    if cursor is not None:
        await tx.execute(ADVANCE_JETSTREAM, url=url, cursor=cursor, now=tx.now)


async def seen_at(reader: Reader, url: str) -> Instant | None:
    """Return when the cursor of a source last moved; None if it never did."""
    row = await reader.fetch_one(SEEN_AT, url=url)
    return None if row is None or row["seen_at"] is None else Instant(row["seen_at"])


async def _reject(tx: Transaction, rejected: Sequence[RejectedFrame]) -> None:
    for one in rejected:
        await tx.execute(
            REJECT,
            id=new_id(tx.now),
            source=one.source,
            seq=one.seq,
            did=None if one.did is None else _storable(one.did),
            reason=encode_explanation(one.reason),
            frame=one.frame[:MAX_KEPT_BYTES],
            now=tx.now,
        )
    if rejected:
        await tx.execute(TRIM_REJECTED, before=tx.now - REJECTED_FOR, kept=REJECTED_KEPT)


def _storable(text: str) -> str:
    """Return untrusted text in a form that a database can store: PostgreSQL rejects U+0000, and long texts are cut."""
    return text.replace("\x00", "\ufffd")[:MAX_KEPT_TEXT]


async def account_state_of(reader: Reader, did: str) -> AccountState:
    """Return the last verified state of a repository. For a new one, any first commit is accepted."""
    row = await reader.fetch_one(KNOWN, did=did)
    if row is None:
        return AccountState(sync=SyncState.SYNCHRONIZED)
    return AccountState(
        active=bool(row["is_active"]),
        status=row["status"] or None,
        sync=SyncState.SYNCHRONIZED,
        last_head=RepoHead(row["rev"], Cid.parse(row["data"])),
    )


async def erase(tx: Transaction, did: str) -> None:
    """Delete the state of a repository whose account was deleted, and its rejected frames."""
    await tx.execute("delete from verified_repositories where did = :did", did=did)
    await tx.execute("delete from interests where kind = 'did' and value = :did", did=did)
    await tx.execute("delete from rejected_frames where did = :did", did=did)
    await tx.execute("delete from unresolved_repositories where did = :did", did=did)


async def set_state(tx: Transaction, url: str, state: SourceState, reason: Explanation | None) -> None:
    """Mark a source as failing, or as stopped until an operator looks at it."""
    await tx.execute(SET_STATE, url=url, state=state.value, reason=encode_explanation(reason), now=tx.now)


async def note_open(tx: Transaction, url: str) -> None:
    """Mark a failing source as followed, because its stream is open again. It may send nothing for a long time."""
    await tx.execute(REOPEN, url=url, now=tx.now)


async def sources(reader: Reader) -> list[StreamCursor]:
    """Return the configured streams, each with its cursor and state, ordered by URL."""
    return [
        StreamCursor(
            row["url"],
            row["cursor"],
            SourceState(row["state"]),
            read_explanation(row["reason"]),
            Instant(row["changed_at"]),
            None if row["seen_at"] is None else Instant(row["seen_at"]),
        )
        for row in await reader.fetch(LIST_SOURCES)
    ]


async def count_rejected(reader: Reader) -> int:
    """Return the number of frames kept for inspection."""
    row = await reader.fetch_one("select count(*) as n from rejected_frames")
    return 0 if row is None else int(row["n"])


async def rejected(reader: Reader, *, limit: int = 100) -> list[RejectedFrame]:
    """Return the frames kept for inspection, newest first."""
    return [
        RejectedFrame(row["source"], row["seq"], row["did"], read_explanation(row["reason"]), bytes(row["frame"]))
        for row in await reader.fetch(LIST_REJECTED, limit=limit)
    ]


DIDS_OF_STREAM = "select did from verified_repositories where source = :url or source = '' order by did"


async def dids_of_stream(reader: Reader, url: str) -> list[str]:
    """Return the repositories last received through this source, and those without a stored source."""
    return [row["did"] for row in await reader.fetch(DIDS_OF_STREAM, url=url)]


def all_followed_dids(interests: Interests) -> list[str]:
    """Return every repository that a tenant is interested in."""
    return sorted(interests.followed | interests.dids.keys())


def read_requests(dids: Iterable[str], cause: GapCause, now: Instant) -> Sequence[Hint]:
    """Return a request to read each repository completely. The rev of the missed commits is unknown, so any read from now
    on closes the gap.
    """
    return [Hint(parse_did(did), HintKind.REPOSITORY, cause.value, int(now)) for did in sorted(set(dids))]
