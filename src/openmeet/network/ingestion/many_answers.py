"""What many RSVP records say, taken over together: each counts, waits for its event, or is kept with its reason."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from groundwork.database.transaction import Transaction
from openmeet.domain.events import by_record
from openmeet.domain.events.model import EventId
from openmeet.network.ingestion import pending, reevaluate, rsvps
from openmeet.network.ingestion.batch import Batch
from openmeet.network.ingestion.parsed_messages import Outcome, Reading
from openmeet.network.ingestion.rsvps import Answering
from openmeet.network.records import seen
from openmeet.network.records.rsvp import has_durable_subject
from openmeet.network.records.seen import Seen, Standing

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
    event_ids = [_event_of(one, found) for one in puts]
    versions = await _versions(tx, puts, event_ids)
    newest = await seen.put_each(tx, versions)
    outcomes: list[Outcome] = []
    wanted: list[Answering] = []
    parked: list[str] = []
    for one, version, event_id in zip(puts, versions, event_ids, strict=True):
        message, read, known = one.reading.message, one.reading.rsvp, one.known
        is_known = known is not None and known.cid == message.cid and known.standing is version.standing
        if message.uri not in newest:
            await reevaluate.reconsider_with(tx, message, known)
            outcomes.append(Outcome.ECHO if one.is_echo else Outcome.KNOWN)
            continue
        if one.is_echo or is_known:
            outcomes.append(Outcome.ECHO if one.is_echo else Outcome.KNOWN)
            continue
        if known is not None and known.subject_uri is not None and known.subject_uri != version.subject_uri:
            # The record was about another event before: there the answer is gone.
            await rsvps.withdraw(
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
    await pending.park(tx, batch.waited_for, parked)
    await rsvps.derive_each(tx, wanted)
    return outcomes


def _event_of(put: Put, found: Mapping[str, EventId]) -> EventId | None:
    """The event that an answer is to, of those that were ``found`` by the addresses of their records."""
    return None if put.reading.rsvp is None else found.get(str(put.reading.rsvp.subject))


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
