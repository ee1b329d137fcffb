"""Publication status of an event or RSVP for its owner: one chip with text, and one next step."""

from dataclasses import dataclass, replace
from enum import StrEnum

from groundwork.clock import Instant
from groundwork.errors import Explanation
from openmeet.domain.attendance.model import Attendance
from openmeet.domain.attendance.rules import are_rsvps_publishable
from openmeet.domain.events.model import Event
from openmeet.domain.events.publication import PublishLevel, allows_record, reach_of
from openmeet.network.records.rsvp import NoStatusToken, status_token
from openmeet.outbox.publication_status import PublicationStatus
from openmeet.outbox.publications import PublicationState
from openmeet.outbox.reasons import RecordStatus

_TONES = {
    PublicationState.PUBLISHED: "good",
    PublicationState.BLOCKED: "warn",
    PublicationState.REFUSED: "warn",
    PublicationState.CONFLICTED: "warn",
}

# States in which the PDS has the record or might have it.
_OUT_THERE = frozenset(
    {PublicationState.PUBLISHED, PublicationState.RETRYING, PublicationState.REFUSED, PublicationState.CONFLICTED}
)


class ShownElsewhere(StrEnum):
    """What other apps can show, as far as we know. ``ESSENTIALS``: name, time and a link."""

    NOTHING = "nothing"
    NOTHING_YET = "nothing_yet"
    EVERYTHING = "everything"
    ESSENTIALS = "essentials"
    OLDER_VERSION = "older_version"
    BEING_REMOVED = "being_removed"


_ELSEWHERE = {
    **dict.fromkeys(
        (
            RecordStatus.ON_THE_NETWORK,
            RecordStatus.PUBLISHED,
            RecordStatus.MERGED,
            RecordStatus.PUBLISHED_INCOMPLETE,
            RecordStatus.MERGED_INCOMPLETE,
        ),
        ShownElsewhere.EVERYTHING,
    ),
    **dict.fromkeys(
        (RecordStatus.ONLY_HERE, RecordStatus.RETRACTED, RecordStatus.DELETED_IN_ANOTHER_APP), ShownElsewhere.NOTHING
    ),
    **dict.fromkeys((RecordStatus.RETRACTING, RecordStatus.SIGN_IN_TO_RETRACT), ShownElsewhere.BEING_REMOVED),
    RecordStatus.CHANGED_ONLY_HERE: ShownElsewhere.OLDER_VERSION,
}


@dataclass(frozen=True, slots=True)
class Sync:
    """The sync badge of a record. ``may_publish``: the record was retracted and can be published again."""

    status: Explanation
    tone: str
    elsewhere: ShownElsewhere
    may_ask: bool
    may_try: bool
    may_publish: bool
    may_take_back: bool
    must_sign_in: bool

    @property
    def is_only_here(self) -> bool:
        """Whether no repository has the record and none will get it."""
        return self.status == RecordStatus.ONLY_HERE()

    @property
    def is_up_to_date(self) -> bool:
        """Whether other apps can show what they should, which is nothing if no record is wanted."""
        return self.elsewhere in {ShownElsewhere.NOTHING, ShownElsewhere.EVERYTHING, ShownElsewhere.ESSENTIALS}

    @property
    def asks_author(self) -> bool:
        """Whether the author has to approve an edit of a co-host."""
        return self.status == RecordStatus.CHANGED_BY_CO_HOST()


def event_status(event: Event, publication: PublicationStatus, now: Instant, *, has_agreed: bool) -> Explanation:
    """The chip of an event in a list. ``has_agreed``: its owner has consented to publishing."""
    if event.record_deleted_at is not None:
        return RecordStatus.DELETED_IN_ANOTHER_APP()
    if _waits_for_its_author(event, publication, has_agreed=has_agreed):
        return RecordStatus.CHANGED_BY_CO_HOST()
    return publication.explanation_for_owner(
        now, is_allowed=has_agreed and allows_record(event), is_foreign=event.has_foreign_record
    )


def event_sync(event: Event, publication: PublicationStatus, now: Instant, *, has_agreed: bool) -> Sync:
    """The status of an event's record. "Only here" if none will be published."""
    is_public, is_foreign = allows_record(event), event.has_foreign_record
    sync = _sync_of(publication, now, has_agreed=has_agreed, is_public=is_public, is_foreign=is_foreign)
    if event.record_deleted_at is not None:
        return Sync(RecordStatus.DELETED_IN_ANOTHER_APP(), "warn", ShownElsewhere.NOTHING, *[False] * 5)
    if _waits_for_its_author(event, publication, has_agreed=has_agreed):
        status = RecordStatus.CHANGED_BY_CO_HOST()
        is_there = is_foreign or publication.uri is not None
        return replace(sync, status=status, tone="warn", elsewhere=_elsewhere(status, is_there=is_there))
    if sync.elsewhere is ShownElsewhere.EVERYTHING and reach_of(event) is PublishLevel.MINIMAL:
        return replace(sync, elsewhere=ShownElsewhere.ESSENTIALS)
    return sync


def answer_sync(
    own_rsvp: Attendance, event: Event, publication: PublicationStatus, now: Instant, *, has_agreed: bool
) -> Sync:
    """The status of an RSVP's record. There is no record while the RSVP waits for approval or for a place.

    ``has_agreed``: the person wants their RSVPs published.
    """
    has_words = not isinstance(status_token(own_rsvp.status), NoStatusToken) and not own_rsvp.skips_record
    is_public = are_rsvps_publishable(event) and not own_rsvp.is_private and (has_words or publication.uri is not None)
    is_foreign = own_rsvp.record_uri is not None
    return _sync_of(publication, now, has_agreed=has_agreed, is_public=is_public, is_foreign=is_foreign)


def _waits_for_its_author(event: Event, publication: PublicationStatus, *, has_agreed: bool) -> bool:
    """Whether the repository has, or would get, a version without a co-host's edit that the author still has to
    approve.
    """
    return event.needs_author_approval and has_agreed and allows_record(event) and not publication.is_withdrawn


def _sync_of(
    publication: PublicationStatus, now: Instant, *, has_agreed: bool, is_public: bool, is_foreign: bool
) -> Sync:
    is_allowed = has_agreed and is_public
    is_wanted = is_allowed and not publication.is_withdrawn
    is_there = publication.uri is not None
    status = publication.explanation_for_owner(now, is_allowed=is_allowed, is_foreign=is_foreign)
    return Sync(
        status=status,
        tone="good"
        if status == RecordStatus.ON_THE_NETWORK()
        else _TONES.get(publication.state, "plain")
        if is_wanted or is_there
        else "plain",
        elsewhere=_elsewhere(status, is_there=is_there or is_foreign),
        may_ask=not has_agreed and not is_there and not is_foreign,
        may_try=is_wanted
        and publication.state in {PublicationState.RETRYING, PublicationState.REFUSED, PublicationState.CONFLICTED},
        may_publish=is_allowed
        and publication.is_withdrawn
        and publication.state in {PublicationState.WITHHELD, PublicationState.RETRACTED},
        may_take_back=is_wanted and is_there and publication.state in _OUT_THERE,
        must_sign_in=publication.state is PublicationState.BLOCKED and (is_wanted or is_there),
    )


def _elsewhere(status: Explanation, *, is_there: bool) -> ShownElsewhere:
    """What other apps can show while the record has this status. ``is_there``: a repository has a version of it."""
    if (known := _ELSEWHERE.get(RecordStatus(status.code))) is not None:
        return known
    return ShownElsewhere.OLDER_VERSION if is_there else ShownElsewhere.NOTHING_YET
