"""What a batch of messages is about: its records locked, and what everything in it needs to know asked once."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from at_protocol.syntax.at_uri import parse_at_uri
from at_protocol.syntax.tid import to_microseconds
from groundwork.clock import MINUTE, Instant
from groundwork.database.transaction import Transaction
from openmeet.feature_flags.flags import Flag, Switches
from openmeet.network.ingestion import origins, ownership_transfer, remote_groups, remote_series
from openmeet.network.ingestion.events import Here
from openmeet.network.ingestion.parsed_messages import IngestResult, ParsedMessage
from openmeet.network.records import floors, links, seen
from openmeet.network.records import repository_state as erased
from openmeet.network.records.collections import CONCERNING, EVENTS, OF_GROUPS, OF_MEMBERS, RSVPS, SERIES_COLLECTIONS
from openmeet.network.records.links import lock_current
from openmeet.network.records.message import RecordMessage
from openmeet.network.records.seen import RecordState, SeenRecord
from openmeet.outbox import in_flight, publication_leases, publication_moves

# A rev further ahead than this is refused from every source: it would block what follows.
MAX_AHEAD = 5 * MINUTE


@dataclass(frozen=True, slots=True)
class Batch:
    """``before``: records as they were seen before, by uri. ``owned``: uris of records that we write.

    ``waited_for``: events that parked answers wait for. ``in_doubt``: (uri, CID) of creates of ours that may arrive late.
    ``former``: uris of records that something here had before it changed hands; ``leads``: to which record such a one leads now.
    ``freed_dates``: dates of series of others that lost their events on the way; ``appeared``: records of such series that said
    something new. Both are filled when everything is said.
    ``erased``: up to which rev what a DID, or under a uri, was written stays away.
    """

    before: dict[str, SeenRecord]
    owned: set[str]
    waited_for: set[str]
    in_doubt: frozenset[tuple[str, str]]
    erased: dict[str, str]
    switches: Switches
    former: set[str]
    leads: dict[str, str]
    freed_dates: remote_series.Freed = field(default_factory=dict)
    appeared: set[str] = field(default_factory=set)

    def following(self, readings: Sequence[ParsedMessage]) -> list[ParsedMessage]:
        """The messages, with answers to the record that their event has now."""
        return [self._following(reading) for reading in readings]

    def _following(self, reading: ParsedMessage) -> ParsedMessage:
        current = None if reading.rsvp is None else self.leads.get(str(reading.rsvp.subject))
        if reading.rsvp is None or current is None:
            return reading
        return replace(reading, rsvp=replace(reading.rsvp, subject=parse_at_uri(current)))

    def refusal(self, message: RecordMessage, now: Instant) -> IngestResult | None:
        """What becomes of a message of which nothing is taken; None where it is looked at."""
        if message.collection not in CONCERNING:
            return IngestResult.IGNORED
        if to_microseconds(message.rev) > now + MAX_AHEAD:
            return IngestResult.FROM_THE_FUTURE
        if message.rev <= max(self.erased.get(message.did, ""), self.erased.get(message.uri, "")):
            return IngestResult.KNOWN
        return None if self.is_late(message) or self._is_taken(message) else IngestResult.SWITCHED_OFF

    def is_late(self, message: RecordMessage) -> bool:
        """Whether it shows a create of ours under a key that we have given up."""
        return message.uri not in self.owned and (message.uri, message.cid) in self.in_doubt

    def may_be_ours(self, message: RecordMessage, now: Instant) -> bool:
        """Whether nobody knows of this record that it is there, and we could have written it: before a restore, or until we took it back.

        What stands meanwhile under an address that was taken back is no event, and hides none that comes back there.
        """
        known = self.before.get(message.uri)
        is_free = known is None or known.standing is RecordState.TOMBSTONE or message.uri in self.former
        is_new = known is None or (is_free and known.rev < message.rev)
        is_new = is_new and message.uri not in self.owned and not self.is_late(message)
        return is_new and self.refusal(message, now) in {None, IngestResult.SWITCHED_OFF}

    def _is_taken(self, message: RecordMessage) -> bool:
        """Whether records like this one are taken at present. Ours are, and what is gone is gone."""
        is_taken = message.body is None or message.uri in self.owned
        return is_taken or _flag_of(message.collection) in self.switches


def _flag_of(collection: str) -> Flag:
    """Without which records of a collection are not taken."""
    if collection in SERIES_COLLECTIONS:
        return Flag.SERIES_LEXICON
    if collection in OF_GROUPS:
        return Flag.MEMBERSHIPS if collection in OF_MEMBERS else Flag.GROUPS
    return Flag.EVENTS_IN if collection in EVENTS else Flag.RSVPS_IN


async def begin(tx: Transaction, here: Here, readings: Sequence[ParsedMessage]) -> Batch:
    """Lock what the messages are about, and read what is known of it.

    The floors of the repositories first. Then two locks, each in uri order, answers before events: what is known is read only
    under its lock.
    """
    await floors.hold(tx, {reading.message.did for reading in readings})
    uris = {reading.message.uri for reading in readings}
    answer_uris = {reading.message.uri for reading in readings if reading.message.collection in RSVPS}
    await seen.lock_answers(tx, answer_uris)
    before = await seen.find_many(tx, sorted(answer_uris))
    subjects = {reading.subject_uri for reading in readings} | {known.subject_uri for known in before.values()}
    named = {subject for subject in subjects if subject is not None}
    of_series, of_groups = remote_series.named_by(readings), remote_groups.named_by(readings)
    wanted = {_flag_of(one.message.collection) for one in readings if one.message.collection in CONCERNING}
    wanted |= {Flag.SERIES_LEXICON} if of_series else set()
    wanted |= {Flag.GROUPS} if of_groups else set()
    wanted |= {Flag.NATIVE_RECURRENCE} if any("rrule" in one.record for one in readings) else set()
    others = ownership_transfer.named_by(readings) | of_series | of_groups
    leads = await lock_current(tx, named, along={*await links.uris_of(tx, uris - answer_uris), *others})
    before |= await seen.find_many(tx, sorted(uris - answer_uris))
    former = await publication_moves.held_among(tx, uris - answer_uris)
    batch = Batch(
        before,
        await publication_leases.owned_among(tx, sorted(uris)),
        await seen.subjects_waited_for(tx, sorted({*named, *uris} - answer_uris)),
        await in_flight.among(tx, sorted(uris)),
        await erased.barriers(tx, here.erasure_keys, {*uris, *(reading.message.did for reading in readings)}),
        await here.flags.switches(tx, wanted),
        former=former,
        leads=leads,
    )
    unknown = [reading for reading in readings if batch.may_be_ours(reading.message, tx.now)]
    return replace(batch, owned=batch.owned | await origins.recognise(tx, here.instance, unknown))
