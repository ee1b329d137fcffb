"""Recognise records that we wrote but that no row refers to, after a restore from a backup.

An origin mark (``openmeet.lexicon.origin``) is a claim that anybody can copy. It counts if everything else agrees: the
record is signed, is in the repository of the event's own author (or of its group), and has an unknown record key; the
event is here, would be published, and was never sent. Then the record belongs to the event, and no second one is
written. The counter in the mark decides which is newer: the record is newer than a row from the backup, unless the row
was edited since.

Records of groups and series have no mark. They have the key of the first record (``records.first_keys``), and they
link to a page of this site. They have no counter either: the record is newer than a row from the backup, unless the row
was edited after the commit of the record.

The same applies to a retracted record that an older copy of the repository has restored under its own key. It belongs
to the same event, group or series, and its publication is decided again. If that has become private since, or its
author has withdrawn consent, the record is retracted again (invariants 3, 11); if it may be public, it is updated in
place.

A superseded record that is restored while somebody else owns its subject belongs to its own publication again: it links
to the current record, or is deleted again.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

from groundwork.database.transaction import Reader, Transaction
from openmeet.domain.events import event_records
from openmeet.domain.events import queries as event_queries
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.events.publication import PublishLevel, reach_of
from openmeet.domain.groups import queries as group_queries
from openmeet.domain.groups import record_queries
from openmeet.domain.groups.publication import GroupPublishLevel, publish_level_of, record_holder_of
from openmeet.domain.identities import queries as identity_queries
from openmeet.domain.series import queries as series_queries
from openmeet.domain.series.model import SeriesId
from openmeet.domain.users.model import UserId
from openmeet.network.ingestion import local_groups, local_series
from openmeet.network.ingestion.parsed_messages import ParsedMessage
from openmeet.network.records import links, repository_state
from openmeet.network.records.collections import EVENT, GROUP, SERIES
from openmeet.network.records.event_reader import OriginMark
from openmeet.network.records.first_keys import first_key, ids_with_first_key
from openmeet.network.records.group import is_group_of
from openmeet.network.records.message import RecordMessage
from openmeet.network.records.series import is_series_of
from openmeet.network.records.versions import version_of
from openmeet.outbox import publication_moves, publication_queries, publications, superseded_records
from openmeet.outbox.publications import SUPERSEDED_KIND, PublicationKind, SubjectRevision
from openmeet.outbox.superseded_records import SupersededRecord

SubjectId = TypeVar("SubjectId", bound=str)

# No event is edited this often, so a greater counter is forged.
_MAX_EDITS: Final = 1_000_000


async def attach_own_records(tx: Transaction, instance: str, parsed_messages: Sequence[ParsedMessage]) -> set[str]:
    """Find our own records among unknown ones and attach them to their rows. Returns their URIs."""
    own_uris: set[str] = set()
    for parsed in parsed_messages:
        message = parsed.message
        if not _may_be_own(instance, parsed) or message.uri in own_uris:
            continue
        if await repository_state.is_history(tx, message.did, message.rev):
            continue  # an old message about a record that is known to be deleted (invariant 10)
        if await _attach(tx, parsed):
            own_uris.add(message.uri)
    return own_uris


async def raise_revision_to_counter(
    tx: Transaction, instance: str, origin: OriginMark | None, event_id: EventId
) -> None:
    """Raise the event's revision to the counter in its record, which is higher if the record is from before a restore."""
    if (
        origin is not None
        and (origin.instance, origin.event_id) == (instance, event_id)
        and origin.version <= _MAX_EDITS
    ):
        await event_queries.raise_revision(tx, event_id, origin.version)


def _may_be_own(instance: str, parsed: ParsedMessage) -> bool:
    """Whether the record claims to be written by us. Anybody can write that."""
    if not parsed.message.is_verified:
        return False
    collection = parsed.message.collection
    if collection == EVENT:
        origin = None if parsed.event is None else parsed.event.origin
        return origin is not None and origin.instance == instance and 0 < origin.version <= _MAX_EDITS
    if collection == SERIES:
        return parsed.series is not None and is_series_of(instance, parsed.record)
    return collection == GROUP and parsed.group is not None and is_group_of(instance, parsed.record)


async def _attach(tx: Transaction, parsed: ParsedMessage) -> bool:
    if parsed.event is not None and parsed.event.origin is not None:
        origin = parsed.event.origin
        return await _attach_to_event(tx, parsed.message, EventId(origin.event_id), origin.version)
    if parsed.group is not None:
        return await _attach_to_group(tx, parsed.message)
    return await _attach_to_series(tx, parsed.message)


async def _attach_to_event(tx: Transaction, message: RecordMessage, event_id: EventId, version: int) -> bool:
    event = await event_queries.lock_for_update(tx, event_id)
    if event is None or event.is_gone or event.is_draft:
        return False
    if await event_records.by_record_uri(tx, message.uri) is not None:
        return False  # the record came back earlier, and a separate event was derived from it
    superseded = await superseded_records.find(tx, message.uri)
    if superseded is not None and superseded.subject_id != event.id:
        return False  # a copied mark: the URI belongs to another event
    if event.record_uri is not None or message.did not in await _repositories_of_event(tx, event):
        return superseded is not None and await _attach_to_superseded(tx, message, superseded)
    is_back = superseded is not None and not superseded.is_there
    if reach_of(event) is PublishLevel.NOTHING and not is_back:
        return False
    # Counting continues from the record's counter: a smaller number would mark our version as older.
    revision = max(event.revision, version)
    await publications.enqueue(
        tx, kind=PublicationKind.EVENT, subject_id=event.id, user_id=event.author_id, revision=revision
    )
    if not await publication_moves.reattach_after_restore(
        tx,
        version_of(message),
        kind=PublicationKind.EVENT,
        subject_id=event.id,
        completed_revision=version,
        may_reuse_retracted=is_back,
    ):
        return False
    await event_queries.raise_revision(tx, event.id, revision)
    await links.store_event_location(tx, event.id, uri=message.uri, cid=message.cid or "", did=message.did)
    return True


async def _attach_to_group(tx: Transaction, message: RecordMessage) -> bool:
    superseded = await record_queries.group_of_superseded(tx, message.uri)
    group_id = superseded or await _with_first_key(tx, message, group_queries.ids_between)
    group = None if group_id is None else await group_queries.lock(tx, group_id)
    if group is None or group.deleted_at is not None or group.is_read_only:
        return False
    if await record_queries.by_record(tx, message.uri) is not None:
        return False  # the record came back earlier, and a separate group was derived from it
    holder_id = record_holder_of(group)
    if group.network.record_uri is not None or message.did not in await _repositories_of(tx, [holder_id]):
        return superseded is not None and await _attach_to_superseded_group(tx, message)
    is_back = await record_queries.is_retracted(tx, message.uri)
    if is_back and await _was_deleted_elsewhere(tx, PublicationKind.GROUP, group.id):
        if not await _reattach_after_deletion(tx, message, PublicationKind.GROUP, group.id):
            return False
        await local_groups.publish_again(tx, group)
        await links.store_group_location(tx, group.id, message.uri, message.cid)
        return True
    if publish_level_of(group) is GroupPublishLevel.NOTHING and not is_back:
        return False
    subject = SubjectRevision(group.id, holder_id, group.revision, group.updated_at)
    if not await _reattach_uncounted(tx, message, PublicationKind.GROUP, subject, is_back=is_back):
        return False
    await links.store_group_location(tx, group.id, message.uri, message.cid)
    return True


async def _attach_to_series(tx: Transaction, message: RecordMessage) -> bool:
    superseded = await superseded_records.find(tx, message.uri)
    if superseded is not None and superseded.kind is not PublicationKind.SERIES:
        return False
    found = await _with_first_key(tx, message, series_queries.ids_between)
    series_id = found if superseded is None else SeriesId(superseded.subject_id)
    series = None if series_id is None else await series_queries.lock(tx, series_id)
    if series is None or series.deleted_at is not None or series.is_read_only:
        return False
    if await series_queries.by_record_uri(tx, message.uri) is not None:
        return False  # the record came back earlier, and a separate series was derived from it
    if series.record_uri is not None or message.did not in await _repositories_of(tx, [series.owner_id]):
        return superseded is not None and await _attach_to_superseded(tx, message, superseded)
    is_back = superseded is not None and not superseded.is_there
    if is_back and await _was_deleted_elsewhere(tx, PublicationKind.SERIES, series.id):
        if not await _reattach_after_deletion(tx, message, PublicationKind.SERIES, series.id):
            return False
        await links.store_series_location(tx, series.id, message.uri)
        return True
    if local_series.is_being_retracted(series) and not is_back:
        return False
    subject = SubjectRevision(series.id, series.owner_id, series.revision, series.updated_at)
    if not await _reattach_uncounted(tx, message, PublicationKind.SERIES, subject, is_back=is_back):
        return False
    await links.store_series_location(tx, series.id, message.uri)
    return True


async def _attach_to_superseded(tx: Transaction, message: RecordMessage, superseded: SupersededRecord) -> bool:
    """Attach a superseded record that is back to its own publication. A record that its author wrote in another app is
    left to them.
    """
    if superseded.is_foreign or not await _reattach_superseded(tx, message, SUPERSEDED_KIND[superseded.kind]):
        return False
    await superseded_records.mark_restored(tx, message.uri)
    return True


async def _attach_to_superseded_group(tx: Transaction, message: RecordMessage) -> bool:
    """``_attach_to_superseded`` for a superseded record of a group."""
    if not await _reattach_superseded(tx, message, PublicationKind.SUPERSEDED_GROUP):
        return False
    await record_queries.mark_superseded_restored(tx, message.uri, message.cid or "")
    return True


async def _reattach_superseded(tx: Transaction, message: RecordMessage, kind: PublicationKind) -> bool:
    """Attach a superseded record, unless its owner of that time has disconnected the account since.

    The current record names it again when it is written next. If it were written at once, whoever deletes and restores
    the superseded record repeatedly would cause any number of writes in another repository.
    """
    identity = await identity_queries.find(tx, message.did)
    if identity is None or not identity.can_write:
        return False
    return await publication_moves.reattach_superseded(tx, version_of(message), kind, identity.user_id)


async def _with_first_key(
    tx: Transaction, message: RecordMessage, ids_between: Callable[[Reader, str, str], Awaitable[Sequence[SubjectId]]]
) -> SubjectId | None:
    """Return the id of the group or series whose first record has this key."""
    limits = ids_with_first_key(message.rkey)
    ids = [] if limits is None else await ids_between(tx, *limits)
    return next((one for one in ids if first_key(one) == message.rkey), None)


async def _was_deleted_elsewhere(tx: Transaction, kind: PublicationKind, subject_id: str) -> bool:
    publication = await publication_queries.find(tx, kind, subject_id)
    return publication is not None and publication.was_deleted_elsewhere


async def _reattach_after_deletion(
    tx: Transaction, message: RecordMessage, kind: PublicationKind, subject_id: str
) -> bool:
    """Attach a record that another app had deleted and has restored: its owner wants it on the network again."""
    version = version_of(message)
    return await publication_moves.reattach_after_deletion(
        tx, version, kind=kind, subject_id=subject_id, awaits_host_decision=False
    )


async def _reattach_uncounted(
    tx: Transaction, message: RecordMessage, kind: PublicationKind, subject: SubjectRevision, *, is_back: bool
) -> bool:
    """Attach a record of a group or series, which has no counter. ``is_back``: we had retracted the record, so the row
    here is newer.
    """
    await publications.enqueue_many(tx, kind=kind, subjects=[subject])
    return await publication_moves.reattach_after_restore(
        tx,
        version_of(message),
        kind=kind,
        subject_id=subject.subject_id,
        completed_revision=subject.revision,
        may_reuse_retracted=is_back,
        is_base=is_back,
    )


async def _repositories_of_event(tx: Transaction, event: Event) -> set[str]:
    """Return the DIDs whose repositories may contain the event's record."""
    group = None if event.group is None else await group_queries.by_id(tx, event.group.id)
    account = None if group is None else group.network.account_id
    return await _repositories_of(tx, [event.author_id] if account is None else [event.author_id, account])


async def _repositories_of(tx: Transaction, people: list[UserId]) -> set[str]:
    """Return the DIDs of these people to whose repositories we may write."""
    return {
        one.did
        for identities_of_person in (await identity_queries.of_users(tx, people)).values()
        for one in identities_of_person
        if one.can_write
    }
