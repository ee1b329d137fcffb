"""Convert a legacy event to event details. Every field is made to fit, and anything that does not fit is reported.
Pure.
"""

from datetime import timedelta

from groundwork.clock import SECOND, Instant
from openmeet.domain.events.content import Content
from openmeet.domain.events.inputs import is_web_address
from openmeet.domain.events.model import Details
from openmeet.domain.events.rules import LONGEST
from openmeet.domain.events.values import (
    MAX_CAPACITY,
    MAX_DESCRIPTION,
    MAX_PLACE_PART,
    MAX_TITLE,
    NOWHERE,
    Mode,
    Venue,
    Visibility,
)
from openmeet.domain.legacy_import.model import LegacyData, LegacyOddity, Oddity, OldEvent, OldGroup
from openmeet.i18n.markdown import one_line
from openmeet.recurrence.wall_time import local_of

UNTITLED = "(untitled)"
_MODES = {"in-person": Mode.IN_PERSON, "online": Mode.ONLINE, "hybrid": Mode.HYBRID}
_VISIBILITIES = {
    "public": Visibility.PUBLIC,
    "authenticated": Visibility.UNLISTED,
    "unlisted": Visibility.UNLISTED,
    "private": Visibility.PRIVATE,
}
_NARROWER = {
    Visibility.PUBLIC: {one: one for one in Visibility},
    Visibility.UNLISTED: {one: one for one in Visibility} | {Visibility.PUBLIC: Visibility.UNLISTED},
    Visibility.PRIVATE: dict.fromkeys(Visibility, Visibility.PRIVATE),
}
# Never published: only its host sees it.
_DRAFTS = {"draft", "pending"}
CANCELLED = "cancelled"


def details_of(event: OldEvent, zone: str, old: LegacyData, oddities: list[LegacyOddity]) -> Details:
    """Return the details of an event, which must have a start."""
    subject = f"event {event.id}"
    assert event.starts_at is not None  # noqa: S101  # events without a start were left out before
    starts_at = Instant(event.starts_at - event.starts_at % SECOND)
    title = one_line(event.name)
    if not title:
        oddities.append(LegacyOddity(Oddity.NO_TITLE, subject))
    description = event.description.replace("\r\n", "\n").strip()
    online_url = event.online_url
    if online_url and not is_web_address(online_url):
        oddities.append(LegacyOddity(Oddity.BAD_LINK, subject, online_url[:60]))
        description = f"{description}\n\n{one_line(online_url)}".strip()
        online_url = ""
    if len(title) > MAX_TITLE or len(description) > MAX_DESCRIPTION:
        oddities.append(LegacyOddity(Oddity.CUT, subject))
    ends_at = _end(event, starts_at, oddities)
    content = Content(
        title=title[:MAX_TITLE] or UNTITLED,
        description=description[:MAX_DESCRIPTION],
        mode=_MODES.get(event.kind, Mode.ONLINE if online_url and not event.location else Mode.IN_PERSON),
        venue=_venue(event),
        online_url=online_url,
        capacity=_capacity(event, oddities),
        visibility=visibility_of(event, old, oddities),
    )
    return Details(
        content=content,
        starts_local=local_of(starts_at, zone).replace(tzinfo=None).isoformat(timespec="seconds"),
        time_zone=zone,
        starts_at=starts_at,
        ends_at=ends_at,
    )


def length_of(details: Details) -> timedelta | None:
    """The duration, in the form that a series repeats."""
    if details.ends_at is None:
        return None
    return timedelta(microseconds=details.ends_at - details.starts_at)


def is_cancelled(event: OldEvent) -> bool:
    return event.status == CANCELLED


def visibility_of(event: OldEvent, old: LegacyData, oddities: list[LegacyOddity]) -> Visibility:
    """The visibility. If the legacy data is unclear, the narrower one."""
    subject = f"event {event.id}"
    if event.status in _DRAFTS:
        oddities.append(LegacyOddity(Oddity.DRAFT, subject))
        return Visibility.PRIVATE
    if event.group_id is not None and event.group_id not in old.groups:
        oddities.append(LegacyOddity(Oddity.NO_GROUP, subject))
        return Visibility.PRIVATE
    visibility = _VISIBILITIES.get(event.visibility or "")
    if visibility is None:
        oddities.append(LegacyOddity(Oddity.NO_VISIBILITY, subject))
        visibility = Visibility.UNLISTED
    group = None if event.group_id is None else old.groups[event.group_id]
    # A later date of a series takes its visibility from its template, which already accounts for the group's.
    return visibility if group is None else _NARROWER[group_visibility(group)][visibility]


def group_visibility(group: OldGroup) -> Visibility:
    """The visibility of a group. Unlisted if the legacy row has none."""
    return _VISIBILITIES.get(group.visibility or "", Visibility.UNLISTED)


def _end(event: OldEvent, starts_at: Instant, oddities: list[LegacyOddity]) -> Instant | None:
    if event.ends_at is None:
        return None
    length = timedelta(microseconds=event.ends_at - starts_at)
    if not timedelta(0) <= length <= LONGEST:
        oddities.append(LegacyOddity(Oddity.ENDS_BEFORE_START, f"event {event.id}"))
        return None
    return Instant(event.ends_at - event.ends_at % SECOND)


def _venue(event: OldEvent) -> Venue:
    place = one_line(event.location)
    if not place and not event.latitude:
        return NOWHERE
    return Venue(
        name=place[:MAX_PLACE_PART],
        # The single legacy field can be longer than each of the fields in OpenMeet.
        street=place[MAX_PLACE_PART : 2 * MAX_PLACE_PART],
        latitude=event.latitude if event.longitude else "",
        longitude=event.longitude if event.latitude else "",
    )


def _capacity(event: OldEvent, oddities: list[LegacyOddity]) -> int | None:
    # Both None and 0 meant that there is no limit.
    if not event.capacity:
        return None
    if not 1 <= event.capacity <= MAX_CAPACITY:
        oddities.append(LegacyOddity(Oddity.BAD_CAPACITY, f"event {event.id}", str(event.capacity)))
        return None
    return event.capacity
