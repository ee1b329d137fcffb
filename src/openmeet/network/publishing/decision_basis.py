"""Basis of a decision: what it found that concerns many records at once is read with it, and is locked and compared
before anything is sent.
"""

from collections.abc import Sequence
from dataclasses import replace

from groundwork.database.transaction import Reader, Transaction
from openmeet.domain.events import queries as event_queries
from openmeet.domain.events.model import EventId, EventRevision, GroupOfEvent
from openmeet.domain.groups import queries as group_queries
from openmeet.domain.groups import record_queries
from openmeet.domain.groups.membership_queries import members_by_ids
from openmeet.domain.groups.model import GroupId, MemberId
from openmeet.domain.identities import publishing_preferences
from openmeet.domain.identities import queries as identity_queries
from openmeet.domain.series import queries as series_queries
from openmeet.domain.series.model import SeriesId
from openmeet.domain.users.model import UserId
from openmeet.network.publishing.decision import (
    DecisionBasis,
    Publish,
    PublishByWriter,
    PublishEvent,
    PublishRsvp,
    PublishSeries,
    RetractDuplicate,
)
from openmeet.network.records import repository_state
from openmeet.outbox import leased_publications, superseded_records
from openmeet.outbox.publication_queries import Publication
from openmeet.outbox.publications import PublicationKind, PublicationState


async def add_basis(
    reader: Reader, publication: Publication, decision: Publish | RetractDuplicate
) -> Publish | RetractDuplicate:
    """Return the decision with what it is based on, read by the same reader."""
    if isinstance(decision, RetractDuplicate):
        return decision
    people = {UserId(publication.user_id), decision.identity.user_id}
    basis = DecisionBasis(
        await publishing_preferences.permissions_of(reader, people),
        await group_queries.revisions_of(reader, await _limiting_groups(reader, publication, decision)),
        await _limiting_events(reader, publication, decision),
    )
    return replace(decision, basis=basis)


async def lock_basis(tx: Transaction, decided: Sequence[tuple[Publication, Publish]]) -> bool:
    """Lock a repository, and what the decisions are based on, before what will be written is stored in these leased
    publications. Then an erasure of the account, a withdrawal of consent, or an edit that makes a group or event private
    comes after this transaction and finds what is stored. All decisions are about the same repository.

    Returns False if the account was erased or disconnected, or the basis changed, since the decisions; the leases end
    then, and the publications are due at once to be decided again. A first write has no DID in its row before this, so
    the erasure did not end its lease. A row that was being inserted while consent was withdrawn was not marked, nor was
    one that was due while its event was edited and was leased before that edit was committed.
    """
    identity = decided[0][1].identity
    await repository_state.lock_floors_for_share(tx, [identity.did])
    current = await identity_queries.find(tx, identity.did)
    permissions = frozenset(one for _, decision in decided for one in decision.basis.permissions)
    groups = frozenset(one for _, decision in decided for one in decision.basis.groups)
    events = frozenset(one for _, decision in decided for one in decision.basis.events)
    if (
        current is not None
        and current.can_write
        and current.user_id == identity.user_id
        and await publishing_preferences.lock_permissions(tx, permissions)
        and await group_queries.lock_revisions(tx, groups)
        and await event_queries.lock_revisions(tx, events)
    ):
        return True
    for one, _ in decided:
        await leased_publications.end_lease(tx, one, PublicationState.DUE)
    return False


async def _limiting_groups(reader: Reader, publication: Publication, decision: Publish) -> list[GroupId]:
    """Return the group whose settings limit what is published, if there is one. A group with many records does not mark
    all of them in the transaction that changes it. Its own record has its revision.
    """
    match decision:
        case PublishEvent() | PublishRsvp():
            group_id = _id_of(decision.event.group)
        case PublishSeries():
            group_id = _id_of(decision.series.group)
        case PublishByWriter():
            group_id = await _group_of(reader, publication.kind, publication.subject_id)
        case _:
            group_id = None
    return [] if group_id is None else [group_id]


async def _limiting_events(reader: Reader, publication: Publication, decision: Publish) -> frozenset[EventRevision]:
    """Return the event whose visibility limits what is published, as it was decided, if there is one. An edit does not
    mark what is due anyway, which can be leased and decided before the edit is committed. The event's own record has its
    revision.
    """
    match decision, publication.kind:
        case PublishRsvp(), _:
            return frozenset({EventRevision(decision.event.id, decision.event.revision)})
        case _, PublicationKind.GROUP_EVENT:
            return await event_queries.revisions_of(reader, [EventId(publication.subject_id)])
        case _, PublicationKind.SUPERSEDED_EVENT:
            superseded = await superseded_records.find(reader, publication.subject_id)
            return await event_queries.revisions_of(reader, [EventId(superseded.subject_id)] if superseded else [])
        case _:
            return frozenset()


async def _group_of(reader: Reader, kind: PublicationKind, subject_id: str) -> GroupId | None:
    """Return the group of a statement, or of the event, series or group to which a superseded record belongs."""
    match kind:
        case PublicationKind.MEMBERSHIP | PublicationKind.ACCEPTANCE:
            membership = (await members_by_ids(reader, [subject_id])).get(MemberId(subject_id))
            return None if membership is None else membership.group_id
        case PublicationKind.SUPERSEDED_GROUP:
            return await record_queries.group_of_superseded(reader, subject_id)
        case PublicationKind.SUPERSEDED_EVENT | PublicationKind.SUPERSEDED_SERIES:
            superseded = await superseded_records.find(reader, subject_id)
            return None if superseded is None else await _group_of(reader, superseded.kind, superseded.subject_id)
        case PublicationKind.SERIES:
            series = await series_queries.by_id(reader, SeriesId(subject_id))
            return None if series is None else _id_of(series.group)
        case PublicationKind.EVENT | PublicationKind.GROUP_EVENT:
            event = await event_queries.by_id(reader, EventId(subject_id))
            return None if event is None else _id_of(event.group)
        case _:
            return None


def _id_of(group: GroupOfEvent | None) -> GroupId | None:
    return None if group is None else group.id
