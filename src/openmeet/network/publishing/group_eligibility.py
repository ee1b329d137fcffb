"""Decide whether a group's records may be published, and where, from the current state (invariants 3, 11).

The group's record and its statements about its events and members are in one repository: the group's own or its owner's.
A superseded record of the group is where it was written, and a member's own statement is in a repository of the member.
"""

from collections.abc import Mapping

from at_protocol.data import cbor
from at_protocol.data.model import Value
from at_protocol.syntax.at_uri import parse_at_uri
from at_protocol.syntax.did import parse_did
from at_protocol.syntax.record_key import RecordKey
from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from openmeet.domain.events import queries as event_queries
from openmeet.domain.events.model import EventId
from openmeet.domain.events.publication import PublishLevel, reach_of
from openmeet.domain.groups import queries as group_queries
from openmeet.domain.groups import record_queries
from openmeet.domain.groups.membership_queries import members_by_ids
from openmeet.domain.groups.model import INSIDE, Group, GroupId, GroupRole, Membership
from openmeet.domain.groups.ownership import published_backups
from openmeet.domain.groups.publication import GroupPublishLevel, publish_level_of, record_holder_of
from openmeet.domain.identities import queries as identity_queries
from openmeet.domain.identities.model import Identity
from openmeet.domain.users.model import UserId
from openmeet.network.publishing.decision import (
    AwaitPermission,
    Decision,
    DoNothing,
    ForgetRecord,
    PublishByWriter,
    PublishGroup,
    Wait,
    WithholdOrRetract,
    superseded_writer,
)
from openmeet.network.publishing.repository_choice import current_repository, repository_for, repository_to_delete_from
from openmeet.network.records import seen
from openmeet.network.records.collections import ACCEPTANCE, GROUP, GROUP_EVENT, MEMBERSHIP
from openmeet.network.records.group import ROLE_TOKENS, StrongRef, write_superseded
from openmeet.network.records.group_statements import (
    read_statement,
    write_acceptance,
    write_group_event,
    write_membership,
)
from openmeet.network.records.rsvp import record_key_for
from openmeet.outbox.publication_queries import Publication
from openmeet.outbox.reasons import PublicationReason


async def decide_group(reader: Reader, publication: Publication) -> Decision:
    """Decide about the group's own record."""
    group = await group_queries.by_id(reader, GroupId(publication.subject_id))
    if group is None or group.deleted_at is not None:
        return WithholdOrRetract(PublicationReason.GROUP_DELETED)
    if group.is_read_only:
        return DoNothing()
    if not group.details.sync_enabled:
        return WithholdOrRetract(PublicationReason.GROUP_PUBLISHING_TURNED_OFF)
    publish_level = publish_level_of(group)
    if publish_level is GroupPublishLevel.NOTHING:
        return WithholdOrRetract(PublicationReason.GROUP_NOT_PUBLIC)
    record_holder = record_holder_of(group)
    if not (await identity_queries.consent(reader, record_holder)).is_given:
        return WithholdOrRetract(PublicationReason.RECORD_HOLDER_NOT_AGREED)
    if publication.is_withdrawn:
        return WithholdOrRetract(PublicationReason.WITHDRAWN)
    if group.is_hidden:
        return _decide_if_hidden(publication)
    identity = await repository_for(reader, record_holder, publication.did if publication.may_exist_remotely else None)
    if identity is None:
        return (
            AwaitPermission(PublicationReason.SIGN_IN_WITH_ACCOUNT)
            if publication.may_exist_remotely
            else WithholdOrRetract(PublicationReason.NO_REPOSITORY_OF_GROUP)
        )
    backups = await published_backups(reader, group)
    return PublishGroup(group, identity, publish_level, backups)


async def decide_superseded_group(reader: Reader, publication: Publication, *, has_consented: bool) -> Decision:
    """Decide about the superseded record of a group, in another repository. It points to its successor."""
    group_id = await record_queries.group_of_superseded(reader, publication.subject_id)
    group = None if group_id is None else await group_queries.by_id(reader, group_id)
    if group is None or group.deleted_at is not None:
        return WithholdOrRetract(PublicationReason.GROUP_DELETED)
    if not has_consented:
        return WithholdOrRetract(PublicationReason.NOT_AGREED)
    if publication.is_withdrawn or publish_level_of(group) is GroupPublishLevel.NOTHING:
        return WithholdOrRetract(PublicationReason.GROUP_OFF_NETWORK)
    successor_uri = group.network.record_uri
    if successor_uri is None or successor_uri == publication.subject_id:
        return Wait(PublicationReason.NO_GROUP_SUCCESSOR_YET)
    identity = await current_repository(reader, publication)
    if identity is None:
        return ForgetRecord()
    return PublishByWriter(identity, GROUP, None, superseded_writer(write_superseded, successor_uri))


async def decide_group_event(reader: Reader, publication: Publication) -> Decision:
    """Decide about the group's statement that an event is one of its events."""
    event = await event_queries.by_id(reader, EventId(publication.subject_id))
    group = None
    if event is not None and event.group is not None:
        group = await group_queries.by_id(reader, event.group.id)
    if event is None or group is None or event.is_gone or event.is_draft:
        return WithholdOrRetract(PublicationReason.NOT_OF_GROUP)
    if event.is_read_only or group.is_read_only:
        return DoNothing()
    if event.record_deleted_at is not None:
        return DoNothing()
    if publish_level_of(group) is not GroupPublishLevel.FULL or reach_of(event) is not PublishLevel.FULL:
        return WithholdOrRetract(PublicationReason.GROUP_EVENTS_PRIVATE)
    target = await group_repository(reader, group, publication)
    if not isinstance(target, Identity):
        return target
    if group.is_hidden:
        return _decide_if_hidden(publication)
    if event.record_uri is None or event.record_cid is None:
        return _decide_without_referent(publication, PublicationReason.NO_EVENT_RECORD)
    uri, listed = group.network.record_uri or "", StrongRef(event.record_uri, event.record_cid)

    def write(_instance: str, now: Instant, previous: Mapping[str, Value] | None) -> dict[str, Value]:
        return write_group_event(uri, listed, now, previous)

    return PublishByWriter(target, GROUP_EVENT, RecordKey(record_key_for(parse_at_uri(listed.uri))), write)


async def group_repository(reader: Reader, group: Group, publication: Publication) -> Identity | Decision:
    """Return the identity in whose repository the group's record is, or the decision to make if we cannot write there."""
    uri = group.network.record_uri
    if uri is None:
        return _decide_without_referent(publication, PublicationReason.NO_GROUP_RECORD)
    did = parse_at_uri(uri).authority
    if publication.may_exist_remotely and publication.did not in {None, did}:
        if await repository_to_delete_from(reader, publication) is None:
            return ForgetRecord()
        return WithholdOrRetract(PublicationReason.GROUP_MOVED)
    if await _is_of_former_holder_without_consent(reader, group, publication):
        return WithholdOrRetract(PublicationReason.WITHDRAWN)
    if not (await identity_queries.consent(reader, record_holder_of(group))).is_given:
        return WithholdOrRetract(PublicationReason.RECORD_HOLDER_NOT_AGREED)
    if publication.is_withdrawn:
        return WithholdOrRetract(PublicationReason.WITHDRAWN)
    identity = await repository_for(reader, record_holder_of(group), did)
    return Wait(PublicationReason.GROUP_RECORD_MOVING) if identity is None else identity


async def _is_of_former_holder_without_consent(reader: Reader, group: Group, publication: Publication) -> bool:
    """Whether the record is in the repository of a former holder of the group's records who withdrew their consent. Then
    it does not stay there until the group has a record elsewhere.
    """
    if publication.did is None or not publication.may_exist_remotely:
        return False
    identity = await identity_queries.find(reader, publication.did)
    if identity is None or identity.user_id == record_holder_of(group):
        return False
    consent = await identity_queries.consent(reader, identity.user_id)
    # Without an answer, the consent ended when the person disconnected an account.
    return not consent.is_given and consent.answered_at is not None


async def decide_membership(reader: Reader, publication: Publication, *, has_consented: bool) -> Decision:
    """Decide about the member's own statement."""
    membership_and_group = await _membership_and_group(reader, publication)
    if membership_and_group is None:
        return WithholdOrRetract(PublicationReason.YOU_NOT_A_MEMBER)
    membership, group = membership_and_group
    if not membership.sync_enabled:
        return WithholdOrRetract(PublicationReason.MEMBERSHIP_PRIVATE)
    # For a group of another installation, the statement is also the request to join.
    is_join_request = membership.role is GroupRole.PENDING and group.is_read_only
    if membership.role not in INSIDE and not is_join_request:
        return WithholdOrRetract(PublicationReason.YOU_NOT_A_MEMBER)
    if not has_consented:
        return WithholdOrRetract(PublicationReason.NOT_AGREED)
    if publication.is_withdrawn:
        return WithholdOrRetract(PublicationReason.WITHDRAWN)
    if not group.is_read_only and publish_level_of(group) is not GroupPublishLevel.FULL:
        return WithholdOrRetract(PublicationReason.MEMBERS_PRIVATE)
    if group.is_hidden:
        return _decide_if_hidden(publication)
    if group.network.record_uri is None:
        return _decide_without_referent(publication, PublicationReason.NO_GROUP_RECORD)
    return await _publish_member_statement(reader, publication, membership, group.network.record_uri)


async def _publish_member_statement(
    reader: Reader, publication: Publication, membership: Membership, group_uri: str
) -> PublishByWriter | AwaitPermission | WithholdOrRetract:
    """Decide where the member's statement about the group with this record is written.

    If the member wrote a statement in another app, with any of their accounts, that one is updated. A second one must
    never be written.
    """
    existing = None if membership.statement_uri is None else parse_at_uri(membership.statement_uri)
    existing_did = None if existing is None else existing.authority
    user_id, did = UserId(publication.user_id), publication.did if publication.may_exist_remotely else existing_did
    identity = await repository_for(reader, user_id, did)
    if identity is None and publication.may_exist_remotely:
        return AwaitPermission(PublicationReason.SIGN_IN_WITH_ACCOUNT)
    identity = identity or await repository_for(reader, user_id, None)
    if identity is None:
        return WithholdOrRetract(PublicationReason.NO_REPOSITORY)
    key = RecordKey(record_key_for(parse_at_uri(group_uri)))
    if (
        existing is not None
        and existing.rkey is not None
        and (existing.authority, existing.collection) == (identity.did, MEMBERSHIP)
    ):
        key = existing.rkey

    def write(_instance: str, now: Instant, previous: Mapping[str, Value] | None) -> dict[str, Value]:
        return write_membership(group_uri, now, previous)

    return PublishByWriter(identity, MEMBERSHIP, key, write)


async def decide_acceptance(reader: Reader, publication: Publication) -> Decision:
    """Decide about the group's statement about a member. It is never published before the member's own statement, nor
    after that was withdrawn.
    """
    membership_and_group = await _membership_and_group(reader, publication)
    if membership_and_group is None:
        return WithholdOrRetract(PublicationReason.NOT_A_MEMBER)
    membership, group = membership_and_group
    if group.is_read_only:
        return DoNothing()
    role_token = ROLE_TOKENS[membership.role]
    if role_token is None:
        return WithholdOrRetract(PublicationReason.NOT_A_MEMBER)
    if publish_level_of(group) is not GroupPublishLevel.FULL:
        return WithholdOrRetract(PublicationReason.MEMBERS_PRIVATE)
    statement = await _member_statement(reader, group, membership)
    if statement is None:
        return WithholdOrRetract(PublicationReason.NO_STATEMENT)
    target = await group_repository(reader, group, publication)
    if not isinstance(target, Identity):
        return target
    if group.is_hidden:
        return _decide_if_hidden(publication)
    uri, member = group.network.record_uri or "", parse_did(parse_at_uri(statement.uri).authority)

    def write(_instance: str, now: Instant, previous: Mapping[str, Value] | None) -> dict[str, Value]:
        return write_acceptance(uri, member, statement, role_token, now, previous)

    return PublishByWriter(target, ACCEPTANCE, RecordKey(record_key_for(parse_at_uri(statement.uri))), write)


async def _membership_and_group(reader: Reader, publication: Publication) -> tuple[Membership, Group] | None:
    """Return the membership and its group; None if either is gone."""
    membership = next(iter((await members_by_ids(reader, [publication.subject_id])).values()), None)
    group = None if membership is None else await group_queries.by_id(reader, membership.group_id)
    if membership is None or group is None or group.deleted_at is not None:
        return None
    return membership, group


def _decide_without_referent(publication: Publication, reason: PublicationReason) -> Decision:
    """Decide about a record as long as the record that it refers to does not exist."""
    return WithholdOrRetract(reason) if publication.may_exist_remotely else Wait(reason)


def _decide_if_hidden(publication: Publication) -> Decision:
    """Decide about a record of a group that moderators hide. Published records stay as they are, because only their
    authors retract them; none is written.
    """
    return DoNothing() if publication.may_exist_remotely else WithholdOrRetract(PublicationReason.HIDDEN)


async def _member_statement(reader: Reader, group: Group, membership: Membership) -> StrongRef | None:
    """Return the member's own statement, as in their repository, about this group or about a group that this one
    succeeds.
    """
    seen_record = None if membership.statement_uri is None else await seen.find(reader, membership.statement_uri)
    if (
        seen_record is None
        or seen_record.cid is None
        or seen_record.body is None
        or seen_record.state is not seen.RecordState.MAPPED
    ):
        return None
    statement = read_statement(seen_record.collection, parse_did(seen_record.did), cbor.decode(seen_record.body))
    own_group_uris = {group.network.record_uri, *await record_queries.superseded_uris(reader, group.id)}
    return StrongRef(seen_record.uri, seen_record.cid) if statement.group_uri in own_group_uris else None
