"""Values of an event: what its host decides, what a record carries, what is stored."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

from groundwork.clock import HOUR, Instant
from openmeet.domain.events.vocabulary import AccessFeature, Category
from openmeet.domain.groups.model import GroupId, GroupVisibility, PromotionLevel
from openmeet.domain.media.pictures import Picture
from openmeet.domain.users.model import UserId
from openmeet.i18n.names import name_of

MAX_PRICE = 120
MAX_ACCESS_NOTE = 2_000
MAX_DOOR_NOTE = 2_000
MAX_LANGUAGES = 8
MAX_CATEGORIES = 3
# Earliest time the join link may be shown: more than a week before the start makes no difference to "at once".
MAX_MINUTES_BEFORE = 7 * 24 * 60


@dataclass(frozen=True, slots=True)
class Tickets:
    """Where to get tickets, and their price in the host's words: nothing is sold here."""

    url: str = ""
    price: str = ""


@dataclass(frozen=True, slots=True)
class Accessibility:
    """Accessibility features, in the order of the vocabulary, and the host's notes."""

    features: tuple[AccessFeature, ...] = ()
    note: str = ""


NO_TICKETS = Tickets()
NOT_SAID = Accessibility()


EventId = NewType("EventId", str)
EventSlug = NewType("EventSlug", str)

MAX_TITLE = 200
MAX_DESCRIPTION = 20_000
MAX_REASON = 500
MAX_PLACE_PART = 200
MAX_URL = 2_000
MAX_CAPACITY = 1_000_000
# Length limit of the key by which forms and clients recognize a repeated submission.
MAX_KEY = 200


class Mode(StrEnum):
    """How people meet; the record's tokens are ``inperson``, ``virtual`` and ``hybrid``."""

    IN_PERSON = "in_person"
    ONLINE = "online"
    HYBRID = "hybrid"


class EventStatus(StrEnum):
    """Whether the event takes place, in the words of the calendar Lexicon."""

    PLANNED = "planned"
    SCHEDULED = "scheduled"
    RESCHEDULED = "rescheduled"
    POSTPONED = "postponed"
    CANCELLED = "cancelled"


class Visibility(StrEnum):
    """Who may see it. Unlisted: whoever has the link. Private: the host and invited people; in a group, its members."""

    PUBLIC = "public"
    UNLISTED = "unlisted"
    PRIVATE = "private"


# The widest visibility that a group allows its events.
NARROWEST = {
    GroupVisibility.PUBLIC: {one: one for one in Visibility},
    GroupVisibility.UNLISTED: {one: one for one in Visibility} | {Visibility.PUBLIC: Visibility.UNLISTED},
    GroupVisibility.PRIVATE: dict.fromkeys(Visibility, Visibility.PRIVATE),
}


class Audience(StrEnum):
    """Who sees the join link, the exact address, the entry instructions: each has its own."""

    ATTENDEES = "attendees"
    EVERYONE = "everyone"


class RecordOrigin(StrEnum):
    """Where the event was first written."""

    HERE = "here"
    NETWORK = "network"


@dataclass(frozen=True, slots=True)
class Venue:
    """A place people can go to. Coordinates are decimal degrees as text: the data model has no floats."""

    name: str = ""
    street: str = ""
    locality: str = ""
    region: str = ""
    country: str = ""
    postal_code: str = ""
    latitude: str = ""
    longitude: str = ""

    @property
    def is_empty(self) -> bool:
        return self == NOWHERE

    @property
    def area(self) -> "Venue":
        """The public part of a place whose exact address is private."""
        return Venue(locality=self.locality, region=self.region, country=self.country)

    @property
    def is_country_alone(self) -> bool:
        """Whether only the country is known. Forms prefill the country of one's last event, so it often comes without a
        place.
        """
        return bool(self.country) and self == Venue(country=self.country)

    @property
    def lines(self) -> tuple[str, ...]:
        """Lines of a postal address, name first, without empty lines."""
        town = " ".join(part for part in (self.postal_code, self.locality) if part)
        last = ", ".join(part for part in (self.region, name_of(self.country)) if part)
        return tuple(line for line in (self.name, self.street, town, last) if line)


NOWHERE = Venue()


@dataclass(frozen=True, slots=True)
class EventLink:
    """A link shown on the event's page; https, http or at only."""

    uri: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Details:
    """What a host decides about an event, validated by ``rules.check``.

    ``starts_local`` and ``ends_local`` are wall-clock times ``YYYY-MM-DDTHH:MM:SS`` in ``time_zone``. An all-day event
    (``is_all_day``) starts at midnight and ends at the midnight after its last day. ``online_url_from``: minutes before
    the start from which the link is shown to those who may see it; None: at once.
    """

    title: str
    starts_local: str
    time_zone: str
    starts_at: Instant
    ends_at: Instant | None = None
    description: str = ""
    mode: Mode = Mode.IN_PERSON
    venue: Venue = NOWHERE
    online_url: str = ""
    online_url_audience: Audience = Audience.ATTENDEES
    links: tuple[EventLink, ...] = ()
    capacity: int | None = None
    visibility: Visibility = Visibility.PUBLIC
    is_all_day: bool = False
    place_audience: Audience = Audience.EVERYONE
    online_url_from: int | None = None
    door_note: str = ""
    door_audience: Audience = Audience.ATTENDEES
    picture: Picture | None = None
    tickets: Tickets = NO_TICKETS
    accessibility: Accessibility = NOT_SAID
    categories: tuple[Category, ...] = ()
    tags: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NetworkEvent:
    """Content of an event record, mapped but not validated. ``starts_text`` and ``ends_text`` are verbatim.

    ``is_all_day``: written by an OpenMeet instance, the times are whole days of the zone. The fields after it are
    OpenMeet's extensions of the calendar Lexicon.
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
    tickets: Tickets = NO_TICKETS
    accessibility: Accessibility = NOT_SAID
    categories: tuple[Category, ...] = ()
    tags: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PlaceInSeries:
    """Position of a date in its series.

    ``original_date``: wall-clock time by the rule (``YYYY-MM-DDTHH:MM:SS``); it names the date and never changes.
    ``overridden``: fields of ``Details`` that differ from the series on purpose, sorted; a change of the series leaves
    them.
    """

    series_id: str
    original_date: str
    overridden: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class GroupOfEvent:
    """Facts of an event's group that decide about visibility and publication.

    ``announces_events``: its owner lets the network know of events for members only.
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
    """The host's settings of the event's record. ``is_announced``: published although only invited people may see it.

    ``takes_answers``: RSVPs to it are published in their authors' repositories.
    """

    is_wanted: bool = True
    detail: Detail = Detail.FULL
    is_announced: bool = False
    takes_answers: bool = True


USUAL_RECORD = RecordSettings()


@dataclass(frozen=True, slots=True)
class Event:
    """A stored event. ``own_visibility`` is the host's choice; its group may narrow it (``visibility``). ``starts_at``
    is None for network events whose date is to be announced.

    ``removed_at``: its record was deleted from its author's repository. ``deleted_at``: its host deleted it here.
    ``place_in_series``: which date of which series it is. ``owes_record``: False for dates that the series' policy does
    not publish. ``is_held``: hidden from others until its author's PDS has accepted the record (``publication``).
    ``is_hidden``: the account whose repository has its record is deactivated, suspended, taken down or deleted, or
    moderation withholds it; computed, never stored. ``is_draft``: not published yet; drafts are held as well, so
    whatever excludes held events excludes them. ``publish_at``: scheduled publication. ``awaits_author``: somebody else
    has changed it since its author last approved what is published. ``retractions``: how many of its records were
    deleted from a repository. ``record_deleted_at``: another app deleted the record of an event made here, and its
    hosts have not decided what follows.
    """

    id: EventId
    slug: EventSlug
    title: str
    description: str
    starts_at: Instant | None
    ends_at: Instant | None
    starts_local: str
    starts_text: str
    ends_text: str
    time_zone: str
    mode: Mode
    status: EventStatus
    status_reason: str
    venue: Venue
    online_url: str
    online_url_audience: Audience
    links: tuple[EventLink, ...]
    capacity: int | None
    own_visibility: Visibility
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
    place_in_series: PlaceInSeries | None = None
    owes_record: bool = True
    group: GroupOfEvent | None = None
    is_all_day: bool = False
    place_audience: Audience = Audience.EVERYONE
    online_url_from: int | None = None
    door_note: str = ""
    door_audience: Audience = Audience.ATTENDEES
    picture: Picture | None = None
    tickets: Tickets = NO_TICKETS
    accessibility: Accessibility = NOT_SAID
    categories: tuple[Category, ...] = ()
    tags: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    is_draft: bool = False
    publish_at: Instant | None = None
    awaits_author: bool = False
    record: RecordSettings = USUAL_RECORD
    retractions: int = 0
    record_deleted_at: Instant | None = None

    @property
    def visibility(self) -> Visibility:
        """The effective visibility: the narrower of the host's choice and the group's."""
        return narrowed(self.own_visibility, self.group)

    @property
    def exact_place(self) -> Venue:
        """The exact place: None for online events, whatever address the host keeps from before.

        Not public: ``disclosure.private_details`` decides who may see it.
        """
        return NOWHERE if self.mode is Mode.ONLINE else self.venue

    @property
    def place(self) -> Venue:
        """The public part of ``exact_place``."""
        return public_place(self.exact_place, self.place_audience)

    @property
    def is_cancelled(self) -> bool:
        return self.status is EventStatus.CANCELLED

    @property
    def is_record_of_author(self) -> bool:
        """Whether it came from an existing record that its author wrote in another app."""
        return self.origin is RecordOrigin.NETWORK and self.record_uri is not None

    @property
    def is_gone(self) -> bool:
        return self.removed_at is not None or self.deleted_at is not None

    @property
    def is_without_record(self) -> bool:
        """Whether another app deleted its record: the event is removed, or its host has not decided what follows."""
        return self.removed_at is not None or self.record_deleted_at is not None

    @property
    def version(self) -> int:
        """The counter in the origin marker: it rises with every edit and every retraction, so that no two records
        written under one key have the same bytes.
        """
        return self.revision + self.retractions

    @property
    def is_blank(self) -> bool:
        """Whether it is erased, because the account it came from was deleted."""
        return self.removed_at is not None and self.record_uri is None and not self.title

    @property
    def over_at(self) -> Instant | None:
        """When it counts as past: its end, or an hour after its start (an end is never invented in storage)."""
        if self.ends_at is not None:
            return self.ends_at
        return None if self.starts_at is None else Instant(self.starts_at + HOUR)

    def is_over(self, now: Instant) -> bool:
        return self.over_at is not None and self.over_at <= now


def public_place(venue: Venue, audience: Audience) -> Venue:
    """The public part of a place."""
    return venue if audience is Audience.EVERYONE else venue.area


def narrowed(chosen: Visibility, group: GroupOfEvent | None) -> Visibility:
    """The effective visibility for a host's choice in this group, or in none."""
    return chosen if group is None else NARROWEST[group.visibility][chosen]
