"""Decide whether a record may be published, and where, from the current state each time it is delivered (invariants 3,
11).
"""

from at_protocol.data import cbor
from at_protocol.syntax.at_uri import parse_at_uri
from at_protocol.syntax.nsid import Nsid
from groundwork.clock import DAY, Instant
from groundwork.database.transaction import Reader
from openmeet.domain.attendance import queries as attendance_queries
from openmeet.domain.attendance.model import Attendance, AttendanceId
from openmeet.domain.attendance.rules import are_rsvps_publishable
from openmeet.domain.events import queries as event_queries
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.events.publication import PublishLevel, RecordAudience, circle_of, reach, reach_of
from openmeet.domain.groups import queries as group_queries
from openmeet.domain.groups.publication import GroupPublishLevel, publish_level_of
from openmeet.domain.identities import publishing_preferences
from openmeet.domain.identities import queries as identity_queries
from openmeet.domain.identities.model import Identity
from openmeet.domain.identities.publishing_preferences import PublishingPreferences
from openmeet.domain.moderation import visibility
from openmeet.domain.moderation.model import SubjectVisibility
from openmeet.domain.series import queries as series_queries
from openmeet.domain.series.model import PublishPolicy, SeriesId
from openmeet.domain.users.model import UserId
from openmeet.feature_flags.flags import Flag, Switchboard
from openmeet.network.publishing import group_eligibility
from openmeet.network.publishing.decision import (
    AwaitFeatureFlag,
    AwaitPermission,
    Decision,
    DoNothing,
    ForgetRecord,
    KeepEditsLocal,
    KeepInRepository,
    Publish,
    PublishByWriter,
    PublishEvent,
    PublishRsvp,
    PublishSeries,
    RetractDuplicate,
    Wait,
    WithholdOrRetract,
    superseded_writer,
)
from openmeet.network.publishing.decision_basis import add_basis
from openmeet.network.publishing.repository_choice import (
    current_repository,
    repository_for,
    repository_for_rsvp,
    target_repository,
)
from openmeet.network.records import seen
from openmeet.network.records.collections import EVENT, SERIES
from openmeet.network.records.event_writer import is_minimal
from openmeet.network.records.rsvp import NoStatusToken, status_token
from openmeet.network.records.succession import write_superseded
from openmeet.outbox import superseded_records
from openmeet.outbox.publication_queries import Publication
from openmeet.outbox.publications import PublicationKind
from openmeet.outbox.reasons import PublicationReason

FLAG_OF = {
    PublicationKind.EVENT: Flag.EVENTS_OUT,
    PublicationKind.RSVP: Flag.RSVPS_OUT,
    PublicationKind.SERIES: Flag.SERIES_LEXICON,
    PublicationKind.GROUP: Flag.GROUPS,
    PublicationKind.SUPERSEDED_GROUP: Flag.GROUPS,
    PublicationKind.SUPERSEDED_EVENT: Flag.EVENTS_OUT,
    PublicationKind.SUPERSEDED_SERIES: Flag.SERIES_LEXICON,
    PublicationKind.MEMBERSHIP: Flag.MEMBERSHIPS,
    PublicationKind.ACCEPTANCE: Flag.MEMBERSHIPS,
    PublicationKind.GROUP_EVENT: Flag.GROUPS,
}
# Most sites never turn these flags on, so publications do not wait for them. They become due when a flag is turned on.
_USUALLY_OFF = frozenset({Flag.SERIES_LEXICON, Flag.GROUPS, Flag.MEMBERSHIPS})


async def decide(reader: Reader, publication: Publication, flags: Switchboard) -> Decision:
    """Return the decision about a publication, as of now."""
    decision = await _decide_without_flags(reader, publication)
    if (
        decision
        in (
            WithholdOrRetract(PublicationReason.NOT_AGREED),
            WithholdOrRetract(PublicationReason.RECORD_HOLDER_NOT_AGREED),
        )
        and publication.may_exist_remotely
        and not publication.is_withdrawn
    ):
        consent = await identity_queries.consent(reader, UserId(publication.user_id))
        # The consent ended when the person disconnected an account. They did not withdraw it and were not prompted
        # again.
        return decision if consent.answered_at is not None else AwaitPermission(PublicationReason.NOT_AGREED)
    if not isinstance(decision, Publish | RetractDuplicate):
        return decision
    flag = FLAG_OF[publication.kind]
    if await flags.is_on(reader, flag):
        return await add_basis(reader, publication, decision)
    return DoNothing() if flag in _USUALLY_OFF else AwaitFeatureFlag()


async def _decide_without_flags(reader: Reader, publication: Publication) -> Decision:
    """Return the decision as if all flags were on."""
    consent = await identity_queries.consent(reader, UserId(publication.user_id))
    preferences = await publishing_preferences.of_user(reader, UserId(publication.user_id))
    match publication.kind:
        case PublicationKind.EVENT:
            return await _decide_event(reader, publication, preferences, has_consented=consent.is_given)
        case PublicationKind.SERIES:
            return await _decide_series(
                reader, publication, has_consented=consent.is_given and preferences.writes_events
            )
        case PublicationKind.RSVP:
            return await _decide_rsvp(reader, publication, preferences, has_consented=consent.is_given)
        case PublicationKind.GROUP:
            return await group_eligibility.decide_group(reader, publication)
        case PublicationKind.SUPERSEDED_GROUP:
            return await group_eligibility.decide_superseded_group(reader, publication, has_consented=consent.is_given)
        case PublicationKind.SUPERSEDED_EVENT | PublicationKind.SUPERSEDED_SERIES:
            return await decide_superseded(reader, publication, has_consented=consent.is_given)
        case PublicationKind.MEMBERSHIP:
            return await group_eligibility.decide_membership(reader, publication, has_consented=consent.is_given)
        case PublicationKind.ACCEPTANCE:
            return await group_eligibility.decide_acceptance(reader, publication)
        case PublicationKind.GROUP_EVENT:
            return await group_eligibility.decide_group_event(reader, publication)


async def _decide_event(
    reader: Reader, publication: Publication, preferences: PublishingPreferences, *, has_consented: bool
) -> Decision:
    event = await event_queries.by_id(reader, EventId(publication.subject_id))
    if event is None or event.deleted_at is not None:
        return WithholdOrRetract(PublicationReason.EVENT_DELETED)
    if event.is_draft:
        return WithholdOrRetract(PublicationReason.DRAFT)
    if event.is_read_only or event.removed_at is not None:
        return DoNothing()
    if event.record_deleted_at is not None:
        # Nothing is written until the host decides. Checking again finds changes that were not announced.
        return Wait(PublicationReason.HOST_DECIDES_ABOUT_DELETION, Instant(reader.now + DAY))
    why_hidden = await _why_hidden_by_moderators(reader, event) if event.is_hidden else None
    if why_hidden is not None and not publication.may_exist_remotely:
        return WithholdOrRetract(why_hidden)
    not_permitted = _decide_if_not_permitted(event, publication, preferences, has_consented=has_consented)
    if not_permitted is not None:
        return not_permitted
    if why_hidden is not None:
        # A published record belongs to its author, and only the author retracts it. The event is hidden here, but the
        # record stays and is not written again.
        return DoNothing()
    if event.needs_author_approval:
        if reach_of(event) is PublishLevel.MINIMAL and not await _is_minimal(reader, event.record_uri):
            return WithholdOrRetract(PublicationReason.HOST_DECIDES_ABOUT_AUDIENCE)
        return DoNothing()
    return await _decide_repository_of_event(reader, event, publication)


def _decide_if_not_permitted(
    event: Event, publication: Publication, preferences: PublishingPreferences, *, has_consented: bool
) -> Decision | None:
    """Decide about an event that its host, its circle of viewers or a missing consent keeps from being published. None
    if it may be published.
    """
    is_foreign_and_unwritten = _is_foreign_and_unwritten(event, publication)
    if not event.record_settings.is_wanted:
        reason = PublicationReason.PUBLISHING_TURNED_OFF
        return (
            KeepEditsLocal(reason)
            if is_foreign_and_unwritten and not publication.is_withdrawn
            else WithholdOrRetract(reason)
        )
    if reach_of(event) is PublishLevel.NOTHING:
        if event.has_foreign_record and not publication.is_withdrawn:
            return DoNothing()
        return WithholdOrRetract(_why_not_public(event))
    if not has_consented or not preferences.writes_events:
        reason = PublicationReason.EVENTS_NOT_WANTED if has_consented else PublicationReason.NOT_AGREED
        return KeepEditsLocal(reason) if is_foreign_and_unwritten else WithholdOrRetract(reason)
    return WithholdOrRetract(PublicationReason.WITHDRAWN) if publication.is_withdrawn else None


def _is_foreign_and_unwritten(event: Event, publication: Publication) -> bool:
    """Whether another app wrote the record and we never wrote to it. Only its author may delete such a record."""
    return event.has_foreign_record and not publication.has_own_version


async def _decide_repository_of_event(reader: Reader, event: Event, publication: Publication) -> Decision:
    """Decide where the event's record is written. An existing record stays where it is; a new one goes into the
    repository of the event's group, if the group has one.

    A record from before an ownership transfer does not belong to this publication; it stays in the other repository.
    """
    record = None if event.record_uri is None else await superseded_records.find(reader, event.record_uri)
    is_moving = record is not None and record.uri != publication.uri
    if not is_moving and event.record_uri is not None and parse_at_uri(event.record_uri).collection != EVENT:
        return KeepEditsLocal(PublicationReason.OLD_COLLECTION)
    target = await _repository_for_event(reader, event, publication, is_moving=is_moving)
    if not isinstance(target, Identity):
        return target
    if is_moving and publication.uri is None and target.did == event.record_did:
        return KeepInRepository(event.record_uri or "")
    return PublishEvent(event, target)


async def _repository_for_event(
    reader: Reader, event: Event, publication: Publication, *, is_moving: bool
) -> Identity | Wait | AwaitPermission | WithholdOrRetract:
    """Return the identity in whose repository the event's record belongs: the author's, or that of the event's group. If
    nothing can be written there, return the decision that follows.

    ``is_moving``: the event has a record in another repository, which this publication replaces.
    """
    did = publication.did or (None if is_moving else event.record_did)
    identity = await repository_for(reader, UserId(publication.user_id), did)
    has_record = publication.may_exist_remotely or (event.record_uri is not None and not is_moving)
    if identity is None and not has_record:
        # An event that left its group gets a new record, because the group's repository does not belong to the event's
        # author.
        did, identity = None, await repository_for(reader, UserId(publication.user_id), None)
    account = await _publishing_group_account(reader, event) if did is None or identity is None else None
    if account is not None:
        identity_of_group = await repository_for(reader, account, did)
        if identity_of_group is None and did is None:
            return Wait(PublicationReason.GROUP_REPOSITORY_PENDING)
        identity = identity_of_group or identity
    if identity is not None:
        return identity
    if publication.may_exist_remotely:
        return AwaitPermission(PublicationReason.SIGN_IN_WITH_ACCOUNT)
    return WithholdOrRetract(PublicationReason.NO_REPOSITORY)


async def _publishing_group_account(reader: Reader, event: Event) -> UserId | None:
    """Return the account that publishes the events of the event's group. None if the group has no account, or does not
    publish its events with it.
    """
    group = None if event.group is None else await group_queries.by_id(reader, event.group.id)
    account = (
        None if group is None or publish_level_of(group) is not GroupPublishLevel.FULL else group.network.account_id
    )
    if account is None or not (await identity_queries.consent(reader, account)).is_given:
        return None
    return account


async def _why_hidden_by_moderators(reader: Reader, event: Event) -> PublicationReason | None:
    """Whether moderators have hidden the event or must decide about it first. None if neither. The state of the account
    does not count.
    """
    position_in_series, group = event.position_in_series, event.group
    subjects = (
        event.id,
        event.author_id,
        position_in_series.series_id if position_in_series else None,
        group.id if group else None,
        event.record_did,
    )
    statuses = await visibility.statuses_of(reader, [one for one in subjects if one is not None])
    states = {one.state for one in statuses.values()}
    if SubjectVisibility.HIDDEN in states:
        return PublicationReason.HIDDEN
    return PublicationReason.UNDER_REVIEW if any(one.hides for one in states) else None


def _why_not_public(event: Event) -> PublicationReason:
    match circle_of(event.content.visibility, event.group):
        case RecordAudience.EVERYBODY if not event.is_published_by_policy:
            return PublicationReason.DATE_NOT_PUBLISHED
        case RecordAudience.EVERYBODY:
            return PublicationReason.GROUP_KEEPS_EVENTS
        case RecordAudience.LINK_HOLDERS:
            return PublicationReason.UNLISTED
        case RecordAudience.MEMBERS:
            return PublicationReason.FOR_MEMBERS
        case RecordAudience.INVITED:
            return PublicationReason.FOR_INVITED


async def _decide_rsvp(
    reader: Reader, publication: Publication, preferences: PublishingPreferences, *, has_consented: bool
) -> Decision:
    attendance = await attendance_queries.by_id(reader, AttendanceId(publication.subject_id))
    if attendance is None:
        return WithholdOrRetract(PublicationReason.ANSWER_DELETED)
    event = await event_queries.by_id(reader, attendance.event_id)
    if event is None or event.deleted_at is not None:
        return WithholdOrRetract(PublicationReason.EVENT_DELETED)
    why_not = _why_rsvp_not_permitted(attendance, event, publication, preferences, has_consented=has_consented)
    if why_not is not None:
        return WithholdOrRetract(why_not)
    token = status_token(attendance.status, preferences)
    is_event_record_gone = event.removed_at is not None or event.record_deleted_at is not None
    if is_event_record_gone or attendance.skips_record or token is NoStatusToken.UNDECIDED:
        return DoNothing()
    if token is NoStatusToken.NO_RECORD:
        return WithholdOrRetract(PublicationReason.DECLINED_NOT_WANTED)
    if event.record_uri is None and publication.may_exist_remotely:
        return WithholdOrRetract(PublicationReason.EVENT_RECORD_RETRACTED)
    if event.record_uri is None:
        return Wait(PublicationReason.NO_EVENT_RECORD)
    target = await repository_for_rsvp(reader, publication, event.record_uri, attendance.source)
    if not isinstance(target, Identity):
        return target
    return PublishRsvp(attendance, event, target, token)


def _why_rsvp_not_permitted(
    attendance: Attendance,
    event: Event,
    publication: Publication,
    preferences: PublishingPreferences,
    *,
    has_consented: bool,
) -> PublicationReason | None:
    """Return why the event, the RSVP or the person's choices keep it from being public; None if it may be public."""
    if event.is_erased:
        return PublicationReason.EVENT_ERASED
    if not are_rsvps_publishable(event):
        return PublicationReason.ANSWERS_STAY_HERE
    if attendance.is_private:
        return PublicationReason.PRIVATE_ANSWER
    if not has_consented:
        return PublicationReason.NOT_AGREED
    if not preferences.writes_answers:
        return PublicationReason.ANSWERS_NOT_WANTED
    return PublicationReason.WITHDRAWN if publication.is_withdrawn else None


async def _decide_series(reader: Reader, publication: Publication, *, has_consented: bool) -> Decision:
    series = await series_queries.by_id(reader, SeriesId(publication.subject_id))
    if series is None or series.deleted_at is not None:
        return WithholdOrRetract(PublicationReason.SERIES_DELETED)
    if series.is_read_only and publication.uri is not None:
        return WithholdOrRetract(PublicationReason.AUTHOR_SAYS_NO_SERIES)
    if series.is_read_only:
        return DoNothing()
    if reach(series.content.visibility, series.group, series.record_settings) is not PublishLevel.FULL:
        return WithholdOrRetract(PublicationReason.SERIES_NOT_PUBLIC)
    if series.policy is PublishPolicy.NONE:
        return WithholdOrRetract(PublicationReason.NO_DATE_PUBLISHED)
    if not has_consented:
        return WithholdOrRetract(PublicationReason.NOT_AGREED)
    if publication.is_withdrawn:
        return WithholdOrRetract(PublicationReason.WITHDRAWN)
    if series.needs_author_approval:
        return DoNothing()
    target = await target_repository(reader, UserId(publication.user_id), publication)
    if not isinstance(target, Identity):
        return target
    return PublishSeries(series, target)


async def decide_superseded(reader: Reader, publication: Publication, *, has_consented: bool) -> Decision:
    """Decide about the superseded record of an event or a series, which links to the current one.

    ``publication.subject_id``: its URI. ``publication.user_id``: its owner at that time. ``has_consented``: whether
    that person consents now.
    """
    superseded = await superseded_records.find(reader, publication.subject_id)
    if superseded is None:
        return DoNothing()
    is_event = superseded.kind is PublicationKind.EVENT
    successor_uri, reason = await (_successor_of_event if is_event else _successor_of_series)(
        reader, superseded.subject_id, publication.subject_id
    )
    if reason or not has_consented or publication.is_withdrawn:
        if superseded.is_foreign:
            return DoNothing()
        return WithholdOrRetract(
            reason or (PublicationReason.WITHDRAWN if has_consented else PublicationReason.NOT_AGREED)
        )
    if successor_uri is None or successor_uri == publication.subject_id:
        return Wait(PublicationReason.NO_SUCCESSOR_YET)
    identity = await current_repository(reader, publication)
    if identity is None:
        return ForgetRecord()
    return PublishByWriter(
        identity, _collection(superseded.kind), None, superseded_writer(write_superseded, successor_uri)
    )


async def _successor_of_event(reader: Reader, event_id: str, uri: str) -> tuple[str | None, PublicationReason | None]:
    """Return the URI of the event's current record, and why its superseded record must be deleted (None if it may
    stay).
    """
    event = await event_queries.by_id(reader, EventId(event_id))
    if event is None or event.deleted_at is not None:
        return None, PublicationReason.EVENT_DELETED
    if not event.record_settings.is_wanted:
        return None, PublicationReason.PUBLISHING_TURNED_OFF
    match reach_of(event):
        case PublishLevel.NOTHING:
            return None, PublicationReason.NOT_FOR_EVERYBODY
        case PublishLevel.MINIMAL if not await _is_minimal(reader, uri):
            return None, PublicationReason.RECORD_TOO_DETAILED
        case _:
            return event.record_uri, None


async def _successor_of_series(
    reader: Reader, series_id: str, _uri: str
) -> tuple[str | None, PublicationReason | None]:
    series = await series_queries.by_id(reader, SeriesId(series_id))
    if series is None or series.deleted_at is not None:
        return None, PublicationReason.SERIES_DELETED
    if reach(series.content.visibility, series.group, series.record_settings) is not PublishLevel.FULL:
        return None, PublicationReason.SERIES_NOT_PUBLIC
    if series.policy is PublishPolicy.NONE:
        return None, PublicationReason.NO_DATE_PUBLISHED
    return series.record_uri, None


async def _is_minimal(reader: Reader, uri: str | None) -> bool:
    """Whether the event's record, as last seen, contains only the minimum; also true if there is no record."""
    seen_record = None if uri is None else await seen.find(reader, uri)
    record = None if seen_record is None or seen_record.body is None else cbor.decode(seen_record.body)
    return not isinstance(record, dict) or is_minimal(record)


def _collection(kind: PublicationKind) -> Nsid:
    return EVENT if kind is PublicationKind.EVENT else SERIES
