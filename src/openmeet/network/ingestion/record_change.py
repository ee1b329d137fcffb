"""A message about a record, with what is known about that record."""

from dataclasses import dataclass

from groundwork.database.transaction import Transaction
from openmeet.network.ingestion.parsed_messages import ParsedMessage
from openmeet.network.records import seen
from openmeet.network.records.collections import EVENTS
from openmeet.network.records.message import RecordMessage
from openmeet.network.records.seen import RecordState, RecordUpdate, SeenRecord
from openmeet.network.records.versions import last_readable_version
from openmeet.outbox.publication_queries import Publication


@dataclass(frozen=True, slots=True)
class RecordChange:
    """A version of a record, or its deletion, with the record as last seen and the publication to which it belongs, if
    any. Both are locked.

    ``is_own_write``: the publication knows this version, as our own write or as its base (``apply_own_write``).
    """

    parsed: ParsedMessage
    seen_record: SeenRecord | None
    publication: Publication | None = None
    is_own_write: bool = False

    @property
    def message(self) -> RecordMessage:
        return self.parsed.message

    @property
    def state(self) -> RecordState:
        """The state in which this version is stored. An RSVP may have to await its event instead."""
        return RecordState.RAW if self.parsed.reason else RecordState.MAPPED

    @property
    def update(self) -> RecordUpdate:
        """The row of ``records`` to store for this version: its message, state and subject, and why it cannot be applied.
        Of an event that cannot be read, the last readable version is kept beside it.
        """
        is_unreadable_event = self.message.collection in EVENTS and self.state is RecordState.RAW
        readable = last_readable_version(self.seen_record) if is_unreadable_event else None
        return RecordUpdate(self.message, self.state, self.parsed.reason, self.parsed.subject_uri, readable=readable)

    @property
    def is_same_version(self) -> bool:
        """Whether the record as last seen has the same content, or was deleted too."""
        return self.seen_record is not None and self.seen_record.cid == self.message.cid

    @property
    def is_known(self) -> bool:
        """Whether the record as last seen has the same content in the same state, so that nothing is left to derive."""
        return self.seen_record is not None and self.is_same_version and self.seen_record.state is self.state

    @property
    def is_absent(self) -> bool:
        """Whether the record is unknown, or deleted as last seen."""
        return self.seen_record is None or self.seen_record.state is RecordState.TOMBSTONE

    @property
    def former_subject_uri(self) -> str | None:
        """The event or group that the record as last seen is about."""
        return None if self.seen_record is None else self.seen_record.subject_uri

    @property
    def is_base_outdated(self) -> bool:
        """Whether the record as last seen is newer than the version that we and the PDS agreed on."""
        base_rev = None if self.publication is None else self.publication.base_rev
        return self.seen_record is not None and base_rev is not None and base_rev < self.seen_record.rev


async def store(tx: Transaction, change: RecordChange) -> bool:
    """Store this version if it is the newest. Returns False if it is not; then nothing may be derived from it."""
    return bool(await seen.put_each(tx, [change.update]))
