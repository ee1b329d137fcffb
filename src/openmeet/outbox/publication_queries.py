"""A publication as its handler and ingestion see it, and the queries for single publications.

Pages read ``publication_status`` instead; ``leased_publications`` leases what is due.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from groundwork.clock import Instant
from groundwork.database.transaction import Reader, Row
from groundwork.errors import Explanation, decode_explanation
from openmeet.outbox.publications import PublicationKind, PublicationState


@dataclass(frozen=True, slots=True)
class Publication:
    """One publication as its handler sees it.

    ``completed_revision``: the newest one for which nothing is left to send (``publication_columns``). ``chosen_*``: the
    version that was chosen for the write in flight, or for the last one. ``base_*``: the last version that we and the PDS
    agreed on. ``edits`` and ``merged``: see ``ingestion.three_way_merge``. ``merge_rounds``: how often a change by another
    app was merged since the last edit. ``deleting_cid``: the version that we tried to delete without getting a response.
    ``was_deleted_elsewhere``: another app deleted the record, and it was not published since.
    """

    kind: PublicationKind
    subject_id: str
    user_id: str
    state: PublicationState
    revision: int
    completed_revision: int
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
    merge_rounds: int
    attempts: int
    lease: int
    edited_at: Instant
    reason: Explanation | None
    is_withdrawn: bool
    deleting_cid: str | None
    was_deleted_elsewhere: bool

    @property
    def has_delete_in_flight(self) -> bool:
        """Whether a delete of ours may have taken effect or may still do so. If the record disappears, we may have
        deleted it ourselves.
        """
        is_deleting = self.deleting_cid is not None and self.deleting_cid == self.base_cid
        return is_deleting or self.state is PublicationState.RETRACTING

    @property
    def leased_state(self) -> PublicationState:
        """The state in which the row is leased. A retraction stays one."""
        return self.state if self.state is PublicationState.RETRACTING else PublicationState.SENDING

    @property
    def retry_state(self) -> PublicationState:
        """The state in which the row waits for another attempt. A retraction stays one."""
        return self.state if self.state is PublicationState.RETRACTING else PublicationState.RETRYING

    @property
    def has_unsent_revision(self) -> bool:
        """Whether there is an edit made here that is left to send: the PDS has not confirmed it, and it was neither given
        up nor completed without a write.
        """
        return self.revision > self.completed_revision

    @property
    def has_own_version(self) -> bool:
        """Whether a version of our own was ever chosen for its key. If not, another app wrote the record."""
        return self.chosen_revision is not None

    @property
    def may_exist_remotely(self) -> bool:
        """Whether the PDS may hold a record. It may if a key was chosen, because a request may have been sent."""
        return self.uri is not None


COLUMNS = """kind, subject_id, user_id, state, revision, completed_revision, did, uri, chosen_cid, chosen_body,
    chosen_revision, base_cid, base_body, base_rev, edits, merged, merge_rounds, attempts, lease, edited_at, reason,
    is_withdrawn, deleting_cid, was_deleted_elsewhere"""

_FIND = f"select {COLUMNS} from publications where kind = :kind and subject_id = :subject_id"

_FIND_BY_URI = f"select {COLUMNS} from publications where uri = :uri"

_WITH_PUBLICATION_AMONG = "select uri from publications where uri in :uris"


async def find(reader: Reader, kind: PublicationKind, subject_id: str) -> Publication | None:
    """The publication of a subject."""
    row = await reader.fetch_one(_FIND, kind=kind, subject_id=subject_id)
    return None if row is None else publication_of(row)


async def find_by_uri(reader: Reader, uri: str) -> Publication | None:
    """The publication that has this record; None if there is none."""
    row = await reader.fetch_one(_FIND_BY_URI, uri=uri)
    return None if row is None else publication_of(row)


async def uri_of(reader: Reader, kind: PublicationKind, subject_id: str) -> str | None:
    """URI of a subject's record; None if none was chosen. The record may not have been written yet."""
    row = await reader.fetch_one(
        "select uri from publications where kind = :kind and subject_id = :subject_id", kind=kind, subject_id=subject_id
    )
    return None if row is None else row["uri"]


async def users_with_records_in(reader: Reader, kind: PublicationKind, did: str) -> frozenset[str]:
    """Users whose records of this kind are, or once were, in a repository."""
    rows = await reader.fetch(
        "select distinct user_id from publications where kind = :kind and did = :did", kind=kind, did=did
    )
    return frozenset(row["user_id"] for row in rows)


async def with_publication_among(reader: Reader, uris: Sequence[str]) -> set[str]:
    """Which of these records belong to a publication. They may not have been written yet."""
    if not uris:
        return set()
    return {row["uri"] for row in await reader.fetch(_WITH_PUBLICATION_AMONG, uris=list(uris))}


def publication_of(row: Row) -> Publication:
    """Decode a row with the columns ``COLUMNS``."""
    return Publication(
        kind=PublicationKind(row["kind"]),
        subject_id=row["subject_id"],
        user_id=row["user_id"],
        state=PublicationState(row["state"]),
        revision=row["revision"],
        completed_revision=row["completed_revision"],
        did=row["did"],
        uri=row["uri"],
        chosen_cid=row["chosen_cid"],
        chosen_body=_bytes(row["chosen_body"]),
        chosen_revision=row["chosen_revision"],
        base_cid=row["base_cid"],
        base_body=_bytes(row["base_body"]),
        base_rev=row["base_rev"],
        edits=_bytes(row["edits"]),
        merged=_bytes(row["merged"]),
        merge_rounds=row["merge_rounds"],
        attempts=row["attempts"],
        lease=row["lease"],
        edited_at=Instant(row["edited_at"]),
        reason=decode_explanation(row["reason"]),
        is_withdrawn=bool(row["is_withdrawn"]),
        deleting_cid=row["deleting_cid"],
        was_deleted_elsewhere=bool(row["was_deleted_elsewhere"]),
    )


def _bytes(value: bytes | memoryview | None) -> bytes | None:
    return None if value is None else bytes(value)
