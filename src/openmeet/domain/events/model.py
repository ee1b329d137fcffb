"""Values of events: as stored, as decided by the host, and as read from a record."""

from dataclasses import dataclass, make_dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NewType

from groundwork.clock import DAY, HOUR, Instant
from groundwork.geo_points import Spot
from openmeet.domain.events.content import EXTENDED_TYPES, Content
from openmeet.domain.events.values import (
    NOWHERE,
    Audience,
    EventLink,
    Mode,
    Venue,
    Visibility,
    public_place,
)
from openmeet.domain.groups.model import GroupId, GroupVisibility, PromotionLevel
from openmeet.domain.users.model import UserId

EventId = NewType("EventId", str)
EventSlug = NewType("EventSlug", str)

MAX_REASON = 500
# Maximum length of the key that identifies a repeated submission of a form or client.
MAX_KEY = 200
# An event is not removed on schedule within this time after a change, so that its host can correct a wrong year or a
# wrong choice.
CORRECTION_TIME = DAY


class EventStatus(StrEnum):
    """Whether the event takes place, in the words of the calendar Lexicon."""

    PLANNED = "planned"
    SCHEDULED = "scheduled"
    RESCHEDULED = "rescheduled"
    POSTPONED = "postponed"
    CANCELLED = "cancelled"


# The effective visibility for each visibility of the group and choice of the host.
NARROWEST = {
    GroupVisibility.PUBLIC: {one: one for one in Visibility},
    GroupVisibility.UNLISTED: {one: one for one in Visibility} | {Visibility.PUBLIC: Visibility.UNLISTED},
    GroupVisibility.PRIVATE: dict.fromkeys(Visibility, Visibility.PRIVATE),
}


class RecordOrigin(StrEnum):
    """Where the event was first written."""

    HERE = "here"
    NETWORK = "network"


class ZoneSource(StrEnum):
    """Where the time zone of an event comes from: its host or record named it (as a zone or an offset), or it is that of
    its place. ``UNKNOWN`` and ``NOT_FOUND``: nobody named one, so it is UTC; the zone of its place was not looked up
    yet, or no town is near.
    """

    NAMED = "named"
    PLACE = "place"
    UNKNOWN = "unknown"
    NOT_FOUND = "not_found"


@dataclass(frozen=True, slots=True)
class Details:
    """The details of one event that its host decides: content and time. Validated by ``rules.check``.

    ``starts_local`` is a wall-clock time ``YYYY-MM-DDTHH:MM:SS`` in ``time_zone``. An all-day event (``is_all_day``)
    starts at midnight and ends at the midnight after its last day.
    """

    content: Content
    starts_local: str
    time_zone: str
    starts_at: Instant
    ends_at: Instant | None = None
    is_all_day: bool = False


if TYPE_CHECKING:  # created from the field table at run time

    class _Extension:
        def __init__(self, **extended: Any) -> None: ...
        def __getattr__(self, name: str) -> Any: ...

else:
    _Extension = make_dataclass("_Extension", EXTENDED_TYPES, frozen=True, slots=True, kw_only=True)


@dataclass(frozen=True, slots=True)
class NetworkEvent(_Extension):
    """Content of an event record, mapped but not validated. ``starts_text`` and ``ends_text`` are verbatim.

    ``is_all_day``: an OpenMeet instance wrote the record, and the times are whole days in the time zone.
    ``is_zone_assumed``: the record names neither a zone nor an offset. The class also has the fields that OpenMeet adds
    to the calendar Lexicon (``content.EXTENDED``).
    """

    name: str
    description: str
    starts_at: Instant | None
    ends_at: Instant | None
    starts_text: str
    ends_text: str
    time_zone: str
    mode: Mode
    status: EventStatus
    venues: tuple[Venue, ...]
    online_url: str
    links: tuple[EventLink, ...]
    is_discoverable: bool
    created_at: Instant
    is_all_day: bool = False
    is_zone_assumed: bool = False


@dataclass(frozen=True, slots=True)
class PositionInSeries:
    """Position of a date in its series.

    ``original_date`` is the wall-clock time given by the rule (``YYYY-MM-DDTHH:MM:SS``). It identifies the date and
    never changes. ``overridden`` has the sorted names of the fields of ``Details`` that differ from the series on
    purpose; changes of the series do not affect them.
    """

    series_id: str
    original_date: str
    overridden: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EventRevision:
    """An event as a decision about something of the event found it."""

    event_id: EventId
    revision: int


@dataclass(frozen=True, slots=True)
class GroupOfEvent:
    """Properties of an event's group that affect visibility and publication.

    ``announces_events``: the owner allows events for members only to be announced on the network.
    """

    id: GroupId
    visibility: GroupVisibility
    promotion_level: PromotionLevel
    announces_events: bool = False


class Detail(StrEnum):
    """How much a record contains. Minimal: name, time, status, and a note with the link to its page."""

    FULL = "full"
    MINIMAL = "minimal"


@dataclass(frozen=True, slots=True)
class RecordSettings:
    """The host's settings for the event's record. ``is_announced``: it is published although only invited people may
    see the event.

    ``publishes_rsvps``: RSVPs to it are published in the repositories of the people who answered.
    """

    is_wanted: bool = True
    detail: Detail = Detail.FULL
    is_announced: bool = False
    publishes_rsvps: bool = True


DEFAULT_RECORD_SETTINGS = RecordSettings()


@dataclass(frozen=True, slots=True)
class Event:
    """A stored event. ``starts_at`` is None for network events whose date has not been announced yet.

    ``removed_at``: when its record was deleted from its author's repository. ``deleted_at``: when its host deleted it
    on this site. ``position_in_series``: which date of which series it is. ``is_published_by_policy``: False for dates
    that the policy of their series does not publish. ``is_held``: hidden from other people until its author's PDS has
    accepted the record (``publication``). ``is_hidden``: the account whose repository has its record is deactivated,
    suspended, taken down or deleted, or moderation withholds the event. Computed, never stored. ``is_draft``: not
    published yet. Drafts are also held, so everything that excludes held events excludes them. ``publish_at``:
    scheduled time of publication. ``needs_author_approval``: another person has changed it since its author last
    approved what is published. ``retractions``: how many of its records were deleted from a repository.
    ``record_deleted_at``: when another app deleted the record of an event created on this site, until its hosts have
    decided what happens next. ``derived_spot``: the position of the town ``derived_from``, if the host gave no point.
    Never published. ``time_zone``: the zone in which its times are shown; ``named_zone`` is the one for records.
    """

    id: EventId
    slug: EventSlug
    content: Content
    starts_at: Instant | None
    ends_at: Instant | None
    starts_local: str
    starts_text: str
    ends_text: str
    time_zone: str
    status: EventStatus
    status_reason: str
    author_id: UserId
    origin: RecordOrigin
    record_uri: str | None
    record_cid: str | None
    record_did: str | None
    revision: int
    is_read_only: bool
    is_held: bool
    external_source: str | None
    removed_at: Instant | None
    deleted_at: Instant | None
    created_at: Instant
    updated_at: Instant
    is_hidden: bool = False
    position_in_series: PositionInSeries | None = None
    is_published_by_policy: bool = True
    group: GroupOfEvent | None = None
    is_all_day: bool = False
    is_draft: bool = False
    publish_at: Instant | None = None
    needs_author_approval: bool = False
    record_settings: RecordSettings = DEFAULT_RECORD_SETTINGS
    retractions: int = 0
    record_deleted_at: Instant | None = None
    derived_from: str = ""
    derived_spot: Spot | None = None
    zone_source: ZoneSource = ZoneSource.NAMED

    @property
    def title(self) -> str:
        return self.content.title

    @property
    def visibility(self) -> Visibility:
        """The effective visibility: the stricter of the host's choice and the group's."""
        return narrowed(self.content.visibility, self.group)

    @property
    def exact_place(self) -> Venue:
        """The exact place. For online events there is none, even if the host keeps an address from before.

        Not public: ``disclosure.private_details`` decides who can see it.
        """
        return NOWHERE if self.content.mode is Mode.ONLINE else self.content.venue

    @property
    def place(self) -> Venue:
        """The public part of ``exact_place``."""
        return public_place(self.exact_place, self.content.place_audience)

    @property
    def town(self) -> str:
        """The town from which its position is derived, as one text. Empty if the host gave a point, or the town is not
        public.
        """
        place = self.exact_place
        if place.latitude or not place.locality or self.content.place_audience is not Audience.EVERYONE:
            return ""
        return f"{place.locality}|{place.region}|{place.country}"

    @property
    def has_zone(self) -> bool:
        """Whether its time zone is known. Otherwise it is UTC, because nobody named one."""
        return self.zone_source in {ZoneSource.NAMED, ZoneSource.PLACE}

    @property
    def named_zone(self) -> str:
        """The time zone that its host or record named; UTC if none did. Records never contain any other."""
        return self.time_zone if self.zone_source is ZoneSource.NAMED else "UTC"

    @property
    def is_cancelled(self) -> bool:
        return self.status is EventStatus.CANCELLED

    @property
    def has_foreign_record(self) -> bool:
        """Whether it came from a record that its author wrote in another app."""
        return self.origin is RecordOrigin.NETWORK and self.record_uri is not None

    @property
    def is_gone(self) -> bool:
        return self.removed_at is not None or self.deleted_at is not None

    @property
    def is_without_record(self) -> bool:
        """Whether another app deleted its record: the event is removed, or its host has not decided yet what happens
        next.
        """
        return self.removed_at is not None or self.record_deleted_at is not None

    @property
    def version(self) -> int:
        """The counter in the origin marker. Every edit and every retraction increments it, so that no two records
        written under one key have the same bytes.
        """
        return self.revision + self.retractions

    @property
    def is_erased(self) -> bool:
        """Whether it was erased because the account it came from was deleted."""
        return self.removed_at is not None and self.record_uri is None and not self.title

    @property
    def over_at(self) -> Instant | None:
        """The time from which the event counts as past: its end, or an hour after its start. This default end is not
        stored with the event.
        """
        if self.ends_at is not None:
            return self.ends_at
        return None if self.starts_at is None else Instant(self.starts_at + HOUR)

    def is_over(self, now: Instant) -> bool:
        return self.over_at is not None and self.over_at <= now

    @property
    def removes_at(self) -> Instant | None:
        """When the event will be deleted, as its host chose. None if it stays, or is not published, or is gone."""
        chosen = self._chosen_removal
        if chosen is None or self.is_draft or self.is_gone or self.is_read_only:
            return None
        return Instant(max(chosen, self.updated_at + CORRECTION_TIME))

    @property
    def was_removed_as_chosen(self) -> bool:
        """Whether it was deleted because it was over, and not before."""
        chosen = self._chosen_removal
        return chosen is not None and self.deleted_at is not None and self.deleted_at >= chosen

    @property
    def _chosen_removal(self) -> Instant | None:
        over_at, delay = self.over_at, self.content.remove_after.length
        return None if over_at is None or delay is None else Instant(over_at + delay)

    def may_be_announced(self, now: Instant) -> bool:
        """Whether people may be notified that the event exists: it is visible, takes place and is not over."""
        return not (self.is_held or self.is_hidden or self.is_gone or self.is_cancelled or self.is_over(now))


def narrowed(visibility: Visibility, group: GroupOfEvent | None) -> Visibility:
    """The effective visibility of a host's choice in this group, or in none."""
    return visibility if group is None else NARROWEST[group.visibility][visibility]
