"""The publication status of an event or RSVP for its owner: one chip with text, and one next step."""

from dataclasses import dataclass, replace

from groundwork.clock import Instant
from openmeet.domain.attendance.model import Attendance
from openmeet.domain.attendance.rules import may_answers_be_public
from openmeet.domain.events.model import Event
from openmeet.domain.events.publication import PublishLevel, reach
from openmeet.i18n import formatting
from openmeet.network.records.rsvp import Silence, told
from openmeet.outbox.publications import DELETED_IN_ANOTHER_APP, ON_THE_NETWORK, PublicationState, PublicationStatus

_TONES = {
    PublicationState.PUBLISHED: "good",
    PublicationState.BLOCKED: "warn",
    PublicationState.REFUSED: "warn",
    PublicationState.CONFLICTED: "warn",
}

# States in which the PDS has the record, or may have it.
_OUT_THERE = frozenset(
    {PublicationState.PUBLISHED, PublicationState.RETRYING, PublicationState.REFUSED, PublicationState.CONFLICTED}
)


@dataclass(frozen=True, slots=True)
class Sync:
    """``since`` is the last change as text. ``may_publish``: it was retracted and may be published again."""

    words: str
    tone: str
    since: str
    may_ask: bool
    may_try: bool
    may_publish: bool
    may_take_back: bool
    must_sign_in: bool


def event_words(event: Event, standing: PublicationStatus, now: Instant, *, has_agreed: bool) -> str:
    """The chip of an event in a list. ``has_agreed``: its owner's consent to publishing."""
    if event.record_deleted_at is not None:
        return DELETED_IN_ANOTHER_APP
    if _waits_for_its_author(event, standing, has_agreed=has_agreed):
        return _CHANGED_BY_OTHERS
    return standing.words(now, is_allowed=has_agreed and _is_public(event), is_by_another_app=event.is_record_of_author)


def event_sync(event: Event, standing: PublicationStatus, now: Instant, *, has_agreed: bool) -> Sync:
    """The status of an event's record; "only here" if none is to be published."""
    is_public, is_by_another_app = _is_public(event), event.is_record_of_author
    found = _sync_of(standing, now, has_agreed=has_agreed, is_public=is_public, is_by_another_app=is_by_another_app)
    if event.record_deleted_at is not None:
        since = formatting.ago(event.record_deleted_at, now)
        return Sync(DELETED_IN_ANOTHER_APP, "warn", since, *[False] * 5)
    if _waits_for_its_author(event, standing, has_agreed=has_agreed):
        return replace(found, words=_CHANGED_BY_OTHERS, tone="warn")
    return found


def answer_sync(mine: Attendance, event: Event, standing: PublicationStatus, now: Instant, *, has_agreed: bool) -> Sync:
    """The status of an RSVP's record; none while it awaits approval or a place."""
    has_words = not isinstance(told(mine.status), Silence) or standing.uri is not None
    is_public = may_answers_be_public(event) and has_words
    is_by_another_app = mine.record_uri is not None
    return _sync_of(standing, now, has_agreed=has_agreed, is_public=is_public, is_by_another_app=is_by_another_app)


_CHANGED_BY_OTHERS = "changed by a co-host: waiting for you to publish it"


def _waits_for_its_author(event: Event, standing: PublicationStatus, *, has_agreed: bool) -> bool:
    """Whether the repository has, or would have, an older version than a co-host's edit."""
    return event.awaits_author and has_agreed and _is_public(event) and not standing.is_recalled


def _is_public(event: Event) -> bool:
    return reach(event.own_visibility, event.group, event.record) is not PublishLevel.NOTHING


def _sync_of(
    standing: PublicationStatus, now: Instant, *, has_agreed: bool, is_public: bool, is_by_another_app: bool
) -> Sync:
    is_allowed = has_agreed and is_public
    is_wanted = is_allowed and not standing.is_recalled
    is_there = standing.uri is not None
    words = standing.words(now, is_allowed=is_allowed, is_by_another_app=is_by_another_app)
    return Sync(
        words=words,
        tone="good"
        if words == ON_THE_NETWORK
        else _TONES.get(standing.state, "plain")
        if is_wanted or is_there
        else "plain",
        since=formatting.ago(standing.changed_at, now) if standing.changed_at else "",
        may_ask=not has_agreed and not is_there and not is_by_another_app,
        may_try=is_wanted
        and standing.state in {PublicationState.RETRYING, PublicationState.REFUSED, PublicationState.CONFLICTED},
        may_publish=is_allowed
        and standing.is_recalled
        and standing.state in {PublicationState.WITHHELD, PublicationState.RETRACTED},
        may_take_back=is_wanted and is_there and standing.state in _OUT_THERE,
        must_sign_in=standing.state is PublicationState.BLOCKED and (is_wanted or is_there),
    )
