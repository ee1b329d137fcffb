"""Decide whether a record may be published, and where, from the present each time its job runs (invariants 3, 11)."""

from collections.abc import Mapping

from at_protocol.data import cbor
from at_protocol.data.model import Value
from at_protocol.syntax.at_uri import parse_at_uri
from at_protocol.syntax.nsid import Nsid
from groundwork.clock import DAY, Instant
from groundwork.database.transaction import Reader
from groundwork.errors import Refused
from openmeet.domain.attendance import queries as attendance_queries
from openmeet.domain.attendance.model import AttendanceId
from openmeet.domain.attendance.rules import may_answers_be_public
from openmeet.domain.events import queries
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.events.publication import Circle, PublishLevel, circle_of, reach, reach_of
from openmeet.domain.groups import queries as group_queries
from openmeet.domain.groups.publication import Share, share_of
from openmeet.domain.identities import publication_consent
from openmeet.domain.identities import queries as identity_queries
from openmeet.domain.identities.model import Identity
from openmeet.domain.identities.publication_consent import PublicationConsent
from openmeet.domain.moderation import visibility
from openmeet.domain.moderation.model import SubjectVisibility
from openmeet.domain.series import queries as series_queries
from openmeet.domain.series.model import PublishPolicy, SeriesId
from openmeet.domain.users.model import UserId
from openmeet.feature_flags.flags import Flag, Switchboard
from openmeet.network.publishing import group_eligibility
from openmeet.network.publishing.decision import (
    ELSEWHERE,
    RECALLED,
    Decision,
    GiveWay,
    Hold,
    KeepHere,
    Leave,
    LetGo,
    Pause,
    Publish,
    PublishEvent,
    PublishPlain,
    PublishRsvp,
    PublishSeries,
    Return,
    Stay,
    Wait,
    home_of,
    repository_for,
)
from openmeet.network.publishing.repositories import place_of
from openmeet.network.records import seen
from openmeet.network.records.collections import EVENT, SERIES
from openmeet.network.records.event_writer import says_little
from openmeet.network.records.rsvp import Silence, told
from openmeet.network.records.succession import write_former
from openmeet.outbox import publication_moves
from openmeet.outbox.publication_leases import LeasedPublication
from openmeet.outbox.publications import NO_REPOSITORY, NOT_AGREED, SPEAKER_NOT_AGREED, PublicationKind

FLAG_OF = {
    PublicationKind.EVENT: Flag.EVENTS_OUT,
    PublicationKind.RSVP: Flag.RSVPS_OUT,
    PublicationKind.SERIES: Flag.SERIES_LEXICON,
    PublicationKind.GROUP: Flag.GROUPS,
    PublicationKind.FORMER_GROUP: Flag.GROUPS,
    PublicationKind.FORMER_EVENT: Flag.EVENTS_OUT,
    PublicationKind.FORMER_SERIES: Flag.SERIES_LEXICON,
    PublicationKind.MEMBERSHIP: Flag.MEMBERSHIPS,
    PublicationKind.ACCEPTANCE: Flag.MEMBERSHIPS,
    PublicationKind.GROUP_EVENT: Flag.GROUPS,
}
# Nothing is written until its host decides; checking again finds changes that no notification announced.
DELETED_ELSEWHERE = "Another app deleted it: its host is asked."
# Most sites never enable these flags, so their publications are not rechecked often. They are woken when a flag is
# enabled.
_RARELY_ON = frozenset({Flag.SERIES_LEXICON, Flag.GROUPS, Flag.MEMBERSHIPS})


async def decide(reader: Reader, owed: LeasedPublication, flags: Switchboard) -> Decision:
    """The decision about a publication, as of now."""
    wanted = await _wanted(reader, owed)
    if wanted in (Hold(NOT_AGREED), Hold(SPEAKER_NOT_AGREED)) and owed.may_be_out_there and not owed.is_recalled:
        consent = await identity_queries.consent(reader, UserId(owed.user_id))
        # Their consent ended with the account that they disconnected: they were not asked again, and did not withdraw
        # it.
        return wanted if consent.answered_at is not None else Stay(NOT_AGREED)
    if not isinstance(wanted, Publish | GiveWay):
        return wanted
    flag = FLAG_OF[owed.kind]
    if await flags.is_on(reader, flag):
        return wanted
    return Leave("Records of this kind are switched off.") if flag in _RARELY_ON else Pause()


async def _wanted(reader: Reader, owed: LeasedPublication) -> Decision:
    """The same, if everything were enabled."""
    consent = await identity_queries.consent(reader, UserId(owed.user_id))
    wishes = await publication_consent.of_user(reader, UserId(owed.user_id))
    match owed.kind:
        case PublicationKind.EVENT:
            event = await queries.by_id(reader, EventId(owed.subject_id))
            if event is None or event.deleted_at is not None:
                return Hold("The event was deleted.")
            if event.is_draft:
                return Hold("It is a draft.")
            if event.is_read_only:
                return Leave("The event is kept elsewhere; nothing is written there.")
            if event.removed_at is not None:
                return Leave("The record was deleted in the repository.")
            if event.record_deleted_at is not None:
                return Wait(DELETED_ELSEWHERE, Instant(reader.now + DAY))
            is_withheld = event.is_hidden and await _is_withheld(reader, event)
            if is_withheld and not owed.may_be_out_there:
                return Hold("A moderator looks at it first.")
            if not event.record.is_wanted:
                why = "Its host keeps it off the network."
                return KeepHere(why) if _is_anothers(event, owed) and not owed.is_recalled else Hold(why)
            if reach_of(event) is PublishLevel.NOTHING:
                if event.is_record_of_author and not owed.is_recalled:
                    return Leave("It is for fewer people here. Its record stays until its author deletes that, too.")
                return Hold(_kept_here(event))
            if not consent.is_given or not wishes.writes_events:
                why = "You do not want your events published." if consent.is_given else NOT_AGREED
                return KeepHere(why) if _is_anothers(event, owed) else Hold(why)
            if owed.is_recalled:
                return Hold(RECALLED)
            if is_withheld:
                # A published record is its author's, and so is retracting it: hidden here, it stays there and is not
                # written again.
                return Leave("A moderator has hidden it.")
            if not event.owes_record:
                return Hold("Of this series another date is published.")
            if event.awaits_author:
                if reach_of(event) is PublishLevel.MINIMAL and await _says_too_much(reader, event):
                    return Hold("It is for fewer people now; its author has not said yes to what may be said of it.")
                return Leave("Somebody who hosts it, too, changed it; its author has not said yes to that yet.")
            return await _to_its_home(reader, event, owed)
        case PublicationKind.SERIES:
            return await _decide_series(reader, owed, agreed=consent.is_given and wishes.writes_events)
        case PublicationKind.RSVP:
            return await _decide_rsvp(reader, owed, wishes, agreed=consent.is_given)
        case PublicationKind.GROUP:
            return await group_eligibility.decide_group(reader, owed)
        case PublicationKind.FORMER_GROUP:
            return await group_eligibility.decide_former(reader, owed, agreed=consent.is_given)
        case PublicationKind.FORMER_EVENT | PublicationKind.FORMER_SERIES:
            return await decide_former(reader, owed, agreed=consent.is_given)
        case PublicationKind.MEMBERSHIP:
            return await group_eligibility.decide_membership(reader, owed, agreed=consent.is_given)
        case PublicationKind.ACCEPTANCE:
            return await group_eligibility.decide_acceptance(reader, owed)
        case PublicationKind.GROUP_EVENT:
            return await group_eligibility.decide_group_event(reader, owed)


def _is_anothers(event: Event, owed: LeasedPublication) -> bool:
    """Whether another app wrote the record and we never wrote to it: only its author may delete it."""
    return event.is_record_of_author and not owed.was_sent


async def _to_its_home(reader: Reader, event: Event, owed: LeasedPublication) -> Decision:
    """An existing record stays where it is; a new one of a group goes into the group's own repository, if it has one.

    A record from before an ownership transfer does not belong to this publication: it stays in the other repository.
    """
    record = None if event.record_uri is None else await publication_moves.find(reader, event.record_uri)
    is_moving = record is not None and record.uri != owed.uri
    if not is_moving and event.record_uri is not None and parse_at_uri(event.record_uri).collection != EVENT:
        return Leave("Records of this older collection are read, not written.")
    did = owed.did or (None if is_moving else event.record_did)
    identity = await repository_for(reader, UserId(owed.user_id), did)
    group = None if event.group is None else await group_queries.by_id(reader, event.group.id)
    account = None if group is None or share_of(group) is not Share.ALL else group.network.account_id
    if identity is None and not owed.may_be_out_there and (event.record_uri is None or is_moving):
        # An event that left its group, whose repository is another's now, gets a new record.
        did, identity = None, await repository_for(reader, UserId(owed.user_id), None)
    agreed = account is not None and (await identity_queries.consent(reader, account)).is_given
    if account is not None and agreed and (did is None or identity is None):
        of_group = await repository_for(reader, account, did)
        if of_group is None and did is None:
            return Wait("The group’s repository is being made.")
        identity = of_group or identity
    if identity is None:
        return Stay(ELSEWHERE) if owed.may_be_out_there else Hold(NO_REPOSITORY)
    if is_moving and owed.uri is None and identity.did == event.record_did:
        return Return(event.record_uri or "")
    return PublishEvent(event, identity)


async def _says_too_much(reader: Reader, event: Event) -> bool:
    """Whether the published record contains more than is public now: it is retracted without anybody's consent."""
    known = None if event.record_uri is None else await seen.find(reader, event.record_uri)
    record = None if known is None or known.body is None else cbor.decode(known.body)
    return isinstance(record, dict) and not says_little(record)


async def _is_withheld(reader: Reader, event: Event) -> bool:
    """Whether a moderation decision, or a pending one, hides it from others; the state of the account does not count."""
    place, group = event.place_in_series, event.group
    named = (
        event.id,
        event.author_id,
        place.series_id if place else None,
        group.id if group else None,
        event.record_did,
    )
    found = await visibility.of_each(reader, [one for one in named if one is not None])
    return any(one.state is not SubjectVisibility.TRUSTED for one in found.values())


def _kept_here(event: Event) -> str:
    match circle_of(event.own_visibility, event.group):
        case Circle.EVERYBODY:
            return "Its group keeps its events off the network."
        case Circle.WHO_HAS_THE_ADDRESS:
            return "Unlisted events are never published."
        case Circle.MEMBERS:
            return "It is for members, and the group does not tell the network of such events."
        case Circle.INVITED:
            return "It is for those who are invited."


async def _decide_rsvp(
    reader: Reader, owed: LeasedPublication, wishes: PublicationConsent, *, agreed: bool
) -> Decision:
    attendance = await attendance_queries.by_id(reader, AttendanceId(owed.subject_id))
    if attendance is None:
        return Hold("The answer was deleted.")
    event = await queries.by_id(reader, attendance.event_id)
    if event is None or event.deleted_at is not None:
        return Hold("The event was deleted.")
    if event.is_blank:
        return Hold("The account of the event’s author was deleted.")
    if not may_answers_be_public(event):
        return Hold("Answers to this event are not published.")
    if attendance.is_private:
        return Hold("You keep it private that you go there.")
    if not agreed:
        return Hold(NOT_AGREED)
    if not wishes.writes_answers:
        return Hold("You do not want your answers published.")
    if owed.is_recalled:
        return Hold(RECALLED)
    if event.removed_at is not None or event.record_deleted_at is not None:
        return Leave("The event’s record is gone.")
    if attendance.skips_record:
        return Leave("This answer was to stay here.")
    token = told(attendance.status, wishes)
    match token:
        case Silence.UNDECIDED:
            return Leave("Your answer is published once it is decided.")
        case Silence.UNSAID:
            return Hold("You want no record of a no.")
    if event.record_uri is None and owed.may_be_out_there:
        return Hold("The event’s record was taken back.")
    if event.record_uri is None:
        return Wait("The event has no record yet.")
    place = await place_of(reader, owed, event.record_uri, attendance.source)
    return PublishRsvp(attendance, event, place, token) if isinstance(place, Identity) else place


async def _decide_series(reader: Reader, owed: LeasedPublication, *, agreed: bool) -> Decision:
    series = await series_queries.by_id(reader, SeriesId(owed.subject_id))
    if series is None or series.deleted_at is not None:
        return Hold("The series was deleted.")
    if series.is_read_only and owed.uri is not None:
        return Hold("It was found among single events, and its author took back that it is a series.")
    if series.is_read_only:
        return Leave("The series is kept elsewhere; nothing is written there.")
    if reach(series.template.visibility, series.group, series.record) is not PublishLevel.FULL:
        return Hold("Only what is public in full has a series on the network.")
    if series.policy is PublishPolicy.NONE:
        return Hold("No date of this series is published.")
    if not agreed:
        return Hold(NOT_AGREED)
    if owed.is_recalled:
        return Hold(RECALLED)
    if series.awaits_owner:
        return Leave("Somebody else changed it; its owner has not said yes to that yet.")
    home = await home_of(reader, UserId(owed.user_id), owed)
    return PublishSeries(series, home) if isinstance(home, Identity) else home


async def decide_former(reader: Reader, owed: LeasedPublication, *, agreed: bool) -> Decision:
    """``owed.subject_id``: URI of the record; ``owed.user_id``: its owner then; ``agreed``: their consent to publishing."""
    former = await publication_moves.find(reader, owed.subject_id)
    if former is None:
        return Leave("Nothing is known of what went on from it.")
    is_event = former.kind is PublicationKind.EVENT
    goes_on_at, why_not = await (_event if is_event else _series)(reader, former.subject_id, owed.subject_id)
    if why_not or not agreed or owed.is_recalled:
        if former.is_authors:
            return Leave("It was written elsewhere, and stays until its author deletes it.")
        return Hold(why_not or (RECALLED if agreed else NOT_AGREED))
    if goes_on_at is None or goes_on_at == owed.subject_id:
        return Wait("There is no new record yet.")
    identity = await repository_for(reader, UserId(owed.user_id), owed.did or "")
    if identity is None:
        return LetGo("It stands in a repository that nobody lets us write to.")

    def write(_instance: str, _now: Instant, previous: Mapping[str, Value] | None) -> dict[str, Value]:
        if previous is None:
            raise Refused("The record that it had before is gone.")
        return write_former(goes_on_at, previous)

    return PublishPlain(identity, _collection(former.kind), None, write)


async def _event(reader: Reader, event_id: str, uri: str) -> tuple[str | None, str]:
    """Where the event's record is, and why the old one may not stay."""
    event = await queries.by_id(reader, EventId(event_id))
    if event is None or event.deleted_at is not None:
        return None, "The event was deleted."
    if not event.record.is_wanted:
        return None, "Its host keeps it off the network."
    match reach_of(event):
        case PublishLevel.NOTHING:
            return None, "It is not for everybody any more."
        case PublishLevel.MINIMAL if not await _says_little(reader, uri):
            return None, "It says more than everybody may know by now."
        case _:
            return event.record_uri, ""


async def _series(reader: Reader, series_id: str, _uri: str) -> tuple[str | None, str]:
    series = await series_queries.by_id(reader, SeriesId(series_id))
    if series is None or series.deleted_at is not None:
        return None, "The series was deleted."
    if reach(series.template.visibility, series.group, series.record) is not PublishLevel.FULL:
        return None, "Only what is public in full has a series on the network."
    return series.record_uri, ""


async def _says_little(reader: Reader, uri: str) -> bool:
    known = await seen.find(reader, uri)
    record = None if known is None or known.body is None else cbor.decode(known.body)
    return not isinstance(record, dict) or says_little(record)


def _collection(kind: PublicationKind) -> Nsid:
    return EVENT if kind is PublicationKind.EVENT else SERIES
