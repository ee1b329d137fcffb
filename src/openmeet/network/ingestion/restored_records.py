"""Attach RSVPs and membership statements that this site wrote and then forgot, because its database was restored.

They have no mark of origin. One of them counts as ours if its key is the one that we derive from its subject, if it may
have been written in the time that the restore lost (``database_periods``), and if its author uses this site, consents
to publishing and has no record from here for the same subject. Without a restore nothing is attached, because another
installation of OpenMeet derives the same keys. Nothing is written or deleted because of this: a record that we would
not publish is left to its author.

They are attached after the record was applied like that of another app, so that the newest statement counts. From then
on it is updated, and deleted if its author withdraws their consent.
"""

from dataclasses import replace

from at_protocol.data import cbor
from at_protocol.failures import Malformed
from at_protocol.syntax.at_uri import parse_at_uri
from at_protocol.syntax.record_key import RecordKey
from groundwork.clock import Instant
from groundwork.database.transaction import Transaction
from openmeet.domain.attendance import queries as attendance_queries
from openmeet.domain.attendance.rules import are_rsvps_publishable
from openmeet.domain.events import queries as event_queries
from openmeet.domain.groups import queries as group_queries
from openmeet.domain.groups import record_queries
from openmeet.domain.groups.model import INSIDE, Group, GroupRole, Membership
from openmeet.domain.groups.publication import GroupPublishLevel, publish_level_of
from openmeet.domain.identities import publishing_preferences
from openmeet.domain.identities import queries as identity_queries
from openmeet.domain.users.model import UserId
from openmeet.network.records import database_periods, seen
from openmeet.network.records.collections import MEMBERSHIP, RSVP
from openmeet.network.records.rsvp import record_key_for, subject_of
from openmeet.network.records.seen import RecordState, SeenRecord
from openmeet.network.records.versions import moment_of_rev, version_seen
from openmeet.outbox import publication_moves, publication_queries, publications
from openmeet.outbox.publications import PublicationKind


async def attach_rsvp(tx: Transaction, record: SeenRecord, user_id: UserId) -> bool:
    """Attach an RSVP record to the RSVP that was just derived from it, if we wrote it. The event is locked."""
    if record.collection != RSVP or not _has_our_key(record.uri, subject_of(cbor.decode(record.body or b""))):
        return False
    if not await _may_be_ours(tx, record, user_id):
        return False
    attendance = await attendance_queries.by_record_uri(tx, record.uri)
    event = None if attendance is None else await event_queries.by_id(tx, attendance.event_id)
    if attendance is None or event is None or attendance.user_id != user_id:
        return False
    preferences = await publishing_preferences.of_user(tx, user_id)
    if not are_rsvps_publishable(event) or attendance.is_private or not preferences.writes_answers:
        return False
    return await _attach(tx, record, PublicationKind.RSVP, attendance.id, user_id, attendance.revision)


async def attach_membership(tx: Transaction, uri: str, group_uri: str) -> bool:
    """Attach a member's statement to the membership that was just derived from it, if we wrote it. Then the member wants
    their membership to be public.
    """
    if not _has_our_key(uri, group_uri):
        return False
    membership, record = await record_queries.by_statement(tx, uri), await seen.find(tx, uri)
    if membership is None or record is None or record.collection != MEMBERSHIP:
        return False
    group = await group_queries.lock(tx, membership.group_id)
    if group is None or not _may_be_public(group, membership) or not await _may_be_ours(tx, record, membership.user_id):
        return False
    public = replace(membership, sync_enabled=True, revision=membership.revision + 1)
    if not await _attach(tx, record, PublicationKind.MEMBERSHIP, membership.id, membership.user_id, public.revision):
        return False
    await group_queries.put_member(tx, public)
    return True


def _has_our_key(uri: str, subject: str | None) -> bool:
    """Whether the record has the key that we derive from its subject."""
    try:
        return parse_at_uri(uri).rkey == RecordKey(record_key_for(parse_at_uri(subject or "")))
    except Malformed:
        return False


async def _may_be_ours(tx: Transaction, record: SeenRecord, user_id: UserId) -> bool:
    """Whether the record may have been written in the lost time, with the consent of this person."""
    if record.state is not RecordState.MAPPED or not record.is_verified or record.cid is None:
        return False
    earliest = moment_of_rev(record.previous_known_rev, tx.now) if record.previous_known_rev else Instant(0)
    if not await database_periods.is_lost(tx, earliest, moment_of_rev(record.version_rev, tx.now)):
        return False
    identity = await identity_queries.find(tx, record.did)
    if identity is None or identity.user_id != user_id or not identity.can_write:
        return False
    return (await identity_queries.consent(tx, user_id)).is_given


def _may_be_public(group: Group, membership: Membership) -> bool:
    """Whether a membership in this state would be published."""
    if group.is_read_only:
        return membership.role in INSIDE or membership.role is GroupRole.PENDING
    return membership.role in INSIDE and publish_level_of(group) is GroupPublishLevel.FULL


async def _attach(
    tx: Transaction, record: SeenRecord, kind: PublicationKind, subject_id: str, user_id: UserId, revision: int
) -> bool:
    """Attach the record to the subject's publication, unless something was sent or its owner has withdrawn it."""
    before, version = await publication_queries.find(tx, kind, subject_id), version_seen(record)
    if version is None or (before is not None and (before.uri is not None or before.is_withdrawn)):
        return False
    await publications.enqueue(tx, kind=kind, subject_id=subject_id, user_id=user_id, revision=revision)
    return await publication_moves.reattach_after_restore(
        tx,
        version,
        kind=kind,
        subject_id=subject_id,
        completed_revision=revision,
        may_reuse_retracted=True,
    )
