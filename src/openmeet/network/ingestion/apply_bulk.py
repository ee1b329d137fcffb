"""What many event records say that others write, taken over together: each becomes an event, or changes the one that it became."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from groundwork.database.row_lock import hold_each
from groundwork.database.transaction import Transaction
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.chat import queries as chat
from openmeet.domain.events import actions as event_actions
from openmeet.domain.events import by_record
from openmeet.domain.events.actions import RecordRead
from openmeet.domain.events.model import Event, NetworkEvent
from openmeet.domain.identities import actions as identities
from openmeet.domain.series.detection_actions import enqueue_detection
from openmeet.network.ingestion import events, notify, pending, remote_groups, remote_series
from openmeet.network.ingestion.batch import Batch
from openmeet.network.ingestion.events import Here
from openmeet.network.ingestion.parsed_messages import Outcome, Reading
from openmeet.network.records import seen
from openmeet.network.records.seen import Seen, Standing
from openmeet.outbox import former_records, publications
from openmeet.outbox.publications import Kind


@dataclass(frozen=True, slots=True)
class Put:
    """A record and what was known of it."""

    reading: Reading
    known: Seen | None


async def put_each(tx: Transaction, here: Here, batch: Batch, puts: Sequence[Put]) -> list[Outcome]:
    """Take over versions of different records, none of which is ours to write; one outcome each."""
    if not puts:
        return []
    versions = [
        seen.Put(
            one.reading.message,
            Standing.RAW if one.reading.event is None else Standing.MAPPED,
            one.reading.reason,
            one.reading.subject_uri,
        )
        for one in puts
    ]
    newest = await seen.put_each(tx, versions)
    outcomes: list[Outcome] = []
    applied: list[tuple[Put, NetworkEvent]] = []
    waited_for: list[str] = []
    for one, version in zip(puts, versions, strict=True):
        is_same = one.known is not None and one.known.cid == one.reading.message.cid
        if one.reading.message.uri not in newest:
            # Perhaps a version that overtook answers to it.
            waited_for += [one.reading.message.uri] if is_same else []
            outcomes.append(Outcome.KNOWN)
        elif is_same and one.known is not None and one.known.standing is version.standing:
            outcomes.append(Outcome.KNOWN)
        elif one.reading.event is None:
            outcomes.append(Outcome.RAW)
        else:
            applied.append((one, one.reading.event.event))
            waited_for.append(one.reading.message.uri)
            outcomes.append(Outcome.APPLIED)
    await _take_over(tx, here, batch, applied)
    await pending.release(tx, batch.waited_for, waited_for)
    return outcomes


async def _take_over(tx: Transaction, here: Here, batch: Batch, applied: Sequence[tuple[Put, NetworkEvent]]) -> None:
    if not applied:
        return
    uris = [one.reading.message.uri for one, _ in applied]
    await hold_each(tx, "events", "record_uri", uris)
    known = await by_record.events_with(tx, uris)
    edited = await publications.promised_among(tx, Kind.EVENT, [event.id for event in known.values()])
    authors = await identities.who_wrote_each(tx, {one.reading.message.did for one, _ in applied})
    records: dict[str, RecordRead] = {}
    for one, said in applied:
        message = one.reading.message
        event = known.get(message.uri)
        if event is not None and event.id in edited:
            await _join(tx, here, batch, one, said, event)
            continue
        author_id, _ = authors[message.did]
        own = events.without_own_links(said, here)
        records[message.uri] = RecordRead(message.uri, message.cid or "", author_id, own)
    changed = await event_actions.apply_each_from_network(tx, list(records.values()), known)
    await enqueue_detection(
        tx, {authors[one.reading.message.did] for one, _ in applied if one.reading.message.uri in records}
    )
    of_uri = {after.record_uri: (before, after) for before, after in changed}
    back = [after for before, after in changed if before is not None and before.is_without_record]
    await attendance.events_are_back(tx, back)
    puts = [one for one, _ in applied if one.reading.message.uri in records]
    await _tell(tx, puts, of_uri)
    made = {uri: after.id for uri, (before, after) in of_uri.items() if uri and before is None}
    await former_records.drop_each(tx, made)
    await pending.follow_record(tx, made)
    for one in puts:
        _, after = of_uri[one.reading.message.uri]
        if remote_groups.concerns_group(one.reading.record, after, batch.switches):
            await remote_groups.attribute(tx, after.id)
        if remote_series.says_more(one.reading.record, after, batch.switches):
            said = records[one.reading.message.uri].event
            version = events.version_of(one.reading.message)
            await remote_series.place(tx, version, said, after.id, batch.switches, batch.freed_dates)


async def _tell(tx: Transaction, puts: Sequence[Put], of_uri: Mapping[str | None, tuple[Event | None, Event]]) -> None:
    """Who is new has a room to talk in; whom a change concerns hears of it."""
    names: dict[str, str] = {}
    for one in puts:
        before, after = of_uri[one.reading.message.uri]
        if before is None or one.known is None:
            names[after.id] = after.title
        elif notify.is_news(before, after, tx.now):
            await notify.of_change(tx, before, after.id, one.reading.message.rev)
    await chat.open_for_events(tx, names)


async def _join(tx: Transaction, here: Here, batch: Batch, one: Put, said: NetworkEvent, event: Event) -> None:
    """Something was promised about the event, which is locked: what was edited here is merged."""
    message = one.reading.message
    version = events.version_of(message)
    before = None if one.known is None else events.version_seen(one.known)
    owned = await events.owned_by_event(tx, here, message.uri, before, version, said)
    event_id = await events.take_over(tx, here, version, said, owned)
    if one.known is not None:
        await notify.of_change(tx, event, event_id, message.rev)
    if owned is None:
        await remote_series.place(tx, version, said, event_id, batch.switches, batch.freed_dates)
