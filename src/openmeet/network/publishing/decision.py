"""The possible decisions about a publication: write the record, retract it, wait, or leave it alone."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from at_protocol.data.model import Value
from at_protocol.syntax.did import Did
from at_protocol.syntax.nsid import Nsid
from at_protocol.syntax.record_key import RecordKey
from groundwork.clock import Instant
from groundwork.errors import Refused
from openmeet.domain.attendance.model import Attendance
from openmeet.domain.events.model import Event, EventRevision
from openmeet.domain.groups.model import Group, GroupRevision
from openmeet.domain.groups.publication import GroupPublishLevel
from openmeet.domain.identities.model import Identity
from openmeet.domain.identities.publishing_preferences import PermissionRevision
from openmeet.domain.media.pictures import Picture
from openmeet.domain.series.model import Series
from openmeet.outbox.reasons import PublicationReason

# Builds the record from this installation's address, the time, and the record that the PDS has. Raises Refused if the
# PDS must have one and does not.
RecordWriter = Callable[[str, Instant, Mapping[str, Value] | None], dict[str, Value]]


@dataclass(frozen=True, slots=True)
class DecisionBasis:
    """What a decision found that concerns many records at once: the permissions of people, and the revisions of groups
    and events. It is compared again before the record is sent.
    """

    permissions: frozenset[PermissionRevision] = frozenset()
    groups: frozenset[GroupRevision] = frozenset()
    events: frozenset[EventRevision] = frozenset()


_NO_BASIS: Final = DecisionBasis()


@dataclass(frozen=True, slots=True)
class PublishEvent:
    """Write the event's record into this repository."""

    event: Event
    identity: Identity
    basis: DecisionBasis = _NO_BASIS


@dataclass(frozen=True, slots=True)
class PublishRsvp:
    """Write the RSVP record. ``status_token`` is its status; ``event`` has a record."""

    attendance: Attendance
    event: Event
    identity: Identity
    status_token: str
    basis: DecisionBasis = _NO_BASIS


@dataclass(frozen=True, slots=True)
class PublishSeries:
    """Write the series' own record into this repository."""

    series: Series
    identity: Identity
    basis: DecisionBasis = _NO_BASIS


@dataclass(frozen=True, slots=True)
class PublishGroup:
    """Write the group's own record into this repository, including its picture if ``publish_level`` allows it."""

    group: Group
    identity: Identity
    publish_level: GroupPublishLevel
    backup_admins: tuple[Did, ...]
    basis: DecisionBasis = _NO_BASIS

    @property
    def picture(self) -> Picture | None:
        return self.group.picture if self.publish_level is GroupPublishLevel.FULL else None


@dataclass(frozen=True, slots=True)
class PublishByWriter:
    """Write the record that ``write`` makes: a statement of a group or member, or the link of a superseded record.
    ``key``: None if the key is chosen once and never reused.
    """

    identity: Identity
    collection: Nsid
    key: RecordKey | None
    write: RecordWriter
    basis: DecisionBasis = _NO_BASIS


@dataclass(frozen=True, slots=True)
class WithholdOrRetract:
    """Must not be public: retract the record if it may have been published, otherwise withhold it. ``why`` is shown to the
    person.
    """

    why: PublicationReason


@dataclass(frozen=True, slots=True)
class KeepEditsLocal:
    """Must not be written, but another app wrote the record: do not delete it, and do not publish edits made here."""

    why: PublicationReason


@dataclass(frozen=True, slots=True)
class Wait:
    """Wait: the subject is not published yet, the repository of its group is not ready, an account of the person is being
    read first, or another app deleted the record and the host has not decided yet whether to publish it again.
    ``until``: when to check again, if known.
    """

    why: PublicationReason
    until: Instant | None = None


@dataclass(frozen=True, slots=True)
class RetractDuplicate:
    """The person has another, newer record about the same event: delete this one; the other one is updated."""

    why: PublicationReason


@dataclass(frozen=True, slots=True)
class DoNothing:
    """Leave the repository alone. Nothing is due until something changes."""


@dataclass(frozen=True, slots=True)
class AwaitPermission:
    """We may not write to the record's repository. The record stays until its person connects that account or consents
    again.
    """

    why: PublicationReason


@dataclass(frozen=True, slots=True)
class ForgetRecord:
    """The record is in a repository that we can no longer write to: forget the record and decide again."""


@dataclass(frozen=True, slots=True)
class KeepInRepository:
    """The record was going to move to another repository but stays after all, under its existing URI."""

    uri: str


@dataclass(frozen=True, slots=True)
class AwaitFeatureFlag:
    """It should be published, but publishing of its kind is turned off: retry later. Retractions do not wait, except that
    of a duplicate, which is part of an update of the other record.
    """


Publish = PublishEvent | PublishRsvp | PublishSeries | PublishGroup | PublishByWriter
Decision = (
    Publish
    | RetractDuplicate
    | WithholdOrRetract
    | KeepEditsLocal
    | Wait
    | DoNothing
    | AwaitPermission
    | ForgetRecord
    | KeepInRepository
    | AwaitFeatureFlag
)


def superseded_writer(link: Callable[[str, Mapping[str, Value]], dict[str, Value]], successor_uri: str) -> RecordWriter:
    """Return the writer of a superseded record, which ``link`` links to its successor."""

    def write(_instance: str, _now: Instant, previous: Mapping[str, Value] | None) -> dict[str, Value]:
        if previous is None:
            raise Refused(PublicationReason.SUPERSEDED_RECORD_GONE)
        return link(successor_uri, previous)

    return write
