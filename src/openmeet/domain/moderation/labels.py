"""Labels from the labelers that this site subscribes to: which are in force, what they hide, and cursors. SQL.

The conditions ``hides_event`` and ``hides_person`` decide what labels hide. They accompany ``visibility.is_withheld``
for events, series and groups, and ``visibility.is_blocked`` for RSVPs. If a moderator trusts the event, the user or the
DID, labels have no effect.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from groundwork.clock import Instant
from groundwork.database.transaction import Reader, Transaction
from groundwork.errors import Explanation, encode_explanation, read_explanation
from openmeet.domain.moderation.model import SubjectVisibility
from openmeet.domain.users.model import UserId

# Label values that hide content. Others are only shown to moderators as warnings.
HIDING: Final = frozenset({"!hide", "!takedown", "spam"})

# Number of expired labels, or labels of a dropped labeler, to delete per transaction.
_AT_ONCE: Final = 500

_PUT = """
    insert into labels (source, subject, value, cid, negated, hides, labelled_at, expires_at, received_at)
    values (:source, :subject, :value, :cid, :negated, :hides, :labelled_at, :expires_at, :now)
        on conflict (subject, source, value, cid) do update
       set negated = excluded.negated, labelled_at = excluded.labelled_at, expires_at = excluded.expires_at,
           received_at = excluded.received_at
     where excluded.labelled_at > labels.labelled_at
        or (excluded.labelled_at = labels.labelled_at and excluded.negated > labels.negated)
"""


@dataclass(frozen=True, slots=True)
class NetworkLabel:
    """A label on a DID or a record's URI. ``cid`` is the version that it applies to, or empty for all versions."""

    source: str
    subject: str
    value: str
    cid: str
    is_negated: bool
    labelled_at: Instant
    expires_at: Instant | None

    @property
    def hides(self) -> bool:
        return self.value in HIDING


def _holds(label: str) -> str:
    return f"{label}.hides = 1 and {label}.negated = 0"


def _is_trusted(*subjects: str) -> str:
    return (
        f"exists (select 1 from moderation_states lt where lt.subject in ({', '.join(subjects)}) "
        f"and lt.state = '{SubjectVisibility.TRUSTED}')"
    )


def hides_person(person: str, *things: str) -> str:
    """SQL condition: a label on one of this user's DIDs (a column) hides their content.

    ``things``: columns with subject ids. Content is shown if a moderator trusts one of these subjects.
    """
    return (
        f"(exists (select 1 from identities li join labels l on l.subject = li.did where li.user_id = {person} "
        f"and {_holds('l')} and not {_is_trusted('li.did')}) and not {_is_trusted(person, *things)})"
    )


def hides_event(table: str) -> str:
    """SQL condition: a label on an event's record (on this version or on all) or on its host hides the event."""
    on_record = (
        f"exists (select 1 from labels l where l.subject = {table}.record_uri and {_holds('l')}"
        f" and l.cid in ('', coalesce({table}.record_cid, '')))"
    )
    trusted = _is_trusted(*(f"{table}.{name}" for name in ("id", "record_did", "author_id")))
    return f"(({on_record} or {hides_person(f'{table}.author_id')}) and not {trusted})"


async def put(tx: Transaction, label: NetworkLabel) -> bool:
    """Store a label or its negation. False if a newer one is known. An expired label counts as its negation."""
    expires_at = label.expires_at
    if expires_at is not None and expires_at <= tx.now and not label.is_negated:
        # An expired label replaces an older one in force but is not in force itself.
        label, expires_at = _negated(label), None
    changed = await tx.execute(
        _PUT,
        source=label.source,
        subject=label.subject,
        value=label.value,
        cid=label.cid,
        negated=int(label.is_negated),
        hides=int(label.hides),
        labelled_at=label.labelled_at,
        expires_at=None if label.is_negated else expires_at,
        now=tx.now,
    )
    if label.is_negated and not label.cid:
        # A negation for every version also ends the labels for single versions.
        changed += await tx.execute(
            "update labels set negated = 1, expires_at = null, labelled_at = :labelled_at, received_at = :now"
            " where subject = :subject and source = :source and value = :value and cid <> '' and negated = 0"
            " and labelled_at <= :labelled_at",
            source=label.source,
            subject=label.subject,
            value=label.value,
            labelled_at=label.labelled_at,
            now=tx.now,
        )
    return changed > 0


def _negated(label: NetworkLabel) -> NetworkLabel:
    return replace(label, is_negated=True, expires_at=None)


async def expire(tx: Transaction) -> list[str]:
    """End expired labels, a few hundred at a time, and return their subjects. Rows are kept, so that older labels
    cannot take effect again.
    """
    rows = await tx.fetch(
        "select source, subject, value, cid from labels where expires_at <= :now and negated = 0"
        " order by expires_at limit :limit",
        now=tx.now,
        limit=_AT_ONCE,
    )
    await tx.execute_many(
        "update labels set negated = 1, expires_at = null"
        " where source = :source and subject = :subject and value = :value and cid = :cid",
        [dict(row) for row in rows],
    )
    return sorted({row["subject"] for row in rows})


async def about(reader: Reader, subjects: Sequence[str]) -> dict[str, list[NetworkLabel]]:
    """Labels in force, by subject (DIDs and record URIs)."""
    labels: dict[str, list[NetworkLabel]] = {}
    if not subjects:
        return labels
    rows = await reader.fetch(
        "select source, subject, value, cid, negated, labelled_at, expires_at from labels"
        " where subject in :subjects and negated = 0 order by subject, value, source, cid",
        subjects=sorted(set(subjects)),
    )
    for row in rows:
        expires_at = None if row["expires_at"] is None else Instant(row["expires_at"])
        labels.setdefault(row["subject"], []).append(
            NetworkLabel(
                row["source"],
                row["subject"],
                row["value"],
                row["cid"],
                bool(row["negated"]),
                Instant(row["labelled_at"]),
                expires_at,
            )
        )
    return labels


async def hiding(reader: Reader, record_uri: str | None, person: UserId) -> list[NetworkLabel]:
    """Labels that hide a record, or all events of its host. The owner is shown them as the reason."""
    rows = await reader.fetch("select did from identities where user_id = :person order by did", person=person)
    subjects = [row["did"] for row in rows] + ([] if record_uri is None else [record_uri])
    return [one for labels in (await about(reader, subjects)).values() for one in labels if one.hides]


@dataclass(frozen=True, slots=True)
class Labeler:
    """A labeler's state. ``received_at``: when it last sent a label that was stored, or None."""

    did: str
    state: str
    reason: Explanation | None
    cursor: int
    changed_at: Instant
    received_at: Instant | None


async def labelers(reader: Reader) -> list[Labeler]:
    """Subscribed labelers, ordered by DID."""
    rows = await reader.fetch(
        "select did, state, reason, cursor, changed_at,"
        " (select max(received_at) from labels where source = did) as received_at from labelers order by did"
    )
    return [
        Labeler(
            row["did"],
            row["state"],
            read_explanation(row["reason"]),
            int(row["cursor"]),
            Instant(row["changed_at"]),
            None if row["received_at"] is None else Instant(row["received_at"]),
        )
        for row in rows
    ]


async def add_labeler(tx: Transaction, did: str) -> int:
    """Add a labeler. Returns the cursor to resume from; 0 means the start of its backlog."""
    await tx.execute(
        "insert into labelers (did, cursor, state, reason, changed_at) values (:did, 0, 'following', '', :now)"
        " on conflict (did) do nothing",
        did=did,
        now=tx.now,
    )
    row = await tx.fetch_one("select cursor from labelers where did = :did", did=did)
    return 0 if row is None else int(row["cursor"])


async def advance(tx: Transaction, did: str, cursor: int) -> None:
    """Store the labeler's cursor, up to which everything has been applied."""
    await tx.execute(
        "update labelers set cursor = :cursor, state = 'following', reason = '',"
        " changed_at = case when state = 'following' then changed_at else :now end"
        " where did = :did and cursor < :cursor",
        did=did,
        cursor=cursor,
        now=tx.now,
    )


async def set_state(tx: Transaction, did: str, state: str, reason: Explanation | None) -> None:
    """Set the state: subscribed (``following``), unavailable (``failing``) or waiting for an operator (``stopped``).

    ``changed_at`` is kept if the state does not change.
    """
    await tx.execute(
        "update labelers set state = :state, reason = :reason,"
        " changed_at = case when state = :state then changed_at else :now end where did = :did",
        did=did,
        state=state,
        reason=encode_explanation(reason),
        now=tx.now,
    )


async def drop_others(tx: Transaction, chosen: Sequence[str]) -> list[str]:
    """Reset labelers that are no longer configured, and return them for deletion.

    A labeler that is configured again is read from the start.
    """
    rows = await tx.fetch("select did from labelers order by did")
    dropped = [row["did"] for row in rows if row["did"] not in chosen]
    await tx.execute_many("update labelers set cursor = 0 where did = :did", [{"did": did} for did in dropped])
    return dropped


async def forget_some(tx: Transaction, did: str) -> bool:
    """Delete a few hundred labels of a labeler, and finally the labeler itself. False if nothing is left to delete."""
    deleted = await tx.execute(
        "delete from labels where source = :did and (subject, value, cid) in"
        " (select subject, value, cid from labels where source = :did limit :limit)",
        did=did,
        limit=_AT_ONCE,
    )
    if deleted == _AT_ONCE:
        return True
    await tx.execute("delete from labelers where did = :did", did=did)
    return False
