"""Takedown, suspension and their lifting, for accounts, records and blobs.

An account's status follows from all decisions about it. The host's decisions take precedence over the owner's: taken
down, suspended, deactivated, active. Each function runs in its caller's transaction (``subject_actions``), in which
announcing is the last call.
"""

from dataclasses import dataclass

from at_protocol.data.cid import Cid
from at_protocol.syntax.did import Did
from at_protocol.syntax.handle import Handle
from aurora_locus.accounts import queries, sessions
from aurora_locus.accounts.activation import KEPT_AT_LEAST
from aurora_locus.i18n.sentences import gettext_noop
from aurora_locus.moderation.subjects import AccountSubject, BlobSubject, RecordSubject, Subject
from aurora_locus.repository import hosting
from aurora_locus.repository.model import HostingStatus
from aurora_locus.repository.repositories import Repositories
from groundwork.clock import Instant
from groundwork.database.transaction import Reader, Writer
from groundwork.errors import NotFound, Refused

# Stored for a takedown without a reference, because the column also shows whether there is a takedown.
NO_REFERENCE = "takedown"

_FIND_ACCOUNT = """
    select handle, takedown_ref, suspended_at, suspended_until, deactivated_at, awaits from accounts where did = :did
"""
_SET_ACCOUNT = "update accounts set takedown_ref = :ref where did = :did"
_SUSPEND = "update accounts set suspended_at = :at, suspended_until = :until where did = :did"
_OVER = "select did from accounts where suspended_until <= :now order by suspended_until, did"
_RECORD = "did = :did and collection = :collection and rkey = :rkey"
_FIND_RECORD = f"select takedown_ref, cid from records where {_RECORD}"
_SET_RECORD = f"update records set takedown_ref = :ref where {_RECORD}"
_KEEP_DECISION = """
    insert into record_takedowns (did, collection, rkey, ref, decided_at)
    values (:did, :collection, :rkey, :ref, :decided_at)
    on conflict (did, collection, rkey) do update set ref = excluded.ref, decided_at = excluded.decided_at
"""
_DROP_DECISION = f"delete from record_takedowns where {_RECORD}"
_FIND_BLOB = "select takedown_ref from blobs where did = :did and cid = :cid"
_TAKE_DOWN_BLOB = "update blobs set takedown_ref = :ref where did = :did and cid = :cid"
# Its owner may have deleted the last record that refers to it, or imported one. A blob without a record is an upload
# again, which nobody is shown and the sweep deletes.
_LIFT_BLOB = """
    update blobs
       set takedown_ref = null, created_at = :now,
           state = case when exists (select 1 from blob_references r where r.did = :did and r.cid = :cid)
               then 'permanent' else 'temporary' end
     where did = :did and cid = :cid
"""


@dataclass(frozen=True, slots=True)
class SubjectStatus:
    """Current status of a subject. ``takedown`` is the reference of its takedown, or None; ``record_cid`` is the CID of
    a record.
    """

    takedown: str | None
    is_deactivated: bool | None = None
    record_cid: Cid | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountDecisions:
    """Everything that decides whether an account is hosted: takedown and suspension by the host, deactivation by its
    owner. ``is_announced``: the network has seen the account.
    """

    handle: Handle
    takedown: str | None
    suspended_at: Instant | None
    suspended_until: Instant | None
    deactivated_at: Instant | None
    is_announced: bool

    @property
    def status(self) -> HostingStatus:
        """The resulting status. The host's decisions take precedence over the owner's."""
        if self.takedown is not None:
            return HostingStatus.TAKENDOWN
        if self.suspended_at is not None:
            return HostingStatus.SUSPENDED
        return HostingStatus.DEACTIVATED if self.deactivated_at is not None else HostingStatus.ACTIVE


def decisions(w: Writer, did: Did) -> AccountDecisions:
    """Return the current decisions about an account. Raises NotFound."""
    row = w.fetch_one(_FIND_ACCOUNT, did=did)
    if row is None:
        raise _absent()
    return AccountDecisions(
        handle=Handle(row["handle"]),
        takedown=row["takedown_ref"],
        suspended_at=row["suspended_at"],
        suspended_until=row["suspended_until"],
        deactivated_at=row["deactivated_at"],
        is_announced=row["awaits"] is None,
    )


def take_down_account(w: Writer, did: Did, reference: str) -> None:
    """Take the account down. Every session ends, and stays ended when the takedown is lifted."""
    w.execute(_SET_ACCOUNT, did=did, ref=reference)
    _end_sessions(w, did)


def lift_takedown(w: Writer, did: Did) -> None:
    """Lift the takedown, so that other decisions apply again."""
    _postpone_deletion(w, did)
    w.execute(_SET_ACCOUNT, did=did, ref=None)


def suspend(w: Writer, did: Did, until: Instant | None) -> None:
    """Suspend the account until an instant or until lifted. Sessions end as with a takedown."""
    w.execute(_SUSPEND, did=did, at=w.now, until=until)
    _end_sessions(w, did)


def end_suspension(w: Writer, did: Did) -> None:
    """End the suspension, so that other decisions apply again."""
    _postpone_deletion(w, did)
    w.execute(_SUSPEND, did=did, at=None, until=None)


async def expired_suspensions(reader: Reader) -> list[Did]:
    """Return accounts whose suspension has expired but is not lifted yet."""
    return [Did(row["did"]) for row in await reader.fetch(_OVER, now=reader.now)]


def set_deactivated(w: Writer, did: Did, *, deactivated: bool) -> None:
    """Deactivate or reactivate the account on the owner's behalf.

    Raises Refused for an account that was never announced. Only its owner can complete it, and its deadline must stay.
    """
    if queries.waiting(w, did) is not None:
        raise Refused(
            gettext_noop(
                "This account isn’t complete yet: its owner must confirm the e-mail address, or finish moving here."
            ),
            name="InvalidRequest",
        )
    if deactivated:
        queries.set_deactivated(w, did)
    else:
        queries.set_shown(w, did)


def announce(w: Writer, repositories: Repositories, did: Did) -> None:
    """Apply and announce the resulting status. This must be the last call in its transaction. Raises NotFound.

    The status of an account that was never announced is applied only: the network learns of the account when its owner
    completes it.
    """
    current = decisions(w, did)
    if not current.is_announced:
        hosting.set_unannounced_status(w, repositories, did, current.status)
    elif current.status is HostingStatus.ACTIVE:
        hosting.activate(w, repositories, did, current.handle)
    else:
        hosting.set_status(w, repositories, did, current.status)


def _postpone_deletion(w: Writer, did: Did) -> None:
    """Give the owner of an account whose deadline has passed meanwhile some time to come back."""
    queries.postpone_deletion(w, did, Instant(w.now + KEPT_AT_LEAST))


def _end_sessions(w: Writer, did: Did) -> None:
    sessions.end_all(w, did)
    queries.end_access(w, did)


def decide_record(w: Writer, subject: RecordSubject, takedown: str | None) -> str | None:
    """Hide the record at this path from every method that reads records; None shows it again. The decision also applies
    to later versions of the record, also if its owner has deleted it meanwhile. Return the previous decision.

    Raises NotFound if the account is not on this server, or if there is nothing to lift.
    """
    key = {"did": subject.did, "collection": subject.collection, "rkey": subject.rkey}
    row = w.fetch_one(_FIND_RECORD, **key)
    if takedown is not None:
        decisions(w, subject.did)
        w.execute(_KEEP_DECISION, ref=takedown, decided_at=w.now, **key)
    elif w.execute(_DROP_DECISION, **key) == 0 and row is None:
        raise _absent()
    w.execute(_SET_RECORD, ref=takedown, **key)
    return None if row is None else row["takedown_ref"]


def decide_blob(w: Writer, subject: BlobSubject, takedown: str | None) -> str | None:
    """Stop serving a blob and refuse its upload; None allows both again. Return the previous decision.

    Raises NotFound.
    """
    key = {"did": subject.did, "cid": bytes(subject.cid)}
    row = w.fetch_one(_FIND_BLOB, **key)
    if row is None:
        raise _absent()
    if takedown is not None:
        w.execute(_TAKE_DOWN_BLOB, ref=takedown, **key)
    elif row["takedown_ref"] is not None:
        w.execute(_LIFT_BLOB, now=w.now, **key)
    return None if row["takedown_ref"] is None else str(row["takedown_ref"])


async def find(reader: Reader, subject: Subject) -> SubjectStatus:
    """Return the current status of a subject. Raises NotFound if it is not on this server."""
    match subject:
        case AccountSubject():
            row = await reader.fetch_one(_FIND_ACCOUNT, did=subject.did)
            if row is not None:
                return SubjectStatus(row["takedown_ref"], is_deactivated=row["deactivated_at"] is not None)
        case RecordSubject():
            row = await reader.fetch_one(
                _FIND_RECORD, did=subject.did, collection=subject.collection, rkey=subject.rkey
            )
            if row is not None:
                return SubjectStatus(row["takedown_ref"], record_cid=Cid(row["cid"]))
        case BlobSubject():
            row = await reader.fetch_one(_FIND_BLOB, did=subject.did, cid=bytes(subject.cid))
            if row is not None:
                return SubjectStatus(row["takedown_ref"])
    raise _absent()


def _absent() -> NotFound:
    return NotFound(gettext_noop("There’s no such account, record or blob here."), name="NotFound")
