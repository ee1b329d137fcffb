"""What many RSVP records say, taken over together: each counts, waits for its event, or is kept with its reason."""

from collections.abc import Sequence
from dataclasses import dataclass

from groundwork.database.transaction import Transaction
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
    event_ids = await by_record.ids_with(tx, about)
    versions = await _versions(tx, puts, event_ids)
    newest = await seen.put_each(tx, versions)
    outcomes: list[Outcome] = []
    wanted: list[Answering] = []
    parked: list[str] = []
    for one, version in zip(puts, versions, strict=True):
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
        event_id = event_ids.get(version.subject_uri or "")
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


async def _versions(tx: Transaction, puts: Sequence[Put], event_ids: dict[str, EventId]) -> list[seen.Put]:
    """How each of them stands, as far as it is the newest."""
    early = [
        one.reading.message.did
        for one in puts
        if one.reading.rsvp is not None and str(one.reading.rsvp.subject) not in event_ids
    ]
    waiting = await seen.parked_of(tx, early)
    versions: list[seen.Put] = []
    for one in puts:
        message, read = one.reading.message, one.reading.rsvp
        standing, reason = Standing.RAW, one.reading.reason
        if read is not None:
            if str(read.subject) in event_ids:
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
