"""May this be published, and where? Decided from the present, each time a debt is looked at (invariants 3, 11)."""

from dataclasses import dataclass

from at_protocol.syntax.at_uri import parse_at_uri
from groundwork.database.transaction import Reader
from openmeet.attendance import queries as attendance_queries
from openmeet.attendance.model import Attendance, AttendanceId
from openmeet.attendance.rules import may_answers_be_public
from openmeet.debts.publication_leases import Publication
from openmeet.debts.publications import Kind
from openmeet.events import queries as event_queries
from openmeet.events.model import Event, EventId, Visibility
from openmeet.events.promotion import Reach, reach_of
from openmeet.identities import queries as identity_queries
from openmeet.identities.model import Identity
from openmeet.records.collections import EVENT
from openmeet.records.rsvp import token_for
from openmeet.users.model import UserId


@dataclass(frozen=True, slots=True)
class PublishEvent:
    """Write the event's record into this repository."""

    event: Event
    identity: Identity


@dataclass(frozen=True, slots=True)
class PublishRsvp:
    """Write the answer's record; ``token`` is its status, ``event`` has a record."""

    attendance: Attendance
    event: Event
    identity: Identity
    token: str


@dataclass(frozen=True, slots=True)
class Hold:
    """Nothing of it may be public: take back what is, else keep it here. ``why`` is shown to the person."""

    why: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Its subject has no record yet."""

    why: str


@dataclass(frozen=True, slots=True)
class Leave:
    """Whatever the repository says stays as it is; nothing is owed until something is decided."""

    why: str


_RECALLED = "You took it back from the network."

Decision = PublishEvent | PublishRsvp | Hold | Wait | Leave


async def decide(reader: Reader, owed: Publication) -> Decision:
    """What the present says about a promise."""
    consent = await identity_queries.consent(reader, UserId(owed.user_id))
    match owed.kind:
        case Kind.EVENT:
            event = await event_queries.by_id(reader, EventId(owed.subject_id))
            if event is None or event.deleted_at is not None:
                return Hold("The event was deleted.")
            if event.is_draft:
                return Hold("It is a draft.")
            if event.is_read_only:
                return Leave("The event is kept elsewhere; nothing is written there.")
            if event.removed_at is not None:
                return Leave("The record was deleted in the repository.")
            if event.visibility is not Visibility.PUBLIC:
                return Hold("Only public events are published.")
            if not event.owes_record:
                return Hold("Of this series another date is published.")
            if reach_of(event) is Reach.NOTHING:
                return Hold("Its group keeps its events off the network.")
            if not consent.is_given:
                return Hold("You have not agreed to publishing.")
            if owed.is_recalled:
                return Hold(_RECALLED)
            if event.awaits_author:
                return Leave("Somebody who hosts it, too, changed it; its author has not said yes to that yet.")
            if event.record_uri is not None and parse_at_uri(event.record_uri).collection != EVENT:
                return Leave("Records of this older collection are read, not written.")
            identity = await _identity(reader, UserId(owed.user_id), owed.did or event.record_did)
            return Hold("You have no repository yet.") if identity is None else PublishEvent(event, identity)
        case Kind.RSVP:
            return await _decide_rsvp(reader, owed, agreed=consent.is_given)


async def _decide_rsvp(reader: Reader, owed: Publication, *, agreed: bool) -> Decision:
    attendance = await attendance_queries.by_id(reader, AttendanceId(owed.subject_id))
    if attendance is None:
        return Hold("The answer was deleted.")
    event = await event_queries.by_id(reader, attendance.event_id)
    if event is None or event.deleted_at is not None:
        return Hold("The event was deleted.")
    if not may_answers_be_public(event):
        return Hold("Answers to events that are not public are never published.")
    if attendance.is_private:
        return Hold("You keep it private that you go there.")
    if not agreed:
        return Hold("You have not agreed to publishing.")
    if owed.is_recalled:
        return Hold(_RECALLED)
    if event.removed_at is not None:
        return Leave("The event's record is gone.")
    token = token_for(attendance.status)
    if token is None:
        return Leave("Your answer is published once it is decided.")
    if event.record_uri is None and owed.may_be_out_there:
        return Hold("The event's record was taken back.")
    if event.record_uri is None:
        return Wait("The event has no record yet.")
    identity = await _identity(reader, UserId(owed.user_id), owed.did)
    if identity is None:
        return Hold("You have no repository yet.")
    return PublishRsvp(attendance, event, identity, token)


async def _identity(reader: Reader, user_id: UserId, did: str | None) -> Identity | None:
    """The repository that holds the record already, else the one for new records."""
    mine = [one for one in await identity_queries.of_user(reader, user_id) if one.can_write]
    if did is not None:
        return next((one for one in mine if one.did == did), None)
    return mine[0] if mine else None
