"""Table ``moves``: one row per migration, and its statements."""

from dataclasses import dataclass
from enum import StrEnum

import msgspec

from at_network.bearer_session import BearerTokens
from at_protocol.syntax.did import Did
from aurora_locus.i18n.sentences import gettext_noop
from groundwork.clock import Instant
from groundwork.database.transaction import PlainReader, Reader, Row, Transaction, Writer
from groundwork.errors import Explanation, Reason, Refused, encode_explanation, read_explanation
from groundwork.sealing import Sealer


class MoveReason(Reason):
    """Why a migration failed. The messages are in ``i18n/sentences.py``."""

    NO_SUCH_MOVE = "move.no_such_move"
    NOT_ACTIVE_YET = "move.not_active_yet"
    OUR_ERROR = "move.our_error"


class MoveStage(StrEnum):
    """Stage of a migration. A stage starts only when the work of the previous one is done."""

    COPYING = "copying"
    """Records, files and preferences are being sent."""
    WAITING = "waiting"
    """Everything has been copied; the owner has not entered the code yet."""
    FINISHING = "finishing"
    """The operation is signed. It is submitted, then the account is activated on the other server and hidden on this
    one.
    """
    DONE = "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountMove:
    """A migration. ``problem`` is why it last failed; None if it did not."""

    did: Did
    target: str
    handle: str
    stage: MoveStage
    revision: int
    operation: str | None
    problem: Explanation | None
    has_records: bool
    blobs: int
    blobs_sent: int
    blobs_lost: int
    started_at: Instant
    changed_at: Instant


_COLUMNS = """
    did, target, handle, stage, revision, operation, problem, has_records, blobs, blobs_sent, blobs_lost, started_at,
    changed_at
"""
_FIND = f"select {_COLUMNS} from moves where did = :did"
_BEGIN = """
    insert into moves (did, target, handle, stage, revision, session, operation, problem, has_records, blobs, blobs_sent,
                       blobs_lost, started_at, changed_at)
    values (:did, :target, :handle, 'copying', :revision, :session, null, '', 0, 0, 0, 0, :now, :now)
    on conflict (did) do update
       set target = excluded.target, handle = excluded.handle, stage = 'copying', revision = excluded.revision,
           session = excluded.session, operation = null, problem = '', has_records = 0, blobs = 0, blobs_sent = 0,
           blobs_lost = 0, started_at = excluded.started_at, changed_at = excluded.changed_at
     where moves.stage <> 'finishing'
"""
_SESSION = "select session from moves where did = :did"
_KEEP_SESSION = "update moves set session = :session where did = :did"
_NOTE = """
    update moves set has_records = :has_records, blobs = :blobs, blobs_sent = :blobs_sent, blobs_lost = :blobs_lost,
           problem = '', changed_at = :now
     where did = :did and revision = :revision and stage = 'copying'
"""
_COPIED = (
    "update moves set stage = 'waiting', problem = '', changed_at = :now where did = :did and revision = :revision"
)
_IS_WAITING = "select 1 from moves where did = :did and stage = 'waiting'"
_SIGNED = """
    update moves set stage = 'finishing', operation = :operation, revision = revision + 1, problem = '', changed_at = :now
     where did = :did and stage = 'waiting'
    returning revision
"""
_DONE = """
    update moves set stage = 'done', session = null, problem = '', changed_at = :now
     where did = :did and revision = :revision and stage = 'finishing'
"""
_PROBLEM = "update moves set problem = :problem, changed_at = :now where did = :did and revision = :revision"
_AGAIN = (
    "update moves set revision = revision + 1, problem = '' where did = :did and stage in ('copying', 'finishing') "
    "returning revision"
)
_BEGIN_LAST_STEP = "update moves set problem = '' where did = :did and revision = :revision and stage = 'finishing'"
# While the last step is running, the identity can change at any moment. Only after it has failed is there a problem.
_DELETE = """
    delete from moves
     where did = :did and revision = :revision and stage = :stage and (stage <> 'finishing' or problem <> '')
"""


async def find(reader: Reader, did: Did) -> AccountMove | None:
    """Return the account's latest migration, if there is one."""
    row = await reader.fetch_one(_FIND, did=did)
    return None if row is None else _to_move(row)


async def begin(
    tx: Transaction, sealer: Sealer, did: Did, revision: int, *, target: str, handle: str, tokens: BearerTokens
) -> bool:
    """Insert the row of a migration in its first stage, replacing an earlier one. Return False if one is in its final
    stage.
    """
    session = _sealed(sealer, did, tokens)
    inserted = await tx.execute(
        _BEGIN, did=did, target=target, handle=handle, revision=revision, session=session, now=tx.now
    )
    return inserted == 1


async def tokens(reader: Reader, sealer: Sealer, did: Did) -> BearerTokens | None:
    """Return the tokens of the session on the other server; None if there is no session any more."""
    row = await reader.fetch_one(_SESSION, did=did)
    if row is None or row["session"] is None:
        return None
    access, refresh = msgspec.json.decode(sealer.unseal(bytes(row["session"]), purpose_of(did)), type=tuple[str, str])
    return BearerTokens(did, access, refresh)


async def keep_tokens(tx: Transaction, sealer: Sealer, new_tokens: BearerTokens) -> None:
    """Store a new token pair. Called before the pair is used."""
    await tx.execute(_KEEP_SESSION, did=new_tokens.did, session=_sealed(sealer, new_tokens.did, new_tokens))


async def note(
    tx: Transaction, move: AccountMove, *, has_records: bool, blobs: int, blobs_sent: int, blobs_lost: int
) -> bool:
    """Store the progress of the copy. Return False if the migration was restarted or cancelled in the meantime."""
    return (
        await tx.execute(
            _NOTE,
            did=move.did,
            revision=move.revision,
            has_records=int(has_records),
            blobs=blobs,
            blobs_sent=blobs_sent,
            blobs_lost=blobs_lost,
            now=tx.now,
        )
        == 1
    )


async def note_copied(tx: Transaction, move: AccountMove) -> None:
    """Record that everything has been copied to the other server. The migration now waits for the code."""
    await tx.execute(_COPIED, did=move.did, revision=move.revision, now=tx.now)


def require_waiting(reader: PlainReader, did: Did) -> None:
    """Raise Refused unless the migration waits for its signed operation."""
    if reader.fetch_one(_IS_WAITING, did=did) is None:
        raise cancelled()


def cancelled() -> Refused:
    """Return the failure of a step whose migration the owner has cancelled meanwhile."""
    return Refused(gettext_noop("This move was cancelled."))


async def store_signed_operation(tx: Transaction, did: Did, operation: str) -> int | None:
    """Store the operation before it is sent. Return the new revision, or None if the migration is not waiting for an
    operation.
    """
    row = await tx.fetch_one(_SIGNED, did=did, operation=operation, now=tx.now)
    return None if row is None else int(row["revision"])


async def note_completed(tx: Transaction, move: AccountMove) -> None:
    """Record that the account is active on the other server: the migration is complete."""
    await tx.execute(_DONE, did=move.did, revision=move.revision, now=tx.now)


async def note_problem(tx: Transaction, move: AccountMove, problem: Explanation) -> None:
    """Store a failure, for the owner to read in their language."""
    stored = encode_explanation(problem)
    await tx.execute(_PROBLEM, did=move.did, revision=move.revision, problem=stored, now=tx.now)


async def raise_revision(tx: Transaction, did: Did) -> int | None:
    """Raise the revision of a running migration, so that its job is enqueued again. Return None if none is running."""
    row = await tx.fetch_one(_AGAIN, did=did)
    return None if row is None else int(row["revision"])


def begin_last_step(w: Writer, move: AccountMove) -> bool:
    """Record that the last step is running, so that nobody can cancel it. Return False if it was cancelled before."""
    return w.execute(_BEGIN_LAST_STEP, did=move.did, revision=move.revision) == 1


def delete(w: Writer, move: AccountMove) -> bool:
    """Delete the migration. Return False if it has advanced in the meantime, or its last step is running."""
    return w.execute(_DELETE, did=move.did, revision=move.revision, stage=move.stage.value) == 1


def _sealed(sealer: Sealer, did: Did, pair: BearerTokens) -> bytes:
    return sealer.seal(msgspec.json.encode((pair.access, pair.refresh)), purpose_of(did))


def purpose_of(did: str) -> str:
    """The sealing purpose of an account's session on the other server."""
    return f"aurora_locus/move/{did}"


def _to_move(row: Row) -> AccountMove:
    return AccountMove(
        did=Did(row["did"]),
        target=row["target"],
        handle=row["handle"],
        stage=MoveStage(row["stage"]),
        revision=row["revision"],
        operation=row["operation"],
        problem=read_explanation(row["problem"]),
        has_records=bool(row["has_records"]),
        blobs=row["blobs"],
        blobs_sent=row["blobs_sent"],
        blobs_lost=row["blobs_lost"],
        started_at=Instant(row["started_at"]),
        changed_at=Instant(row["changed_at"]),
    )
