"""One message, or a batch of them, applied: the join of records, and in the same transaction what it means.

The order inside: subjects are locked in uri order; our own bytes coming back settle what was sent; the guard of
``records.seen`` says whether this is the newest version; only then are rows derived. A message that has been applied,
or is older than what is known, changes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from at_protocol.data import cbor
from at_protocol.failures import Malformed
from at_protocol.syntax.did import Did
from at_protocol.syntax.tid import to_microseconds
from groundwork.clock import MINUTE
from groundwork.database.transaction import Transaction
from openmeet.attendance import actions as attendance
from openmeet.attendance.model import AttendanceId
from openmeet.debts import publication_leases
from openmeet.debts.publication_leases import Publication
from openmeet.debts.publications import Kind
from openmeet.events import actions as event_actions
from openmeet.events import queries as event_queries
from openmeet.events.model import EventId
from openmeet.ingestion import answers, events, parking
from openmeet.ingestion.events import Here, Version
from openmeet.records import erased, seen
from openmeet.records.collections import EVENTS, RSVPS
from openmeet.records.event import MAX_RECORD_BYTES, EventRead, read_event
from openmeet.records.message import RecordMessage
from openmeet.records.reading import Unmappable
from openmeet.records.row_lock import lock_row_of
from openmeet.records.rsvp import RsvpRead, has_durable_subject, read_rsvp, subject_of
from openmeet.records.seen import Seen, Standing

# A rev further ahead than this is refused from every source: it would block what follows.
MAX_AHEAD = 5 * MINUTE


class Outcome(StrEnum):
    """What became of one message; the label of a metric."""

    APPLIED = "applied"
    ECHO = "echo"
    KNOWN = "known"  # older than what is known, or the same
    PARKED = "parked"
    RAW = "raw"
    IGNORED = "ignored"  # of a collection that concerns nobody here
    FROM_THE_FUTURE = "from_the_future"


@dataclass(frozen=True, slots=True)
class _Reading:
    """A message as its record is understood: exactly one of ``event``, ``rsvp``, ``reason`` is set for a put."""

    message: RecordMessage
    event: EventRead | None = None
    rsvp: RsvpRead | None = None
    reason: str = ""

    @property
    def subject_uri(self) -> str | None:
        if self.rsvp is not None:
            return str(self.rsvp.subject)
        return self.message.uri if self.message.collection in EVENTS else None


@dataclass(frozen=True, slots=True)
class _Batch:
    """``owned``: uris of records that we write. ``waited_for``: events that parked answers wait for.

    ``erased``: up to which rev what a DID, or under a uri, was written stays away.
    """

    owned: set[str]
    waited_for: set[str]
    erased: dict[str, str]

    def is_erased(self, message: RecordMessage) -> bool:
        return message.rev <= max(self.erased.get(message.did, ""), self.erased.get(message.uri, ""))


async def apply(tx: Transaction, here: Here, messages: Sequence[RecordMessage]) -> list[Outcome]:
    """Apply messages in their order; one outcome each. Raises what the database raises, and then nothing is applied."""
    readings = [_read(tx, message) for message in messages]
    uris = {message.uri for message in messages}
    answer_uris = {message.uri for message in messages if message.collection in RSVPS}
    # Two locks, each in uri order, answers before events: what is known is read only under its lock.
    await seen.lock_answers(tx, answer_uris)
    before = await seen.find_many(tx, sorted(answer_uris))
    subjects = {reading.subject_uri for reading in readings} | {known.subject_uri for known in before.values()}
    subjects |= uris - answer_uris
    about = sorted(subject for subject in subjects if subject is not None)
    await seen.lock_subjects(tx, about)
    before |= await seen.find_many(tx, sorted(uris - answer_uris))
    # What the whole batch needs to know is asked once: a question costs more than an insert.
    batch = _Batch(
        await publication_leases.owned_among(tx, sorted(uris)),
        await seen.subjects_waited_for(tx, about),
        await erased.barriers(tx, here.erasure_keys, {*uris, *(message.did for message in messages)}),
    )
    outcomes: list[Outcome] = []
    touched: set[str] = set()
    for reading in readings:
        uri = reading.message.uri
        # A second message about one record in a batch must see what the first one left.
        known = await seen.find(tx, uri) if uri in touched else before.get(uri)
        touched.add(uri)
        outcomes.append(await _apply_one(tx, here, batch, reading, known))
    return outcomes


def _read(tx: Transaction, message: RecordMessage) -> _Reading:
    if message.body is None:
        return _Reading(message)
    if len(message.body) > MAX_RECORD_BYTES:
        return _Reading(message, reason=f"The record has more than {MAX_RECORD_BYTES} bytes.")
    try:
        record = cbor.decode(message.body)
        if message.collection in EVENTS:
            return _Reading(message, event=read_event(message.collection, record, rkey=message.rkey, indexed_at=tx.now))
        if message.collection in RSVPS:
            return _Reading(message, rsvp=read_rsvp(message.collection, record, rkey=message.rkey))
    except Unmappable as wrong:
        return _Reading(message, reason=wrong.why)
    except Malformed as wrong:
        return _Reading(message, reason=f"The record is not valid data: {wrong.why}.")
    return _Reading(message, reason="Records of this collection are not understood here.")


async def _apply_one(tx: Transaction, here: Here, batch: _Batch, reading: _Reading, known: Seen | None) -> Outcome:
    message = reading.message
    if message.collection not in EVENTS | RSVPS:
        return Outcome.IGNORED
    if to_microseconds(message.rev) > tx.now + MAX_AHEAD:
        return Outcome.FROM_THE_FUTURE
    if batch.is_erased(message):
        return Outcome.KNOWN
    is_ours = message.uri in batch.owned
    owned = await publication_leases.find_by_uri(tx, message.uri) if is_ours else None
    is_echo = False
    if owned is not None:
        await lock_row_of(tx, owned.kind, owned.subject_id)
    if owned is not None and message.cid is not None and message.body is not None:
        is_echo = await publication_leases.settle_by_echo(
            tx, uri=message.uri, cid=message.cid, rev=message.rev, body=message.body
        )
        if is_echo:
            owned = await _note_record(tx, message)
    if message.body is None:
        return await _delete(tx, message, known, owned)
    if message.collection in EVENTS:
        return await _put_event(tx, here, batch, reading, known, owned, is_echo=is_echo)
    return await _put_answer(tx, batch, reading, known, is_echo=is_echo)


async def _note_record(tx: Transaction, message: RecordMessage) -> Publication | None:
    """The echo came, perhaps before the PDS's answer: the subject learns where its record is."""
    owned = await publication_leases.find_by_uri(tx, message.uri)
    if owned is None or message.cid is None:
        return owned
    if owned.kind is Kind.EVENT:
        event_id = EventId(owned.subject_id)
        if await event_actions.note_record(tx, event_id, uri=message.uri, cid=message.cid, did=message.did):
            await attendance.decide_records_anew(tx, event_id)
    else:
        about = subject_of(cbor.decode(message.body or b""))
        await attendance.note_record(tx, AttendanceId(owned.subject_id), uri=message.uri, about=about)
    return owned


async def _put_event(
    tx: Transaction,
    here: Here,
    batch: _Batch,
    reading: _Reading,
    known: Seen | None,
    owned: Publication | None,
    *,
    is_echo: bool,
) -> Outcome:
    message, read = reading.message, reading.event
    standing = Standing.RAW if read is None else Standing.MAPPED
    is_newest = await seen.put(tx, message, standing=standing, reason=reading.reason, subject_uri=reading.subject_uri)
    if not is_newest and not is_echo:
        if known is not None and known.cid == message.cid:
            # Perhaps our own write, whose answer was noted before its echo came; or a version that overtook one.
            await _release(tx, batch, message)
            if owned is not None and owned.base_rev is not None and owned.base_rev < known.rev:
                await _rejoin(tx, here, message, owned)
        return Outcome.KNOWN
    if not is_newest:
        # The echo was overtaken by somebody else's edit: with the base settled, their version is joined anew.
        await _rejoin(tx, here, message, owned)
        return Outcome.ECHO
    if is_echo:
        await _release(tx, batch, message)
        return Outcome.ECHO
    if known is not None and known.cid == message.cid and known.standing is standing:
        return Outcome.KNOWN
    if read is None:
        return Outcome.RAW
    if owned is None:
        owned = await events.owned_by_event(tx, message.uri, _version(known))
    version = _version_of(message, message.cid or "", message.body or b"")
    await events.take_over(tx, here, version, read.event, owned)
    await _release(tx, batch, message)
    return Outcome.APPLIED


async def _release(tx: Transaction, batch: _Batch, message: RecordMessage) -> None:
    """Answers that came before this event count now."""
    if message.uri in batch.waited_for:
        batch.waited_for.discard(message.uri)
        await parking.release(tx, message.at_uri, await _event_id(tx, message.uri))


async def _rejoin(tx: Transaction, here: Here, message: RecordMessage, owned: Publication | None) -> None:
    newest = await seen.find(tx, message.uri)
    version = _version(newest)
    if newest is None or version is None or owned is None or newest.cid == owned.base_cid:
        return
    read = read_event(version.collection, cbor.decode(version.body), rkey=version.rkey, indexed_at=tx.now)
    await events.take_over(tx, here, version, read.event, owned)


async def _put_answer(
    tx: Transaction, batch: _Batch, reading: _Reading, known: Seen | None, *, is_echo: bool
) -> Outcome:
    message, read = reading.message, reading.rsvp
    standing, reason, event_id = Standing.RAW, reading.reason, None
    if read is not None:
        event_id = await _event_id(tx, str(read.subject)) if has_durable_subject(read) else None
        if event_id is not None:
            standing = Standing.MAPPED
        elif (known is not None and known.standing is Standing.PARKED) or await seen.may_park(tx, message.did):
            standing = Standing.PARKED
        else:
            reason = "Too many answers of this author wait for events that nobody has seen."
    is_newest = await seen.put(
        tx,
        message,
        standing=standing,
        reason=reason,
        subject_uri=reading.subject_uri,
        precedence="" if read is None else read.precedence,
    )
    if not is_newest:
        await _reconsider(tx, message, known)
        return Outcome.ECHO if is_echo else Outcome.KNOWN
    if is_echo:
        return Outcome.ECHO
    if known is not None and known.cid == message.cid and known.standing is standing:
        return Outcome.KNOWN
    if known is not None and known.subject_uri is not None and known.subject_uri != reading.subject_uri:
        # The record was about another event before: there the answer is gone.
        await answers.withdraw(
            tx,
            uri=message.uri,
            did=message.did,
            rev=message.rev,
            subject_uri=known.subject_uri,
            event_id=await _event_id(tx, known.subject_uri),
        )
    if read is None:
        return Outcome.RAW
    if event_id is None:
        batch.waited_for.add(str(read.subject))
        await parking.park(tx, read.subject)
        return Outcome.PARKED if standing is Standing.PARKED else Outcome.RAW
    await answers.derive(
        tx,
        did=message.did,
        subject_uri=str(read.subject),
        event_id=event_id,
        read=None if message.cid is None else (message.cid, read),
        after_rev="" if known is None else known.rev,
    )
    return Outcome.APPLIED


async def _reconsider(tx: Transaction, message: RecordMessage, known: Seen | None) -> None:
    """A read has brought this very version before, or its deletion: now it is known when that was made."""
    if known is None or known.cid != message.cid or known.rev <= message.rev or known.subject_uri is None:
        return
    event_id = await _event_id(tx, known.subject_uri)
    if event_id is not None:
        await answers.reconsider(
            tx, uri=message.uri, did=message.did, rev=message.rev, subject_uri=known.subject_uri, event_id=event_id
        )


async def _delete(tx: Transaction, message: RecordMessage, known: Seen | None, owned: Publication | None) -> Outcome:
    subject_uri = None if known is None else known.subject_uri
    if not await seen.put(tx, message, standing=Standing.TOMBSTONE, subject_uri=subject_uri):
        if message.collection in RSVPS:
            await _reconsider(tx, message, known)
        return Outcome.KNOWN
    if owned is None and (known is None or known.standing is Standing.TOMBSTONE):
        return Outcome.KNOWN
    if message.collection in EVENTS:
        await events.remove(tx, uri=message.uri, rev=message.rev, owned=owned)
        if owned is not None:
            await attendance.decide_records_anew(tx, EventId(owned.subject_id))
    else:
        event_id = None if subject_uri is None else await _event_id(tx, subject_uri)
        await answers.withdraw(
            tx,
            uri=message.uri,
            did=message.did,
            rev=message.rev,
            subject_uri=subject_uri,
            event_id=event_id,
            after_rev="" if known is None else known.rev,
        )
    return Outcome.APPLIED


async def _event_id(tx: Transaction, uri: str) -> EventId | None:
    event = await event_queries.by_record_uri(tx, uri)
    return None if event is None else event.id


def _version(known: Seen | None) -> Version | None:
    if known is None or known.cid is None or known.body is None:
        return None
    return Version(known.uri, Did(known.did), known.collection, known.rkey, known.rev, known.cid, known.body)


def _version_of(message: RecordMessage, cid: str, body: bytes) -> Version:
    return Version(message.uri, message.did, message.collection, message.rkey, message.rev, cid, body)
