"""What the payer does to a publication: take it, fix what will be sent, note the answer.

Every statement carries the lease number, so the answer of a payer whose lease ended changes nothing, and the states
from which the graph lets it move. Record key, CID and bytes are stored *before* anything is sent. What a decision depends on
may change while it is carried out: ``looks_again`` says so, until the row is leased next, and what settles leaves it due.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from groundwork.clock import HOUR, Instant
from groundwork.database.transaction import Reader, Row, Transaction
from openmeet.debts import doubts
from openmeet.debts.doubts import Sent
from openmeet.debts.publications import GRAPH, Kind, State


@dataclass(frozen=True, slots=True)
class Publication:
    """One promise as its payer sees it.

    ``chosen_*``: what was fixed for the send in flight (or the last one); ``base_*``: the last version that we and the
    PDS agreed on. What was fixed before the last, and may still arrive, the table keeps by its CID. ``edits`` and ``merged``: see ``ingestion.merge``. ``rounds``: swap conflicts since the last edit.
    """

    kind: Kind
    subject_id: str
    user_id: str
    state: State
    revision: int
    sent_revision: int
    did: str | None
    uri: str | None
    chosen_cid: str | None
    chosen_body: bytes | None
    chosen_revision: int | None
    base_cid: str | None
    base_body: bytes | None
    base_rev: str | None
    edits: bytes | None
    merged: bytes | None
    rounds: int
    attempts: int
    lease: int
    edited_at: Instant
    reason: str
    is_recalled: bool

    @property
    def is_pending(self) -> bool:
        """Whether something was edited here that the PDS has not confirmed."""
        return self.revision > self.sent_revision

    @property
    def may_be_out_there(self) -> bool:
        """Whether the PDS may hold a record: a key was chosen, so a request may have left."""
        return self.uri is not None


COLUMNS = """kind, subject_id, user_id, state, revision, sent_revision, did, uri, chosen_cid, chosen_body,
    chosen_revision, base_cid, base_body, base_rev, edits, merged, rounds, attempts, lease, edited_at, reason,
    is_recalled"""

FIND = f"select {COLUMNS} from publications where kind = :kind and subject_id = :subject_id"

FIND_BY_URI = f"select {COLUMNS} from publications where uri = :uri"

OWNED_AMONG = "select uri from publications where uri in :uris"

# A request that nobody answered may arrive much later: until something is agreed on, what it would write is remembered.
FIX = """
    update publications
       set earlier_cids = case when chosen_cid is null or chosen_cid = coalesce(base_cid, '') or chosen_cid = :cid
                               then earlier_cids else earlier_cids || ' ' || chosen_cid end,
           did = :did, uri = :uri, chosen_cid = :cid, chosen_body = :body, chosen_revision = :revision,
           writes = case when writes_since > :an_hour_ago then writes + 1 else 1 end,
           writes_since = case when writes_since > :an_hour_ago then writes_since else :now end
     where kind = :kind and subject_id = :subject_id and lease = :lease and state = 'sending' and is_recalled = 0
    returning writes
"""

_HELD = "kind = :kind and subject_id = :subject_id and lease = :lease and state in ('sending', 'retracting')"

# Confirmed by the PDS's answer or by reading back; a newer revision makes it due again. Where the echo was faster the
# row is settled already and this changes nothing.
CONFIRM = f"""
    update publications
       set state = case when revision > :revision or is_recalled = 1 or looks_again = 1 then 'due' else 'published' end,
           sent_revision = :revision, base_cid = :cid, base_body = :body, base_rev = :rev, edits = null, merged = null,
           earlier_cids = '', was_merged = case when merged is null then 0 else 1 end,
           due_at = :now, changed_at = :now, attempts = 0, rounds = 0, reason = :reason, leased_until = null
     where {_HELD} and state = 'sending' and (base_rev is null or cast(:rev as text) >= base_rev)
"""

# What is due, or waits for a login, may have to vanish: hearing of the record decides nothing of that (invariant 3).
_TO_BE_DECIDED = "(state in ('due', 'blocked') or (state = 'sending' and looks_again = 1))"

# The echo: CID and uri match what was chosen, and its rev is greater than that of the last settled write.
SETTLE_BY_ECHO = f"""
    update publications
       set state = case when revision > chosen_revision or is_recalled = 1 or {_TO_BE_DECIDED} then 'due' else 'published' end,
           sent_revision = chosen_revision, base_cid = chosen_cid, base_body = chosen_body, base_rev = :rev,
           earlier_cids = '',
           was_merged = case when merged is null then 0 else 1 end, edits = null, merged = null,
           due_at = :now, changed_at = :now, attempts = 0, rounds = 0, reason = '', leased_until = null
     where uri = :uri and chosen_cid = :cid and (base_rev is null or base_rev < :rev)
       and state in ({GRAPH.sql_sources_of(State.PUBLISHED)})
"""

# The same of an earlier send, which arrived after a later one had been fixed: what is owed since is still owed. Where nothing
# is agreed on, it may be of a time before the key was given up: that of an answer comes again. And where the same bytes are
# agreed on again, it may be what we said in between.
SETTLE_BY_LATE_ECHO = """
    update publications
       set base_cid = :cid, base_body = :body, base_rev = :rev, edits = null, merged = null,
           state = case when state in ('retrying', 'published') then 'due' else state end,
           due_at = :now, changed_at = :now
     where uri = :uri and (base_rev is null or base_rev < :rev) and state <> 'retracting'
       and (earlier_cids || ' ' like '% ' || cast(:cid as text) || ' %'
            or (base_cid is null and exists (select 1 from creates_in_doubt d where d.uri = :uri and d.cid = :cid))
            or exists (select 1 from updates_in_doubt d
                        where d.uri = :uri and d.cid = :cid and d.instead_of = publications.base_cid))
"""

# An echo of a write that is settled already, read again at a later rev: only the rev moves.
TOUCH_BASE = "update publications set base_rev = :rev where uri = :uri and base_cid = :cid and base_rev < :rev"

MOVE = f"""
    update publications
       set state = case when looks_again = 1 and cast(:is_decided as integer) = 1 then 'due' else cast(:state as text) end,
           due_at = case when looks_again = 1 and cast(:is_decided as integer) = 1 then cast(:now as bigint) else cast(:due_at as bigint) end,
           changed_at = :now, reason = :reason, leased_until = null,
           attempts = attempts + :failed, rounds = rounds + :round
     where {_HELD} and state in (:from_a, :from_b)
"""

# No mark is heeded here: who forgets the record decides about it anew in the same transaction (``settling.forget``).
RETRACTED = f"""
    update publications
       set earlier_cids = '', state = case when revision > :revision then 'due' else 'retracted' end, sent_revision = :revision,
           taken_back_uri = uri, uri = null, chosen_cid = null, chosen_body = null, chosen_revision = null,
           base_cid = null, base_body = null, base_rev = null, edits = null, merged = null, was_merged = 0,
           due_at = :now, changed_at = :now, attempts = 0, rounds = 0, reason = '', leased_until = null
     where {_HELD}
"""

LEAVE = f"""
    update publications
       set state = case when revision > :revision or looks_again = 1 then 'due' when uri is null then 'withheld' else 'published' end,
           sent_revision = :revision, due_at = :now, changed_at = :now, attempts = 0, reason = '', leased_until = null
     where {_HELD} and state = 'sending'
"""

ATTACH_CURRENT = f"update publications set did = :did, uri = :uri where {_HELD} and state = 'sending' and uri is null"

START_RETRACTING = f"update publications set state = 'retracting', changed_at = :now where {_HELD}"

# The record is gone from the repository, and not by us: whatever was owed, there is no base any more. What was typed and never
# sent is kept beside it, for the record may come back.
LOSE = f"""
    update publications
       set earlier_cids = '', state = case when cast(:is_owed as integer) = 1 then 'due' else 'retracted' end, uri = null, chosen_cid = null, chosen_body = null, chosen_revision = null,
           base_cid = null, base_body = null, base_rev = null, edits = :edits, merged = null, was_merged = 0,
           sent_revision = case when cast(:is_owed as integer) = 1 then sent_revision else revision end,
           due_at = :now, changed_at = :now, leased_until = null, reason = :reason,
           was_lost = 1 - cast(:is_owed as integer)
     where uri = :uri and base_rev is not null and base_rev < :rev
       and state in ({GRAPH.sql_sources_of(State.RETRACTED)})
"""

# The same where the record was another app's, and nothing of ours was ever sent.
KEEP_EDITS = """
    update publications set edits = :edits, merged = null where kind = :kind and subject_id = :subject_id and uri is null
"""

# What was typed before that was never sent, and the record is there again. Whoever looked meanwhile had nothing to write it into.
OWE_AGAIN = """
    update publications
       set state = 'due', sent_revision = revision - 1, was_lost = 0, due_at = :now, changed_at = :now, reason = ''
     where uri = :uri and (state = 'retracted' or (state = 'withheld' and edits is not null))
"""

# What is leased, blocked or conflicted stays so; what waited for this message is due.
REMEMBER_MERGE = """
    update publications
       set edits = :edits, merged = :merged, was_merged = 1, due_at = :now, changed_at = :now, reason = '',
           state = case when state in ('due', 'retrying', 'published') then 'due' else state end
     where uri = :uri
"""

# Nothing was ever agreed on under the key that was chosen: whoever says "published" of that would say what is not so.
GIVE_UP_KEY = f"""
    update publications
       set sent_revision = revision, state = 'withheld', due_at = :now, changed_at = :now, reason = '', earlier_cids = '',
           uri = null, chosen_cid = null, chosen_body = null, chosen_revision = null, edits = null, merged = null
     where kind = :kind and subject_id = :subject_id and uri is not null and base_cid is null and state <> 'sending'
       and state in ({GRAPH.sql_sources_of(State.WITHHELD)})
"""

GIVE_UP_REVISION = f"""
    update publications
       set sent_revision = revision, due_at = :now, changed_at = :now,
           state = case when uri is null then 'withheld' when is_recalled = 1 then 'due' else 'published' end
     where kind = :kind and subject_id = :subject_id and state <> 'sending' and state <> 'published'
       and state in ({GRAPH.sql_sources_of(State.PUBLISHED)})
       and (uri is not null or state in ({GRAPH.sql_sources_of(State.WITHHELD)}))
"""

# Whoever pays at this moment holds an older lease: its answer changes nothing any more.
ERASE = """
    update publications
       set earlier_cids = '', state = 'retracted', did = null, uri = null, taken_back_uri = null, chosen_cid = null, chosen_body = null, chosen_revision = null,
           base_cid = null, base_body = null, base_rev = null, edits = null, merged = null, was_merged = 0,
           sent_revision = revision, changed_at = :now, lease = lease + 1, leased_until = null, attempts = 0, rounds = 0,
           reason = 'The account was deleted.'
     where did = :did
"""

ATTACH = """
    update publications
       set did = :did, uri = :uri, base_cid = :cid, base_body = :body, base_rev = :rev
     where kind = :kind and subject_id = :subject_id and uri is null
"""

# What was sent last is history: the same bytes again are not our echo, somebody has gone back to them. A promise that was left
# alone before its subject had a record stays withheld.
ADOPT = f"""
    update publications
       set base_cid = :cid, base_body = :body, base_rev = :rev, edits = null, merged = null, chosen_cid = null, earlier_cids = '',
           sent_revision = revision, was_merged = 1, reason = '', leased_until = null, due_at = :now, changed_at = :now,
           state = case when state = 'withheld' then state
                        when is_recalled = 1 or {_TO_BE_DECIDED} then 'due' else 'published' end
     where uri = :uri
       and (state in ({GRAPH.sql_sources_of(State.PUBLISHED)}) or (state = 'withheld' and sent_revision = revision))
"""


async def find(reader: Reader, kind: Kind, subject_id: str) -> Publication | None:
    """The promise about a subject."""
    row = await reader.fetch_one(FIND, kind=kind, subject_id=subject_id)
    return None if row is None else publication_of(row)


async def find_by_uri(reader: Reader, uri: str) -> Publication | None:
    """The promise whose record this is; None for records that are not ours to write."""
    row = await reader.fetch_one(FIND_BY_URI, uri=uri)
    return None if row is None else publication_of(row)


async def owned_among(reader: Reader, uris: Sequence[str]) -> set[str]:
    """Which of these records are ours to write."""
    if not uris:
        return set()
    return {row["uri"] for row in await reader.fetch(OWNED_AMONG, uris=list(uris))}


async def fix(tx: Transaction, held: Publication, sent: Sent, *, did: str, body: bytes) -> int | None:
    """Store what will be sent. Returns the writes of this record in the past hour without a local edit, this one
    included; None when the lease is no longer ours and nothing may be sent.

    The write is in doubt from now on, until it is answered.
    """
    row = await tx.fetch_one(
        FIX,
        kind=held.kind,
        subject_id=held.subject_id,
        lease=held.lease,
        did=did,
        uri=sent.uri,
        cid=sent.cid,
        body=body,
        revision=held.revision,
        now=tx.now,
        an_hour_ago=tx.now - HOUR,
    )
    if row is None:
        return None
    await doubts.remember(tx, sent, did=did)
    return int(row["writes"])


async def confirm(
    tx: Transaction, held: Publication, *, revision: int, cid: str, body: bytes, rev: str, reason: str = ""
) -> bool:
    """The PDS holds these bytes, made of ``revision``, as of ``rev``: settled, unless a newer revision is owed.

    ``reason``: what they lack of what was asked for, and why.
    """
    return (
        await tx.execute(
            CONFIRM,
            kind=held.kind,
            subject_id=held.subject_id,
            lease=held.lease,
            revision=revision,
            cid=cid,
            body=body,
            rev=rev,
            reason=reason,
            now=tx.now,
        )
        == 1
    )


async def settle_by_echo(tx: Transaction, *, uri: str, cid: str, rev: str, body: bytes, is_over: bool = False) -> bool:
    """A message of the network shows our own bytes under our own key: the send arrived, whatever its answer was.

    ``is_over``: the record is known to have gone since; then only the send that is fixed now is told by it.
    """
    if await tx.execute(SETTLE_BY_ECHO, uri=uri, cid=cid, rev=rev, now=tx.now) == 1:
        return True
    if not is_over and await tx.execute(SETTLE_BY_LATE_ECHO, uri=uri, cid=cid, rev=rev, body=body, now=tx.now) == 1:
        return True
    return await tx.execute(TOUCH_BASE, uri=uri, cid=cid, rev=rev) == 1


async def move(
    tx: Transaction,
    held: Publication,
    state: State,
    *,
    reason: str = "",
    due_at: Instant | None = None,
    failed: bool = False,
    round_: bool = False,
) -> bool:
    """Give the row back in another state; False when the lease is no longer ours.

    What only waits for another try stays as it is; a state that was decided on is left due where it is to be decided anew.
    Raises ImpossibleMove when the graph does not list the move.
    """
    waits = failed or round_ or state is State.RETRACTING
    leased_as = State.RETRACTING if held.state is State.RETRACTING else State.SENDING
    GRAPH.require(leased_as, state)
    moved = await tx.execute(
        MOVE,
        kind=held.kind,
        subject_id=held.subject_id,
        lease=held.lease,
        state=state,
        due_at=tx.now if due_at is None else due_at,
        reason=reason,
        now=tx.now,
        failed=int(failed),
        round=int(round_),
        is_decided=int(not waits),
        from_a=leased_as,
        from_b=State.RETRACTING,
    )
    return moved == 1


async def leave(tx: Transaction, held: Publication) -> bool:
    """Nothing is owed about this revision, whatever the repository says."""
    return (
        await tx.execute(
            LEAVE,
            kind=held.kind,
            subject_id=held.subject_id,
            lease=held.lease,
            revision=held.revision,
            now=tx.now,
        )
        == 1
    )


async def attach_current(tx: Transaction, held: Publication, *, did: str, uri: str) -> None:
    """The record that says all of ours already is the one of this promise."""
    await tx.execute(ATTACH_CURRENT, kind=held.kind, subject_id=held.subject_id, lease=held.lease, did=did, uri=uri)


async def start_retracting(tx: Transaction, held: Publication) -> bool:
    """What is held must vanish from the PDS: from now on the row says so, also if this payer dies."""
    return (
        await tx.execute(START_RETRACTING, kind=held.kind, subject_id=held.subject_id, lease=held.lease, now=tx.now)
        == 1
    )


async def retracted(tx: Transaction, held: Publication, *, is_gone: bool) -> bool:
    """The PDS no longer holds the record; a later publication of an event gets a new key. ``is_gone``: see ``doubts.watch``."""
    is_settled = (
        await tx.execute(
            RETRACTED,
            kind=held.kind,
            subject_id=held.subject_id,
            lease=held.lease,
            revision=held.revision,
            now=tx.now,
        )
        == 1
    )
    if is_settled and held.uri is not None:
        await doubts.watch(tx, held.uri, is_gone=is_gone)
    return is_settled


async def lose(
    tx: Transaction, *, uri: str, rev: str, reason: str, is_owed: bool = False, edits: bytes | None = None
) -> bool:
    """The record was deleted in the repository by somebody else; what we owed about it is void until a new edit.

    ``is_owed``: the edit has been made already, after the deletion, and a new record is due. ``edits``: what was typed here and is
    in no record.
    """
    is_lost = (
        await tx.execute(LOSE, uri=uri, rev=rev, reason=reason, is_owed=int(is_owed), edits=edits, now=tx.now) == 1
    )
    if is_lost:
        await doubts.watch(tx, uri, is_gone=True)
    return is_lost


async def keep_edits(tx: Transaction, owned: Publication, edits: bytes) -> None:
    """What was typed here about an event whose record is gone, and was never sent: it is made again on the record when that is back."""
    await tx.execute(KEEP_EDITS, kind=owned.kind, subject_id=owned.subject_id, edits=edits)


async def owe_again(tx: Transaction, uri: str) -> bool:
    """What was void with a record that somebody deleted is owed: it is there again, under a promise that has been attached to it."""
    return await tx.execute(OWE_AGAIN, uri=uri, now=tx.now) == 1


async def erase(tx: Transaction, did: str) -> None:
    """The account is gone, and every record with it: nothing is owed there, and no copy of what was sent stays."""
    await tx.execute(ERASE, did=did, now=tx.now)
    await doubts.erase(tx, did)


async def give_up_revision(tx: Transaction, owned: Publication) -> None:
    """A later answer elsewhere made ours obsolete: it is no longer owed.

    A create that the PDS refused, or never answered, leaves no record: its key is given up, and what may still arrive is looked for.
    """
    gave_up = await tx.execute(GIVE_UP_KEY, kind=owned.kind, subject_id=owned.subject_id, now=tx.now)
    if gave_up and owned.uri is not None:
        await doubts.watch(tx, owned.uri, is_gone=owned.state is State.REFUSED)
        return
    await tx.execute(GIVE_UP_REVISION, kind=owned.kind, subject_id=owned.subject_id, now=tx.now)


async def adopt(tx: Transaction, *, uri: str, cid: str, body: bytes, rev: str) -> bool:
    """Somebody else changed the record and nothing was edited here: theirs is the new base."""
    return await tx.execute(ADOPT, uri=uri, cid=cid, body=body, rev=rev, now=tx.now) == 1


async def remember_merge(tx: Transaction, *, uri: str, edits: bytes, merged: bytes) -> None:
    """Keep what a merge is computed from and what it gave; what still differs from the record is due."""
    await tx.execute(REMEMBER_MERGE, uri=uri, edits=edits, merged=merged, now=tx.now)


async def attach(
    tx: Transaction, *, kind: Kind, subject_id: str, did: str, uri: str, cid: str, body: bytes, rev: str
) -> bool:
    """The subject has a record already, written by another app or before a restore: that one is ours to update."""
    return (
        await tx.execute(ATTACH, kind=kind, subject_id=subject_id, did=did, uri=uri, cid=cid, body=body, rev=rev) == 1
    )


def as_retracting(held: Publication) -> Publication:
    """The same lease after ``start_retracting``."""
    return replace(held, state=State.RETRACTING)


def publication_of(row: Row) -> Publication:
    """A row of ``COLUMNS`` as a value."""
    return Publication(
        Kind(row["kind"]),
        row["subject_id"],
        row["user_id"],
        State(row["state"]),
        row["revision"],
        row["sent_revision"],
        row["did"],
        row["uri"],
        row["chosen_cid"],
        _bytes(row["chosen_body"]),
        row["chosen_revision"],
        row["base_cid"],
        _bytes(row["base_body"]),
        row["base_rev"],
        _bytes(row["edits"]),
        _bytes(row["merged"]),
        row["rounds"],
        row["attempts"],
        row["lease"],
        Instant(row["edited_at"]),
        row["reason"],
        bool(row["is_recalled"]),
    )


def _bytes(value: bytes | memoryview | None) -> bytes | None:
    return None if value is None else bytes(value)
