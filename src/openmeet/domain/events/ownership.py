"""Ownership of events: transfer to a co-host, move to another repository, departure of an owner; includes the SQL.

Published records stay where they are and refer to the record that supersedes them.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from groundwork.clock import Instant
from groundwork.database.transaction import Reader, Transaction
from groundwork.errors import Conflict, NotFound, Refused
from groundwork.uuid7 import new_id
from openmeet.domain.events import co_host_queries, event_access, queries
from openmeet.domain.events.co_host_invitations import INVITATION_LIFE, CoHost, CoHostId, CoHostState
from openmeet.domain.events.edits import record_value, search_text
from openmeet.domain.events.model import Event, EventId, EventSlug, RecordOrigin
from openmeet.domain.events.permissions import EventPermission
from openmeet.domain.events.publication import HELD_BY_GROUP, notify_webhooks, stored_by_groups
from openmeet.domain.events.queries import COLUMNS, event_of
from openmeet.domain.events.reasons import EventReason
from openmeet.domain.events.visibility import is_not_over
from openmeet.domain.groups import queries as group_queries
from openmeet.domain.identities import queries as identity_queries
from openmeet.domain.merge_decisions.queries import settle_outdated
from openmeet.domain.moderation.blocks import apply_to_new_host, raise_if_blocked
from openmeet.domain.notifications import event_kinds
from openmeet.domain.notifications.event_kinds import HandOver
from openmeet.domain.notifications.notify import Notice, notify
from openmeet.domain.users import erasure_requests
from openmeet.domain.users.model import Caller, UserId
from openmeet.outbox import publication_moves, publication_queries, publications, superseded_records
from openmeet.outbox.publications import SUPERSEDED_KIND, PublicationKind, SubjectRevision, repository_of
from openmeet.outbox.superseded_records import SupersededRecord

# Steps of a transfer, as stored in notifications. An event was offered.
EVENT = "event"
# An offer was accepted: of an event, of a series.
EVENT_TAKEN = "event taken"
SERIES_TAKEN = "series taken"
# It was handed over because its host left.
EVENT_INHERITED = "event inherited"
SERIES_INHERITED = "series inherited"
# An offer was declined.
EVENT_DECLINED = "event declined"
SERIES_DECLINED = "series declined"

_NO_OFFER = EventReason.NOT_OFFERED


async def offer(tx: Transaction, caller: Caller, slug: EventSlug, co_host_id: CoHostId) -> CoHost:
    """Offer the event to a co-host. A new offer replaces the previous one.

    Raises NotFound, Forbidden, Refused (``DateOfSeries``, ``Draft``, ``NotOutYet``, and for copies from the network).
    """
    event = await event_access.require_visible(tx, await queries.lock_by_slug(tx, slug), caller.user_id)
    await event_access.require_editable(tx, event, caller.user_id, EventPermission.HAND_OVER)
    if event.position_in_series is not None:
        raise Refused(EventReason.DATE_OF_SERIES, name="DateOfSeries")
    if event.is_draft:
        raise Refused(EventReason.CANNOT_HAND_OVER_DRAFT, name="Draft")
    if event.is_held:
        raise Refused(EventReason.NOT_OUT_YET, name="NotOutYet")
    co_host = await co_host_queries.by_id(tx, co_host_id)
    if (
        co_host is None
        or co_host.event_id != event.id
        or co_host.state is not CoHostState.ACCEPTED
        or co_host.user_id is None
    ):
        raise NotFound(EventReason.NO_SUCH_CO_HOST)
    if await erasure_requests.find(tx, co_host.user_id) is not None:
        raise NotFound(EventReason.NO_SUCH_CO_HOST)
    await co_host_queries.offer(tx, event.id, co_host.id)
    about = HandOver(person_id=caller.user_id, step=EVENT)
    await notify(tx, event_kinds.SERIES_OFFERED, Notice([co_host.user_id], event.id, int(tx.now), about))
    return co_host


async def accept(tx: Transaction, caller: Caller, slug: EventSlug) -> Event:
    """Accept the offer. The caller becomes the owner and the former owner a co-host. Raises NotFound if the event is
    not offered to them.
    """
    event = await queries.lock_by_slug(tx, slug)
    co_host = None if event is None else await co_host_queries.of_person(tx, event.id, caller.user_id)
    offered = None if event is None else await co_host_queries.offered(tx, event.id)
    if event is None or co_host is None or event.is_gone or offered is None or offered.id != co_host.id:
        raise NotFound(_NO_OFFER)
    await raise_if_blocked(tx, event.author_id, caller.user_id, refusal=EventReason.CANNOT_TAKE_OVER)
    before = event.author_id
    (after,) = await change(tx, [event], caller.user_id)
    await co_host_queries.put(tx, accepted_co_host(tx, event, before, by=caller.user_id))
    about = HandOver(person_id=caller.user_id, step=EVENT_TAKEN)
    await notify(tx, event_kinds.SERIES_OFFERED, Notice([before], event.id, int(tx.now), about))
    return after


async def drop(tx: Transaction, caller: Caller, slug: EventSlug) -> None:
    """Withdraw or decline the offer. Raises NotFound, Conflict (no offer is open)."""
    event = await event_access.require_visible(tx, await queries.lock_by_slug(tx, slug), caller.user_id)
    offered = await co_host_queries.offered(tx, event.id)
    if offered is None or caller.user_id not in {event.author_id, offered.user_id}:
        raise Conflict(EventReason.NO_OFFER)
    await co_host_queries.offer(tx, event.id, None)
    if caller.user_id != event.author_id:
        about = HandOver(person_id=caller.user_id, step=EVENT_DECLINED)
        await notify(tx, event_kinds.SERIES_OFFERED, Notice([event.author_id], event.id, int(tx.now), about))


async def remove_person(tx: Transaction, user_id: UserId) -> None:
    """End a person's co-hosting and transfer their upcoming events, because their account is deleted. Idempotent.

    Dates of series are transferred with their series.
    """
    await co_host_queries.end_all_of(tx, user_id)
    for event_id in await upcoming_single_events(tx, user_id):
        await pass_to_heir_of(tx, event_id, user_id)


async def pass_to_heir_of(tx: Transaction, event_id: EventId, owner: UserId) -> bool:
    """``pass_to_heir`` for an event of this owner. Return False if there is no heir, or the event is no
    longer theirs, over or deleted.
    """
    event = await queries.lock_for_update(tx, event_id)
    if event is None or event.author_id != owner or event.is_gone or event.is_over(tx.now):
        return False
    return await pass_to_heir(tx, event)


async def pass_to_heir(tx: Transaction, event: Event) -> bool:
    """Transfer a locked event to the person who inherits it when its owner is gone, and notify them. Return False if
    there is no such person.
    """
    heir = await heir_of(tx, event)
    if heir is None:
        return False
    await change(tx, [event], heir)
    await notify(tx, event_kinds.SERIES_OFFERED, Notice([heir], event.id, int(tx.now), HandOver(step=EVENT_INHERITED)))
    return True


async def heir_of(reader: Reader, event: Event) -> UserId | None:
    """The person who inherits an event if its owner is gone."""
    co_host = await co_host_queries.longest_co_host(reader, event.id)
    if co_host is not None or event.group is None:
        return co_host
    group = await group_queries.by_id(reader, event.group.id)
    is_there = group is not None and group.deleted_at is None and not group.is_read_only
    if group is None or not is_there or group.owner_id == event.author_id:
        return None
    is_leaving = await erasure_requests.find(reader, group.owner_id) is not None
    return None if is_leaving else group.owner_id


def accepted_co_host(tx: Transaction, event: Event, user_id: UserId, *, by: UserId) -> CoHost:
    """A new co-host row, accepted from the start."""
    return CoHost(
        id=CoHostId(new_id(tx.now)),
        event_id=event.id,
        user_id=user_id,
        email=None,
        state=CoHostState.ACCEPTED,
        invited_by=by,
        created_at=tx.now,
        expires_at=Instant(tx.now + INVITATION_LIFE),
        decided_at=tx.now,
    )


async def change(tx: Transaction, events: Sequence[Event], to: UserId) -> list[Event]:
    """Transfer locked events to a new owner who has approved their content. Return the changed events."""
    passing = [one for one in events if one.author_id != to]
    of_groups = await stored_by_groups(tx, [one.id for one in passing if one.group is not None])
    for one in passing:
        if one.id not in of_groups:
            await _leave_event_record(tx, one)
            await _return(tx, one, to)
    if not passing:
        return []
    # Where there was no record to leave, the publication itself moves.
    await publication_moves.move_to_user(tx, PublicationKind.EVENT, [one.id for one in passing], to)
    await set_authors(tx, [one.id for one in passing], to)
    await co_host_queries.remove_author(tx, [one.id for one in passing], to)
    await apply_to_new_host(tx, to)
    return await _save_next_revision(
        tx, [replace(one, author_id=to, origin=RecordOrigin.HERE, needs_author_approval=False) for one in passing]
    )


async def move_records(tx: Transaction, events: Sequence[Event], to: str | None = None) -> None:
    """Move the records of these locked events to another repository, which the job handler determines.

    ``to`` is the DID of another repository of the same person, if they move to one; a superseded record in that
    repository is used again.
    """
    moving = []
    for one in events:
        if await _leave_event_record(tx, one):
            moving.append(one)
            if to is not None:
                former = await superseded_records.of_subject(tx, PublicationKind.EVENT, one.id)
                await _return_event(tx, one, former, one.author_id, did=to)
    await _save_next_revision(tx, moving)


async def leave_record(
    tx: Transaction,
    kind: PublicationKind,
    subject_id: str,
    owner: UserId,
    revision: int,
    *,
    record_uri: str | None = None,
    is_foreign: bool = False,
) -> bool:
    """Mark the record of an event or series as superseded when its owner changes. Return False if it has none.

    ``record_uri`` is the record that the subject refers to, which may have no publication. ``is_foreign``: its
    author wrote it in another app.
    """
    sent = await publication_queries.uri_of(tx, kind, subject_id)
    uri = sent or record_uri
    if uri is None or (sent is None and await superseded_records.find(tx, uri) is not None):
        return False
    await superseded_records.store(tx, kind, subject_id, uri, is_foreign=is_foreign)
    if sent is not None:
        await publication_moves.move_to_subject(
            tx, kind, subject_id, to=(SUPERSEDED_KIND[kind], uri), user_id=owner, revision=revision
        )
    else:
        await publications.create_for_foreign_record(
            tx, SUPERSEDED_KIND[kind], uri, user_id=owner, revision=revision, record_uri=uri
        )
    return True


async def _leave_event_record(tx: Transaction, event: Event) -> bool:
    is_foreign = event.record_uri is not None and event.origin is RecordOrigin.NETWORK
    return await leave_record(
        tx,
        PublicationKind.EVENT,
        event.id,
        event.author_id,
        event.revision + 1,
        record_uri=event.record_uri,
        is_foreign=is_foreign,
    )


async def return_to(
    tx: Transaction,
    kind: PublicationKind,
    subject_id: str,
    former: Sequence[SupersededRecord],
    owner: UserId,
    did: str | None = None,
) -> str | None:
    """Continue the superseded record in the repository of a former owner who owns the event again. ``did`` restricts
    this to one of their repositories. Returns the URI of the record; None if there is no such record.
    """
    dids = {one.did for one in await identity_queries.of_user(tx, owner) if did in {None, one.did}}
    for one in reversed(former):
        if one.is_there and one.uri.split("/")[2] in dids:
            await publication_moves.undo_move_to_subject(
                tx, kind, subject_id, superseded_kind=SUPERSEDED_KIND[kind], superseded_uri=one.uri, user_id=owner
            )
            return one.uri
    return None


async def record_uris_of(reader: Reader, events: Sequence[Event]) -> dict[str, str]:
    """URIs of the records of these events, by event. Superseded records are left out."""
    uris = {one.id: one.record_uri for one in events if one.record_uri}
    former = await superseded_records.subjects_of(reader, PublicationKind.EVENT, uris.values())
    return {event_id: uri for event_id, uri in uris.items() if uri not in former}


async def keep_retracted(
    tx: Transaction, kind: PublicationKind, former: Sequence[SupersededRecord], owner: UserId, revision: int
) -> None:
    """Keep in mind whose superseded records without a publication are when their owner changes: those that were retracted
    before. If one of them is restored, its publication is decided like that of any superseded record.
    """
    retracted = [one.uri for one in former if not one.is_there]
    dids = {one.did for one in await identity_queries.of_user(tx, owner)} if retracted else set()
    own = [SubjectRevision(uri, owner, revision) for uri in retracted if repository_of(uri) in dids]
    await publications.enqueue_many(tx, kind=SUPERSEDED_KIND[kind], subjects=own)


async def _return(tx: Transaction, event: Event, to: UserId) -> None:
    former = await superseded_records.of_subject(tx, PublicationKind.EVENT, event.id)
    await keep_retracted(tx, PublicationKind.EVENT, former, event.author_id, event.revision + 1)
    await _return_event(tx, event, former, to)
    if (
        former
        and event.record_uri in {one.uri for one in former}
        and event.record_did in {one.did for one in await identity_queries.of_user(tx, to)}
    ):
        # No record replaced it, so it is still the event's record.
        await superseded_records.delete(tx, event.record_uri)


async def _return_event(
    tx: Transaction, event: Event, former: Sequence[SupersededRecord], owner: UserId, did: str | None = None
) -> None:
    uri = await return_to(tx, PublicationKind.EVENT, event.id, former, owner, did)
    if uri is not None:
        await settle_outdated(tx, uri, partial(record_value, event))


async def _save_next_revision(tx: Transaction, events: Sequence[Event]) -> list[Event]:
    saved = [replace(one, revision=one.revision + 1, updated_at=tx.now) for one in events]
    await queries.update_many(tx, [(one, search_text(one)) for one in saved])
    await notify_webhooks(tx, saved)
    await publications.enqueue_many(
        tx, kind=PublicationKind.EVENT, subjects=[SubjectRevision(one.id, one.author_id, one.revision) for one in saved]
    )
    return saved


async def set_authors(tx: Transaction, event_ids: Sequence[EventId], author_id: UserId) -> None:
    """Set the owner of these events. From now on they are hosted on this site, even if they came from the network."""
    await tx.execute(
        "update events set author_id = :author_id, origin = 'here', submission_key = null where id in :ids",
        author_id=author_id,
        ids=list(event_ids),
    )


async def detach_event_record(tx: Transaction, event_id: EventId) -> None:
    """Detach the event's record, which turned out to belong to another event."""
    await tx.execute(
        "update events set record_uri = null, record_cid = null, record_did = null, removed_at = "
        "coalesce(removed_at, :now) where id = :id",
        now=tx.now,
        id=event_id,
    )


async def set_network_author(tx: Transaction, event_id: EventId, author_id: UserId) -> None:
    """Set the author of an event that was read from the network to the author of its record."""
    await tx.execute(
        "update events set author_id = :author_id, submission_key = null where id = :id and origin = 'network'",
        author_id=author_id,
        id=event_id,
    )


async def upcoming_single_events(reader: Reader, author_id: UserId) -> list[EventId]:
    """Upcoming single events that an owner created on this site, in id order."""
    rows = await reader.fetch(
        "select id from events where author_id = :author_id and origin = 'here' and series_id is null and is_draft = 0"
        f" and deleted_at is null and removed_at is null and {is_not_over('events')} order by id",
        author_id=author_id,
        now=reader.now,
    )
    return [EventId(row["id"]) for row in rows]


async def require_approval_of_dates(tx: Transaction, series_id: str, by: UserId) -> None:
    """Mark upcoming dates of a locked series as awaiting the approval of their authors, except dates of ``by`` and
    those in their group's repository.
    """
    await tx.execute(
        "update events set needs_author_approval = 1"
        " where series_id = :series_id and author_id <> :by and needs_author_approval = 0"
        f" and deleted_at is null and removed_at is null and {is_not_over('events')} and not {HELD_BY_GROUP}",
        series_id=series_id,
        by=by,
        now=tx.now,
    )


async def own_by_slugs(reader: Reader, author_id: UserId, slugs: Sequence[str]) -> list[Event]:
    """Existing single events with these slugs that this person made."""
    if not slugs:
        return []
    rows = await reader.fetch(
        f"select {COLUMNS} from events where slug in :slugs and author_id = :author_id and series_id is null"
        " and deleted_at is null and removed_at is null and is_read_only = 0 and starts_at is not null order by id",
        slugs=sorted(set(slugs)),
        author_id=author_id,
    )
    return [event_of(row) for row in rows]
