"""What many RSVP records say, taken over together: each counts, waits for its event, or is kept with its reason."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from groundwork.database.transaction import Transaction
from openmeet.attendance import queries as attendance
from openmeet.attendance.model import AttendanceId
from openmeet.debts import publication_leases, publication_moves
from openmeet.debts.publications import Kind
from openmeet.events import by_record
from openmeet.events.model import EventId
from openmeet.ingestion import answers, parking, reconsidering
from openmeet.ingestion.answers import Answering
from openmeet.ingestion.batch import Batch
from openmeet.ingestion.readings import Outcome, Reading
from openmeet.records import seen
from openmeet.records.rsvp import has_durable_subject
from openmeet.records.seen import Seen, Standing

TOO_MANY = "Too many answers of this author wait for events that nobody has seen."


@dataclass(frozen=True, slots=True)
class Put:
    """A record and what was known of it. ``is_echo``: it is our own write that came back, and settled what was sent."""

    reading: Reading
    known: Seen | None
    is_echo: bool = False


async def put_each(tx: Transaction, batch: Batch, puts: Sequence[Put]) -> list[Outcome]:
    """Take over versions of different records, no two of them one person's about one event; one outcome each."""
    if not puts:
        return []
    about = {
        str(one.reading.rsvp.subject) for one in puts if one.reading.rsvp and has_durable_subject(one.reading.rsvp)
    }
    found = await by_record.ids_with(tx, about)
    event_ids = [await _event_of(tx, batch, one, found) for one in puts]
    versions = await _versions(tx, puts, event_ids)
    newest = await seen.put_each(tx, versions)
    outcomes: list[Outcome] = []
    wanted: list[Answering] = []
    parked: list[str] = []
    for one, version, event_id in zip(puts, versions, event_ids, strict=True):
        message, read, known = one.reading.message, one.reading.rsvp, one.known
        is_known = known is not None and known.cid == message.cid and known.standing is version.standing
        if message.uri not in newest:
            await reconsidering.reconsider_with(tx, message, known)
            outcomes.append(Outcome.ECHO if one.is_echo else Outcome.KNOWN)
            continue
        if one.is_echo or is_known:
            outcomes.append(Outcome.ECHO if one.is_echo else Outcome.KNOWN)
            continue
        if known is not None and known.subject_uri is not None and known.subject_uri != version.subject_uri:
            # The record was about another event before: there the answer is gone.
            await answers.withdraw(
                tx,
                uri=message.uri,
                did=message.did,
                rev=message.rev,
                subject_uri=known.subject_uri,
                event_id=await by_record.id_with(tx, known.subject_uri),
                after_rev=known.rev if message.is_read else message.rev,
            )
        if read is None:
            outcomes.append(Outcome.RAW)
        elif event_id is None:
            parked.append(str(read.subject))
            outcomes.append(Outcome.PARKED if version.standing is Standing.PARKED else Outcome.RAW)
        else:
            wanted.append(Answering(message.did, str(read.subject), event_id, (message.cid or "", read)))
            outcomes.append(Outcome.APPLIED)
    await parking.park(tx, batch, parked)
    await answers.derive_each(tx, wanted)
    return outcomes


async def _event_of(tx: Transaction, batch: Batch, put: Put, found: Mapping[str, EventId]) -> EventId | None:
    """The event that an answer is to, of those that were ``found`` by their records.

    One that we write, too, may be to the record that its event had until that was taken back. Then it goes as well, and whoever
    takes it away waits until its last word is heard here (``publication.payer``).
    """
    if put.reading.rsvp is None:
        return None
    subject = str(put.reading.rsvp.subject)
    if subject in found or put.reading.message.uri not in batch.owned:
        return found.get(subject)
    owned = await publication_leases.find_by_uri(tx, put.reading.message.uri)
    if owned is None or owned.kind is not Kind.RSVP:
        return None
    mine = await attendance.by_id(tx, AttendanceId(owned.subject_id))
    if mine is None or await publication_moves.taken_back_uri(tx, Kind.EVENT, mine.event_id) != subject:
        return None
    return mine.event_id


async def _versions(tx: Transaction, puts: Sequence[Put], event_ids: Sequence[EventId | None]) -> list[seen.Put]:
    """How each of them stands, as far as it is the newest."""
    early = [
        one.reading.message.did
        for one, event_id in zip(puts, event_ids, strict=True)
        if one.reading.rsvp is not None and event_id is None
    ]
    waiting = await seen.parked_of(tx, early)
    versions: list[seen.Put] = []
    for one, event_id in zip(puts, event_ids, strict=True):
        message, read = one.reading.message, one.reading.rsvp
        standing, reason = Standing.RAW, one.reading.reason
        if read is not None:
            if event_id is not None:
                standing = Standing.MAPPED
            elif one.known is not None and one.known.standing is Standing.PARKED:
                standing = Standing.PARKED
            elif waiting.get(message.did, 0) < seen.PARKED_PER_AUTHOR:
                waiting[message.did] = waiting.get(message.did, 0) + 1
                standing = Standing.PARKED
            else:
                reason = TOO_MANY
        precedence = "" if read is None else read.precedence
        versions.append(seen.Put(message, standing, reason, one.reading.subject_uri, precedence))
    return versions
