"""Recognize records that we wrote but that no row refers to, after a restore from a backup.

An origin mark (``openmeet.lexicon.origin``) is a claim that anybody can copy. It counts if everything else agrees: the
record is signed, is in the repository of the event's own author (or of its group), and has an unknown record key; the
event is here, would be published, and was never sent. Then the record belongs to the event, and no second one is
written. The counter in the mark decides which is newer: the record is newer than a row from the backup, unless the row
was edited since.

The same applies to a retracted record that an older copy of the repository has restored under its own key. It belongs
to the same event, and its publication is decided again. If the event has become private since, or its author has
withdrawn consent, the record is retracted again (invariants 3, 11); if it may be public, it is updated in place.
"""

from collections.abc import Callable, Sequence
from typing import Final

from prometheus_client import Counter

from groundwork.database.transaction import Transaction
from groundwork.telemetry.metrics import Metrics
from openmeet.domain.events import event_records
from openmeet.domain.events import queries as event_queries
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.events.publication import PublishLevel, reach_of
from openmeet.domain.groups import queries as group_queries
from openmeet.domain.identities import queries as identity_queries
from openmeet.network.ingestion.parsed_messages import ParsedMessage
from openmeet.network.records import links, seen
from openmeet.network.records.collections import EVENT
from openmeet.network.records.event_reader import OriginMark
from openmeet.network.records.message import RecordMessage
from openmeet.outbox import publication_moves, publications, superseded_records
from openmeet.outbox.publications import PublicationKind, RecordVersion

# No event is edited this often, so a greater counter is forged.
_MOST_EDITS: Final = 1_000_000


async def attach_own_records(tx: Transaction, instance: str, parsed_messages: Sequence[ParsedMessage]) -> set[str]:
    """Find our own records among unknown ones and attach them to their rows. Returns their URIs."""
    own_uris: set[str] = set()
    for parsed in parsed_messages:
        message, origin = parsed.message, None if parsed.event is None else parsed.event.origin
        if origin is None or origin.instance != instance or message.collection != EVENT or not message.is_verified:
            continue
        if not 0 < origin.version <= _MOST_EDITS or message.uri in own_uris:
            continue
        if await seen.is_history(tx, message.did, message.rev):
            continue  # an old message about a record that is known to be deleted (invariant 10)
        if await _attach_own_record(tx, message, EventId(origin.event_id), origin.version):
            own_uris.add(message.uri)
    return own_uris


async def raise_revision_to_counter(
    tx: Transaction, instance: str, origin: OriginMark | None, event_id: EventId
) -> None:
    """Raise the event's revision to the counter in its record, which is higher if the record is from before a restore."""
    if (
        origin is not None
        and (origin.instance, origin.event_id) == (instance, event_id)
        and origin.version <= _MOST_EDITS
    ):
        await event_queries.raise_revision(tx, event_id, origin.version)


async def _attach_own_record(tx: Transaction, message: RecordMessage, event_id: EventId, version: int) -> bool:
    event = await event_queries.lock_for_update(tx, event_id)
    if event is None or event.record_uri is not None or event.is_gone or event.is_draft:
        return False
    if message.did not in await _repositories_of(tx, event):
        return False
    if await event_records.by_record_uri(tx, message.uri) is not None:
        return False  # the record came back earlier, and a separate event was derived from it
    superseded = await superseded_records.find(tx, message.uri)
    if superseded is not None and superseded.subject_id != event.id:
        return False  # a copied mark: the URI belongs to another event
    is_back = superseded is not None and not superseded.is_there
    if reach_of(event) is PublishLevel.NOTHING and not is_back:
        return False
    # Counting continues from the record's counter: a smaller number would mark our version as older.
    revision = max(event.revision, version)
    await publications.enqueue(
        tx, kind=PublicationKind.EVENT, subject_id=event.id, user_id=event.author_id, revision=revision
    )
    if not await publication_moves.reattach(
        tx,
        RecordVersion(message.uri, message.rev, message.cid or "", message.body or b""),
        kind=PublicationKind.EVENT,
        subject_id=event.id,
        sent_revision=version,
        was_retracted_here=is_back,
    ):
        return False
    await event_queries.raise_revision(tx, event.id, revision)
    await links.note_event(tx, event.id, uri=message.uri, cid=message.cid or "", did=message.did)
    return True


async def _repositories_of(tx: Transaction, event: Event) -> set[str]:
    """Return the DIDs whose repositories may contain the event's record."""
    group = None if event.group is None else await group_queries.by_id(tx, event.group.id)
    account = None if group is None else group.network.account_id
    people = [event.author_id] if account is None else [event.author_id, account]
    return {
        one.did
        for identities_of_person in (await identity_queries.of_users(tx, people)).values()
        for one in identities_of_person
        if one.can_write
    }


CountUnknown = Callable[[str], object]
"""Called with the kind of the job whose DID could not be resolved."""


def uncounted(_kind: str) -> None:
    """Count nothing. For callers without metrics."""


def unknown_identities(metrics: Metrics) -> Counter:
    """Register the counter of unknown authors whose DID cannot be resolved, once per program."""
    return metrics.counter("unknown_identities", "Jobs about DIDs that cannot be resolved, by kind", ["kind"])
