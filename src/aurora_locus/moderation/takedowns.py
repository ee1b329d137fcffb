"""Taking down and lifting, for accounts, records and blobs.

An account's status follows from what was decided about it, the host before the owner: taken down, suspended, deactivated,
active. Each function runs in its caller's transaction, and announcing is the last thing it does.
"""

from dataclasses import dataclass

from at_protocol.data.cid import Cid
from at_protocol.syntax.did import Did
from at_protocol.syntax.handle import Handle
from aurora_locus.accounts import queries, sessions
from aurora_locus.moderation.subjects import AccountSubject, BlobSubject, RecordSubject, Subject
from aurora_locus.repository import hosting
from aurora_locus.repository.model import Status
from aurora_locus.repository.repositories import Repositories
from groundwork.database.transaction import Reader, Row, Writer
from groundwork.errors import NotFound

# Of a decision that was made without a reference: the column tells whether there is one.
NO_REFERENCE = "takedown"

_FIND_ACCOUNT = "select handle, takedown_ref, suspended_at, deactivated_at from accounts where did = :did"
_SET_ACCOUNT = "update accounts set takedown_ref = :ref where did = :did"
_RECORD = "did = :did and collection = :collection and rkey = :rkey"
_FIND_RECORD = f"select takedown_ref, cid from records where {_RECORD}"
_SET_RECORD = f"update records set takedown_ref = :ref where {_RECORD}"
_FIND_BLOB = "select takedown_ref from blobs where did = :did and cid = :cid"
_SET_BLOB = "update blobs set takedown_ref = :ref where did = :did and cid = :cid"


@dataclass(frozen=True, slots=True)
class Decision:
    """What holds about a subject now: ``takedown`` is its reference or None; ``record_cid`` is a record's address."""

    takedown: str | None
    is_deactivated: bool | None = None
    record_cid: Cid | None = None


def decide_account(
    w: Writer,
    repositories: Repositories,
    did: Did,
    *,
    takedown: str | None = None,
    lift: bool = False,
    deactivated: bool | None = None,
) -> None:
    """Take down (``takedown`` is the reference), or lift; deactivate or reactivate; announce what is then true.

    With nothing to change the status is announced once more. Raises NotFound.
    """
    row = w.fetch_one(_FIND_ACCOUNT, did=did)
    if row is None:
        raise _absent()
    if takedown is not None:
        w.execute(_SET_ACCOUNT, did=did, ref=takedown)
        # Whoever is signed in is not any more, also when this is lifted again.
        sessions.end_all(w, did)
        queries.end_access(w, did)
    elif lift:
        w.execute(_SET_ACCOUNT, did=did, ref=None)
    if deactivated is not None:
        queries.set_deactivated(w, did, w.now if deactivated else None, None)
    _announce(w, repositories, did)


def _announce(w: Writer, repositories: Repositories, did: Did) -> None:
    row = w.fetch_one(_FIND_ACCOUNT, did=did)
    if row is None:
        raise _absent()
    status = status_of(row)
    if status is Status.ACTIVE:
        hosting.activate(w, repositories, did, Handle(row["handle"]))
    else:
        hosting.set_status(w, repositories, did, status)


def status_of(row: Row) -> Status:
    """What follows from the decisions: the host's stand before the owner's."""
    if row["takedown_ref"] is not None:
        return Status.TAKENDOWN
    if row["suspended_at"] is not None:
        return Status.SUSPENDED
    if row["deactivated_at"] is not None:
        return Status.DEACTIVATED
    return Status.ACTIVE


def decide_record(w: Writer, subject: RecordSubject, takedown: str | None) -> None:
    """Hide a record from every reading method, or (None) show it again. Raises NotFound."""
    key = {"did": subject.did, "collection": subject.collection, "rkey": subject.rkey}
    if w.execute(_SET_RECORD, ref=takedown, **key) != 1:
        raise _absent()


def decide_blob(w: Writer, subject: BlobSubject, takedown: str | None) -> None:
    """Serve a blob no longer and take it from nobody again, or (None) serve it again. Raises NotFound."""
    if w.execute(_SET_BLOB, ref=takedown, did=subject.did, cid=bytes(subject.cid)) != 1:
        raise _absent()


async def find(reader: Reader, subject: Subject) -> Decision:
    """What holds about a subject. Raises NotFound for one that is not here."""
    match subject:
        case AccountSubject():
            row = await reader.fetch_one(_FIND_ACCOUNT, did=subject.did)
            if row is not None:
                return Decision(row["takedown_ref"], is_deactivated=row["deactivated_at"] is not None)
        case RecordSubject():
            row = await reader.fetch_one(
                _FIND_RECORD, did=subject.did, collection=subject.collection, rkey=subject.rkey
            )
            if row is not None:
                return Decision(row["takedown_ref"], record_cid=Cid(row["cid"]))
        case BlobSubject():
            row = await reader.fetch_one(_FIND_BLOB, did=subject.did, cid=bytes(subject.cid))
            if row is not None:
                return Decision(row["takedown_ref"])
    raise _absent()


def _absent() -> NotFound:
    return NotFound("There is no such account, record or blob here.", name="NotFound")
