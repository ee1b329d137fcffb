"""Status of publications: of one record, as a page shows it to the record's owner, and the counts by state for metrics
and the operator's page.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from groundwork.clock import MINUTE, SECOND, Instant
from groundwork.database.bulk import IDS_PER_STATEMENT
from groundwork.database.transaction import Reader, Row
from groundwork.errors import Explanation, decode_explanation
from openmeet.outbox.publications import PublicationKind, PublicationState
from openmeet.outbox.reasons import PublicationReason, RecordStatus

# Shown instead of a state if another app wrote the record. The JSON API calls it imported.
FOREIGN: Final = "imported"

# Withheld rows with these reasons are sent once the person has consented and has a repository. All others stay here.
_PENDING: Final = frozenset(
    {
        PublicationReason.NOT_AGREED.value,
        PublicationReason.RECORD_HOLDER_NOT_AGREED.value,
        PublicationReason.NO_REPOSITORY.value,
        PublicationReason.NO_REPOSITORY_OF_GROUP.value,
    }
)


@dataclass(frozen=True, slots=True)
class PublicationStatus:
    """What a page shows about one record. ``due_at``: the next attempt. ``changed_at``: when the row was last changed by
    an edit, a decision or a message; the state need not have changed.

    ``is_withdrawn``: its owner withdrew it or their consent. It is not sent until they consent again or send it again.
    """

    state: PublicationState
    revision: int
    completed_revision: int
    uri: str | None
    reason: Explanation | None
    due_at: Instant
    changed_at: Instant
    was_merged: bool
    is_withdrawn: bool = False

    def state_for_api(self, *, is_foreign: bool) -> str:
        """The state in JSON. It is ``FOREIGN`` if another app wrote the record and nothing was changed here, so that
        nothing is withheld.
        """
        is_untouched = self.uri is None and self.revision == 0 and self.state is PublicationState.WITHHELD
        return FOREIGN if is_foreign and is_untouched else self.state.value

    @property
    def _is_kept_here(self) -> bool:
        """Whether the publisher decided that the record stays here, because its host or author does not want it
        published or a moderator is reviewing it.
        """
        return self.state is PublicationState.WITHHELD and self.reason is not None and self.reason.code not in _PENDING

    def explanation_for_owner(self, now: Instant, *, is_allowed: bool, is_foreign: bool = False) -> Explanation:
        """What the owner is told about the record.

        ``is_allowed``: the owner has consented and the subject is public, as of now. The state is the one from the
        publisher's last check, so it can be older than a decision. ``is_foreign``: the record is in a repository
        and another app wrote it.
        """
        if is_foreign and (self.uri is None or self.state is PublicationState.WITHHELD):
            if self.revision == 0:
                return RecordStatus.ON_THE_NETWORK()
            if not is_allowed or (self._is_kept_here and self.revision > self.completed_revision):
                return RecordStatus.CHANGED_ONLY_HERE()
        if self.is_withdrawn or not is_allowed:
            return self._explanation_if_unwanted()
        match self.state:
            case PublicationState.WITHHELD:
                is_pending = self.revision > self.completed_revision and not self._is_kept_here
                return RecordStatus.WAITING_FOR_PDS() if is_pending else RecordStatus.ONLY_HERE()
            case PublicationState.DUE | PublicationState.SENDING:
                return RecordStatus.WAITING_FOR_PDS()
            case PublicationState.PUBLISHED:
                return self._explanation_if_published()
            case PublicationState.WAITING | PublicationState.RETRYING | PublicationState.BLOCKED:
                return self._explanation_if_delayed(now)
            case PublicationState.REFUSED:
                return RecordStatus.REFUSED(problem=self.reason or "")
            case PublicationState.CONFLICTED:
                return RecordStatus.CONFLICTED()
            case PublicationState.RETRACTING:
                return RecordStatus.RETRACTING()
            case PublicationState.RETRACTED:
                return RecordStatus.RETRACTED()

    def _explanation_if_delayed(self, now: Instant) -> Explanation:
        """The status of a record whose publication waits for something, which the reason names."""
        match self.state, None if self.reason is None else self.reason.code:
            case PublicationState.WAITING, PublicationReason.ACCOUNTS_BEING_READ:
                return RecordStatus.WAITING_FOR_ACCOUNTS()
            case PublicationState.WAITING, _:
                return RecordStatus.WAITING_FOR_EVENT()
            case PublicationState.RETRYING, PublicationReason.FLAG_OFF:
                return RecordStatus.SWITCHED_OFF()
            case PublicationState.RETRYING, _:
                return _retry_status(self.due_at - now)
            case _, PublicationReason.NO_ACCESS_GRANTED:
                return RecordStatus.NO_ACCESS_GRANTED()
            case _:
                return RecordStatus.SIGN_IN_TO_PUBLISH()

    def _explanation_if_published(self) -> Explanation:
        if self.reason is None or self.reason.code != PublicationReason.PICTURE_TOO_LARGE:
            return RecordStatus.MERGED() if self.was_merged else RecordStatus.PUBLISHED()
        status = RecordStatus.MERGED_INCOMPLETE if self.was_merged else RecordStatus.PUBLISHED_INCOMPLETE
        return status(problem=self.reason)

    def _explanation_if_unwanted(self) -> Explanation:
        """The status of a record that must not be on the PDS."""
        if self.state is PublicationState.RETRACTED:
            return RecordStatus.RETRACTED()
        if self.uri is None:
            return RecordStatus.ONLY_HERE()
        match self.state:
            case PublicationState.PUBLISHED:
                return RecordStatus.PUBLISHED()
            case PublicationState.BLOCKED:
                return RecordStatus.SIGN_IN_TO_RETRACT()
            case _:
                return RecordStatus.RETRACTING()


def _retry_status(microseconds: int) -> Explanation:
    if microseconds <= SECOND:
        return RecordStatus.RETRYING_NOW()
    if microseconds < MINUTE:
        return RecordStatus.RETRYING_IN_SECONDS(seconds=microseconds // SECOND)
    return RecordStatus.RETRYING_IN_MINUTES(minutes=-(-microseconds // MINUTE))


NO_PUBLICATION = PublicationStatus(
    PublicationState.WITHHELD, 0, 0, None, None, Instant(0), Instant(0), was_merged=False
)

_SELECT: Final = """
    select subject_id, state, revision, completed_revision, uri, reason, due_at, changed_at, was_merged, is_withdrawn
      from publications where kind = :kind and subject_id in :ids
"""


async def statuses(reader: Reader, kind: PublicationKind, subject_ids: Sequence[str]) -> dict[str, PublicationStatus]:
    """The status of each subject. Those without a publication have ``NO_PUBLICATION``."""
    statuses_by_subject = dict.fromkeys(subject_ids, NO_PUBLICATION)
    if not statuses_by_subject:
        return statuses_by_subject
    rows = await reader.fetch(_SELECT, kind=kind, ids=list(statuses_by_subject))
    statuses_by_subject.update((row["subject_id"], _status_of(row)) for row in rows)
    return statuses_by_subject


def _status_of(row: Row) -> PublicationStatus:
    return PublicationStatus(
        PublicationState(row["state"]),
        row["revision"],
        row["completed_revision"],
        row["uri"],
        decode_explanation(row["reason"]),
        Instant(row["due_at"]),
        Instant(row["changed_at"]),
        was_merged=bool(row["was_merged"]),
        is_withdrawn=bool(row["is_withdrawn"]),
    )


_COUNT = "select kind, state, count(*) as n, min(due_at) as oldest from publications group by kind, state"


async def counts(reader: Reader) -> list[tuple[PublicationKind, PublicationState, int, Instant]]:
    """Rows of (kind, state, number of publications, oldest due time)."""
    return [
        (PublicationKind(row["kind"]), PublicationState(row["state"]), row["n"], Instant(row["oldest"]))
        for row in await reader.fetch(_COUNT)
    ]


@dataclass(frozen=True, slots=True)
class RefusedRecord:
    """A record that its PDS refused. ``uri``: None if it was to be created; then ``did`` is its repository, if one was
    chosen. ``refused_at``: when the row was last changed.
    """

    kind: PublicationKind
    subject_id: str
    did: str | None
    uri: str | None
    reason: Explanation | None
    refused_at: Instant


_NEWEST_REFUSED = """
    select kind, subject_id, did, uri, reason, changed_at from publications
     where state = 'refused' order by changed_at desc limit :limit
"""


async def newest_refused(reader: Reader, limit: int) -> list[RefusedRecord]:
    """At most ``limit`` refused records, the last refused first. Reads all publications, as ``counts`` does."""
    return [
        RefusedRecord(
            PublicationKind(row["kind"]),
            row["subject_id"],
            row["did"],
            row["uri"],
            decode_explanation(row["reason"]),
            Instant(row["changed_at"]),
        )
        for row in await reader.fetch(_NEWEST_REFUSED, limit=limit)
    ]


async def subjects_with_publication(
    reader: Reader, kind: PublicationKind, subject_ids: Sequence[str]
) -> frozenset[str]:
    """Which of these subjects have a publication, in any state."""
    subjects: set[str] = set()
    for start in range(0, len(subject_ids), IDS_PER_STATEMENT):
        rows = await reader.fetch(
            "select subject_id from publications where kind = :kind and subject_id in :ids order by subject_id",
            kind=kind,
            ids=list(subject_ids[start : start + IDS_PER_STATEMENT]),
        )
        subjects.update(row["subject_id"] for row in rows)
    return frozenset(subjects)
