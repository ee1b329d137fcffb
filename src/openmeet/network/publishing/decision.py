"""The possible decisions about a publication: write the record, retract it, wait, or leave it as it is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from at_protocol.data.model import Value
from at_protocol.syntax.did import Did
from at_protocol.syntax.nsid import Nsid
from at_protocol.syntax.record_key import RecordKey
from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from openmeet.domain.attendance.model import Attendance
from openmeet.domain.events.model import Event
from openmeet.domain.groups.model import Group
from openmeet.domain.groups.publication import Share
from openmeet.domain.identities import queries as identity_queries
from openmeet.domain.identities.model import Identity
from openmeet.domain.media.pictures import Picture
from openmeet.domain.series.model import Series
from openmeet.domain.users.model import UserId
from openmeet.network.records.group import Reference
from openmeet.outbox.publication_leases import LeasedPublication
from openmeet.outbox.publications import NO_REPOSITORY

# (address of this installation, now, what the PDS has) -> the record. Raises Refused if a record must exist already.
Writing = Callable[[str, Instant, Mapping[str, Value] | None], dict[str, Value]]


@dataclass(frozen=True, slots=True)
class PublishEvent:
    """Write the event's record into this repository."""

    event: Event
    identity: Identity


@dataclass(frozen=True, slots=True)
class PublishRsvp:
    """Write the RSVP record; ``token`` is its status, ``event`` has a record."""

    attendance: Attendance
    event: Event
    identity: Identity
    token: str


@dataclass(frozen=True, slots=True)
class PublishSeries:
    """Write the series' own record into this repository."""

    series: Series
    identity: Identity


@dataclass(frozen=True, slots=True)
class PublishGroup:
    """Write the group's own record into this repository, with its picture if ``share`` allows that."""

    group: Group
    identity: Identity
    share: Share
    backup_admins: tuple[Did, ...]
    predecessor: Reference | None

    @property
    def picture(self) -> Picture | None:
        return self.group.picture if self.share is Share.ALL else None


@dataclass(frozen=True, slots=True)
class PublishPlain:
    """Write a record that depends on our own rows alone. ``key``: None if the key is chosen once and never reused."""

    identity: Identity
    collection: Nsid
    key: RecordKey | None
    write: Writing


@dataclass(frozen=True, slots=True)
class Hold:
    """Nothing of it may be public: retract a published record, otherwise keep it here. ``why`` is shown to the person."""

    why: str


@dataclass(frozen=True, slots=True)
class KeepHere:
    """It may not be written, and another app wrote the record: we do not delete it, and do not publish edits made here."""

    why: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Its subject has no record yet, or an account is still being read. ``until``: the latest time to check again, if known."""

    why: str
    until: Instant | None = None


@dataclass(frozen=True, slots=True)
class GiveWay:
    """Another record of the person is about the same event and newer: that one is updated, and this one is deleted."""

    why: str


@dataclass(frozen=True, slots=True)
class Leave:
    """The repository keeps what it has; there is no job until something is decided."""

    why: str


@dataclass(frozen=True, slots=True)
class Stay:
    """The record is in a repository that we may not write to. It stays until its person connects that repository or consents again."""

    why: str


@dataclass(frozen=True, slots=True)
class LetGo:
    """The record is in a repository that can no longer be written: forget it there, and decide again."""

    why: str


@dataclass(frozen=True, slots=True)
class Return:
    """The record returns to the repository that it had left, under the URI that it has there."""

    uri: str


@dataclass(frozen=True, slots=True)
class Pause:
    """It is to be published, but publishing of its kind is switched off: retry later. Retractions do not wait."""


RECALLED = "You took it back from the network."
ELSEWHERE = "Sign in with the account it is in."

Publish = PublishEvent | PublishRsvp | PublishSeries | PublishGroup | PublishPlain
Decision = Publish | GiveWay | Hold | KeepHere | Wait | Leave | Stay | LetGo | Return | Pause


async def repository_for(reader: Reader, user_id: UserId, did: str | None) -> Identity | None:
    """The repository that has the record already, else the one for new records."""
    mine = [one for one in await identity_queries.of_user(reader, user_id) if one.can_write]
    if did is not None:
        return next((one for one in mine if one.did == did), None)
    return mine[0] if mine else None


async def home_of(reader: Reader, user_id: UserId, owed: LeasedPublication) -> Identity | Hold | Stay:
    """The same for a publication: a record retracted from a repository that was disconnected is created again in another one."""
    identity = await repository_for(reader, user_id, owed.did)
    if identity is None and owed.may_be_out_there:
        return Stay(ELSEWHERE)
    return identity or await repository_for(reader, user_id, None) or Hold(NO_REPOSITORY)
