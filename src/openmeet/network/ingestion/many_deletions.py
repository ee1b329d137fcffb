"""That many records of others are gone, taken over together: each leaves a tombstone, and what came of it goes with it.

What is deleted here was known to be there; of what was not, ``apply`` keeps the tombstone alone. Where somebody here has a say, or hears
of it, each is done by itself, by the same functions (``deletions``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from at_protocol.syntax.did import parse_did
from groundwork.database.row_lock import hold_each
from groundwork.database.transaction import Transaction
from openmeet.domain.attendance import crowds, network_rsvps
from openmeet.domain.events import actions as event_actions
from openmeet.domain.events import by_record
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.identities import queries as identity_queries
from openmeet.network.ingestion import deletions, notify, remote_series, rsvps
from openmeet.network.ingestion.batch import Batch
from openmeet.network.ingestion.events import Here
from openmeet.network.ingestion.parsed_messages import Outcome
from openmeet.network.ingestion.rsvps import Answering
from openmeet.network.records import seen
from openmeet.network.records.collections import RSVPS
from openmeet.network.records.message import RecordMessage
from openmeet.network.records.seen import Seen, Standing
from openmeet.outbox import publications
from openmeet.outbox.publications import Kind


@dataclass(frozen=True, slots=True)
class Gone:
    """The deletion of a record, and how it stood."""

    message: RecordMessage
    known: Seen


async def of_events(tx: Transaction, here: Here, batch: Batch, gone: Sequence[Gone]) -> list[Outcome]:
    """Records of events, none of which is or was ours to write; one outcome each."""
    newest = await _bury(tx, gone)
    uris = sorted(newest)
    await hold_each(tx, "events", "record_uri", uris)
    there = await by_record.events_with(tx, uris)
    # What was typed here about such an event is kept for the case that its record comes back.
    promised = await publications.promised_among(tx, Kind.EVENT, sorted(event.id for event in there.values()))
    together: dict[str, Event] = {}
    for one in gone:
        event = there.get(one.message.uri)
        if event is None:
            continue
        if event.id in promised or event.deleted_at is not None:
            await deletions.of_event(tx, here, batch, one.message, one.known, None)
        else:
            together[one.message.uri] = event
    ids = [event.id for event in together.values()]
    await event_actions.remove_each_from_network(tx, ids)
    heard = await crowds.heard_among(tx, ids)
    for one in gone:
        event = together.get(one.message.uri)
        if event is not None and event.id in heard:
            await notify.of_removal(tx, event, one.message.rev)
        if event is not None:
            await remote_series.leave(tx, event, batch.freed_dates)
    return _outcomes(gone, newest)


async def of_answers(tx: Transaction, gone: Sequence[Gone]) -> list[Outcome]:
    """Records of answers, none of which is ours to write; one outcome each."""
    newest = await _bury(tx, gone)
    applied = [one for one in gone if one.message.uri in newest]
    event_ids = await by_record.ids_with(tx, {one.known.subject_uri for one in applied if one.known.subject_uri})
    alone = await _not_of_strangers(tx, applied, event_ids)
    strangers = [one for one in applied if one.message.uri not in alone]
    uncovered = await _uncovered(tx, strangers, event_ids)
    await rsvps.derive_each(tx, [*uncovered.values()])
    last = [one for one in strangers if _pair(one) not in uncovered]
    left = await network_rsvps.withdraw_each(
        tx, {one.message.uri: event_ids.get(one.known.subject_uri or "") for one in last}
    )
    for one in applied:
        if one.message.uri in alone or one.message.uri in left:
            await deletions.of_answer(tx, one.message, one.known)
    return _outcomes(gone, newest)


async def _bury(tx: Transaction, gone: Sequence[Gone]) -> set[str]:
    """The uris of those that this is the newest word on."""
    return await seen.put_each(
        tx, [seen.Put(one.message, Standing.TOMBSTONE, subject_uri=one.known.subject_uri) for one in gone]
    )


def _outcomes(gone: Sequence[Gone], newest: set[str]) -> list[Outcome]:
    return [Outcome.APPLIED if one.message.uri in newest else Outcome.KNOWN for one in gone]


async def _not_of_strangers(tx: Transaction, gone: Sequence[Gone], event_ids: Mapping[str, EventId]) -> set[str]:
    """The uris of those whose authors have signed in, have several DIDs, or are yet to be met."""
    people = await identity_queries.of_people_with(tx, {one.message.did for one in gone})
    return {
        one.message.uri
        for one in gone
        if not (
            rsvps.is_stranger(people[one.message.did])
            if one.message.did in people
            else one.known.subject_uri not in event_ids
        )
    }


async def _uncovered(
    tx: Transaction, gone: Sequence[Gone], event_ids: Mapping[str, EventId]
) -> dict[tuple[str, str], Answering]:
    """Who has said something else to the same event that counts from now on; by the record of the event and the DID."""
    asked = {_pair(one): event_ids[uri] for one in gone if (uri := one.known.subject_uri) and uri in event_ids}
    effective = await seen.effective_answers(tx, asked, sorted(RSVPS))
    return {
        (uri, did): Answering(parse_did(did), uri, event_id)
        for (uri, did), event_id in asked.items()
        if (uri, did) in effective
    }


def _pair(one: Gone) -> tuple[str, str]:
    return one.known.subject_uri or "", one.message.did
