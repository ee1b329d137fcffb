"""What the present may say about a promise: write the record, take it back, wait, or leave it as it is."""

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

# (address of this installation, now, what the PDS holds) -> the record. Raises Refused where there must be something already.
Writing = Callable[[str, Instant, Mapping[str, Value] | None], dict[str, Value]]


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
class PublishSeries:
    """Write the series' own record into this repository."""

    series: Series
    identity: Identity


@dataclass(frozen=True, slots=True)
class PublishGroup:
    """Write the group's own record into this repository, with its picture where ``share`` lets that out."""

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
    """Write a record that follows from rows of ours alone. ``key``: None for one whose key is chosen once, and never comes again."""

    identity: Identity
    collection: Nsid
    key: RecordKey | None
    write: Writing


@dataclass(frozen=True, slots=True)
class Hold:
    """Nothing of it may be public: take back what is, else keep it here. ``why`` is shown to the person."""

    why: str


@dataclass(frozen=True, slots=True)
class KeepHere:
    """It may not be written, and another app wrote the record: we do not delete it, and edits made here are not published."""

    why: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Its subject has no record yet, or an account is being read first. ``until``: when to look again at the latest, where that is known."""

    why: str
    until: Instant | None = None


@dataclass(frozen=True, slots=True)
class GiveWay:
    """Another record of its person says the same later: that one is to be changed, and this one goes."""

    why: str


@dataclass(frozen=True, slots=True)
class Leave:
    """Whatever the repository says stays as it is; nothing is owed until something is decided."""

    why: str


@dataclass(frozen=True, slots=True)
class Stay:
    """It stands where we may not write: as it is, until its person connects that repository again, or agrees again."""

    why: str


@dataclass(frozen=True, slots=True)
class LetGo:
    """It stands where nothing can be written any more: it is forgotten as it is, and decided anew."""

    why: str


@dataclass(frozen=True, slots=True)
class Return:
    """It is to stand in the repository that it had left, under the uri that it has there."""

    uri: str


@dataclass(frozen=True, slots=True)
class Pause:
    """It is to be published, and publishing its kind is switched off: later. What must vanish does not wait."""


RECALLED = "You took it back from the network."
ELSEWHERE = "Sign in with the account it is in."

Publish = PublishEvent | PublishRsvp | PublishSeries | PublishGroup | PublishPlain
Decision = Publish | GiveWay | Hold | KeepHere | Wait | Leave | Stay | LetGo | Return | Pause


async def repository_for(reader: Reader, user_id: UserId, did: str | None) -> Identity | None:
    """The repository that holds the record already, else the one for new records."""
    mine = [one for one in await identity_queries.of_user(reader, user_id) if one.can_write]
    if did is not None:
        return next((one for one in mine if one.did == did), None)
    return mine[0] if mine else None


async def home_of(reader: Reader, user_id: UserId, owed: LeasedPublication) -> Identity | Hold | Stay:
    """The same for a promise: what was taken back out of a repository that they let go of begins anew in another."""
    identity = await repository_for(reader, user_id, owed.did)
    if identity is None and owed.may_be_out_there:
        return Stay(ELSEWHERE)
    return identity or await repository_for(reader, user_id, None) or Hold(NO_REPOSITORY)
