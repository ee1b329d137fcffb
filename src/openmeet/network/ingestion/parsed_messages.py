"""A message with its parsed record, before any database access."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from at_protocol.data import cbor
from at_protocol.failures import Malformed
from groundwork.clock import Instant
from groundwork.errors import Explanation
from openmeet.network.records.collections import EVENTS, GROUP_COLLECTIONS, OF_GROUPS, RSVPS, SERIES_COLLECTIONS
from openmeet.network.records.event_reader import MAX_RECORD_BYTES, ParsedEvent, read_event
from openmeet.network.records.group import ParsedGroup, read_group
from openmeet.network.records.group_statements import GroupStatement, read_statement
from openmeet.network.records.message import RecordMessage
from openmeet.network.records.reading_notes import Unmappable
from openmeet.network.records.reasons import RecordReason
from openmeet.network.records.rsvp import ParsedRsvp, read_rsvp
from openmeet.network.records.series import ParsedSeries, read_series


class IngestResult(StrEnum):
    """The result of one message. The values are public: they are the ``outcome`` in the API and in a metric."""

    APPLIED = "applied"
    OWN_WRITE = "echo"  # our own write, which the firehose delivers to us
    LATE = "late"  # a write of ours that arrived after its key was abandoned
    KNOWN = "known"  # not newer than the stored version
    AWAITS_EVENT = "awaits_event"
    RAW = "raw"
    IGNORED = "ignored"  # from a collection that is not read here
    SWITCHED_OFF = "switched_off"  # of a kind that this site currently does not accept
    FROM_THE_FUTURE = "from_the_future"


@dataclass(frozen=True, slots=True)
class ParsedMessage:
    """A message and its parsed content. A put has at most one of the fields between ``message`` and ``record``;
    ``record`` is the decoded record, if it is a map.
    """

    message: RecordMessage
    event: ParsedEvent | None = None
    rsvp: ParsedRsvp | None = None
    series: ParsedSeries | None = None
    group: ParsedGroup | None = None
    statement: GroupStatement | None = None
    reason: Explanation | None = None
    record: Mapping[str, object] = field(default_factory=dict)

    @property
    def subject_uri(self) -> str | None:
        """The URI of the event or group record that this is about."""
        if self.rsvp is not None:
            return str(self.rsvp.subject)
        if self.statement is not None:
            return self.statement.group_uri
        return None if self.message.collection in RSVPS else self.message.uri


def read(message: RecordMessage, now: Instant) -> ParsedMessage:
    """Parse a message. If its record cannot be read, the result contains the reason."""
    if message.body is None:
        return ParsedMessage(message)
    if len(message.body) > MAX_RECORD_BYTES:
        return ParsedMessage(message, reason=RecordReason.TOO_LARGE(most=MAX_RECORD_BYTES))
    try:
        value = cbor.decode(message.body)
        record = value if isinstance(value, dict) else {}
        if message.collection in EVENTS:
            event = read_event(message.collection, value, rkey=message.rkey, indexed_at=now)
            return ParsedMessage(message, event=event, record=record)
        if message.collection in RSVPS:
            return ParsedMessage(message, rsvp=read_rsvp(message.collection, value, rkey=message.rkey), record=record)
        if message.collection in SERIES_COLLECTIONS:
            return ParsedMessage(message, series=read_series(message.collection, value), record=record)
        if message.collection in GROUP_COLLECTIONS:
            return ParsedMessage(message, group=read_group(message.collection, value), record=record)
        if message.collection in OF_GROUPS:
            return ParsedMessage(
                message, statement=read_statement(message.collection, message.did, value), record=record
            )
    except Unmappable as wrong:
        return ParsedMessage(message, reason=wrong.why)
    except Malformed as wrong:
        return ParsedMessage(message, reason=RecordReason.NOT_VALID(what=wrong.kind))
    return ParsedMessage(message, reason=RecordReason.UNKNOWN_COLLECTION())
