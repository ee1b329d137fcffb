"""State of a batch of messages: its records are locked, and everything known about them is loaded once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from at_protocol.syntax.at_uri import parse_at_uri
from at_protocol.syntax.tid import to_microseconds
from groundwork.clock import MINUTE, Instant
from groundwork.database.bulk import IDS_PER_STATEMENT
from groundwork.database.transaction import Reader, Transaction
from openmeet.domain.groups import record_queries
from openmeet.feature_flags.flags import Flag, Switches
from openmeet.network.ingestion import ownership_transfer, remote_groups, remote_series
from openmeet.network.ingestion.context import IngestionContext
from openmeet.network.ingestion.parsed_messages import IngestResult, ParsedMessage
from openmeet.network.records import erased_records, links, repository_state, seen, seen_rsvps
from openmeet.network.records.collections import (
    CONCERNING,
    EVENTS,
    GROUP,
    OF_GROUPS,
    OF_MEMBERS,
    RSVPS,
    SERIES_COLLECTIONS,
)
from openmeet.network.records.links import lock_current
from openmeet.network.records.message import RecordMessage
from openmeet.network.records.seen import RecordState, SeenRecord
from openmeet.outbox import in_flight, publication_queries, superseded_records

# A rev further in the future is refused from every source, because it would block later versions.
MAX_AHEAD = 5 * MINUTE


@dataclass(frozen=True, slots=True)
class Batch:
    """What is known about the records of a batch of messages, and what the batch has to do at its end."""

    # Records as last seen, by URI.
    seen_records: dict[str, SeenRecord]
    # Records that belong to a publication. They may not have been written yet.
    own_uris: set[str]
    # Records of events that RSVPs await.
    awaited_uris: set[str]
    # (URI, CID) of our writes that may still arrive; under an abandoned key they are late writes.
    in_flight: frozenset[tuple[str, str]]
    # The rev up to which a DID or URI was erased.
    erased: dict[str, str]
    switches: Switches
    # Superseded records of events, series and groups of this site.
    superseded_uris: set[str]
    # URI of a previous record → URI of the current one.
    current_uris: dict[str, str]
    # At the end: dates of other people's series that lost their events, and changed records of such series.
    freed_dates: remote_series.Freed = field(default_factory=dict)
    changed_series: set[str] = field(default_factory=set)

    def with_current_subjects(self, parsed_messages: Sequence[ParsedMessage]) -> list[ParsedMessage]:
        """Return the messages with RSVPs that refer to the current records of their events."""
        return [self._with_current_subject(parsed) for parsed in parsed_messages]

    def _with_current_subject(self, parsed: ParsedMessage) -> ParsedMessage:
        current = None if parsed.rsvp is None else self.current_uris.get(str(parsed.rsvp.subject))
        if parsed.rsvp is None or current is None:
            return parsed
        return replace(parsed, rsvp=replace(parsed.rsvp, subject=parse_at_uri(current)))

    def refusal(self, message: RecordMessage, now: Instant) -> IngestResult | None:
        """Return why a message is refused; None if it is to be applied."""
        if message.collection not in CONCERNING:
            return IngestResult.IGNORED
        if to_microseconds(message.rev) > now + MAX_AHEAD:
            return IngestResult.FROM_THE_FUTURE
        if message.rev <= max(self.erased.get(message.did, ""), self.erased.get(message.uri, "")):
            return IngestResult.KNOWN
        return None if self.is_late_write(message) or self._is_accepted(message) else IngestResult.SWITCHED_OFF

    def is_late_write(self, message: RecordMessage) -> bool:
        """Whether this message reports a write of ours under a record key that we have abandoned."""
        return message.uri not in self.own_uris and (message.uri, message.cid) in self.in_flight

    def may_be_ours(self, message: RecordMessage, now: Instant) -> bool:
        """Whether we could have written this record, although we do not know it: before the database was restored, or
        before we retracted it.

        If another kind of record is seen under a retracted URI, an event that returns there is still found.
        """
        seen_record = self.seen_records.get(message.uri)
        is_free = (
            seen_record is None or seen_record.state is RecordState.TOMBSTONE or message.uri in self.superseded_uris
        )
        is_new = seen_record is None or (is_free and seen_record.rev < message.rev)
        is_new = is_new and message.uri not in self.own_uris and not self.is_late_write(message)
        return is_new and self.refusal(message, now) in {None, IngestResult.SWITCHED_OFF}

    def _is_accepted(self, message: RecordMessage) -> bool:
        """Whether this site accepts such records at present. It always accepts deletions and our own records."""
        is_always_accepted = message.body is None or message.uri in self.own_uris
        return is_always_accepted or _flag_of(message.collection) in self.switches


async def refused_among(reader: Reader, context: IngestionContext, cids: Mapping[str, str]) -> set[str]:
    """Return which of these records (CIDs by URI) this site does not accept at present, because their kind is switched
    off. It always accepts its own records.
    """
    flags = {uri: _flag_of(str(parse_at_uri(uri).collection)) for uri in cids}
    switches = await context.flags.switches(reader, set(flags.values()))
    of_kinds_off = [uri for uri, flag in flags.items() if flag not in switches]
    refused: set[str] = set()
    for start in range(0, len(of_kinds_off), IDS_PER_STATEMENT):
        uris = of_kinds_off[start : start + IDS_PER_STATEMENT]
        own_uris = await publication_queries.with_publication_among(reader, uris)
        late_writes = await in_flight.among(reader, uris)
        refused.update(uri for uri in uris if uri not in own_uris and (uri, cids[uri]) not in late_writes)
    return refused


def _flag_of(collection: str) -> Flag:
    """Return the flag that must be on for records of a collection to be accepted."""
    if collection in SERIES_COLLECTIONS:
        return Flag.SERIES_LEXICON
    if collection in OF_GROUPS:
        return Flag.MEMBERSHIPS if collection in OF_MEMBERS else Flag.GROUPS
    return Flag.EVENTS_IN if collection in EVENTS else Flag.RSVPS_IN


async def load_batch(tx: Transaction, context: IngestionContext, parsed_messages: Sequence[ParsedMessage]) -> Batch:
    """Lock the records of the messages, and load what is known about them.

    The floors of the repositories are locked first. Two sets of record locks follow, RSVPs before events, each in URI
    order. A row is read only after it is locked.
    """
    await repository_state.lock_floors_for_share(tx, {parsed.message.did for parsed in parsed_messages})
    uris = {parsed.message.uri for parsed in parsed_messages}
    rsvp_uris = {parsed.message.uri for parsed in parsed_messages if parsed.message.collection in RSVPS}
    await seen.lock_records(tx, rsvp_uris)
    seen_records = await seen.find_many(tx, sorted(rsvp_uris))
    subjects = {parsed.subject_uri for parsed in parsed_messages} | {
        seen_record.subject_uri for seen_record in seen_records.values()
    }
    subject_uris = {subject for subject in subjects if subject is not None}
    of_series, of_groups = (
        remote_series.series_named_by(parsed_messages),
        remote_groups.groups_named_by(parsed_messages),
    )
    flags = {_flag_of(one.message.collection) for one in parsed_messages if one.message.collection in CONCERNING}
    flags |= {Flag.SERIES_LEXICON} if of_series else set()
    flags |= {Flag.GROUPS} if of_groups else set()
    flags |= {Flag.NATIVE_RECURRENCE} if any("rrule" in one.record for one in parsed_messages) else set()
    others = ownership_transfer.named_by(parsed_messages) | of_series | of_groups
    current_uris = await lock_current(tx, subject_uris, along={*await links.uris_of(tx, uris - rsvp_uris), *others})
    seen_records |= await seen.find_many(tx, sorted(uris - rsvp_uris))
    superseded_uris = await superseded_records.superseded_among(tx, uris - rsvp_uris)
    group_uris = {parsed.message.uri for parsed in parsed_messages if parsed.message.collection == GROUP}
    superseded_uris |= await record_queries.superseded_among(tx, group_uris)
    return Batch(
        seen_records,
        await publication_queries.with_publication_among(tx, sorted(uris)),
        await seen_rsvps.awaited_among(tx, sorted({*subject_uris, *uris} - rsvp_uris)),
        await in_flight.among(tx, sorted(uris)),
        await erased_records.erased_up_to(
            tx, context.erasure_keys, {*uris, *(parsed.message.did for parsed in parsed_messages)}
        ),
        await context.flags.switches(tx, flags),
        superseded_uris=superseded_uris,
        current_uris=current_uris,
    )
