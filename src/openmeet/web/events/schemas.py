"""JSON types of events, in requests and responses."""

from typing import Any, ClassVar, Literal
from urllib.parse import quote

import msgspec
from msgspec import UNSET, UnsetType

from openmeet.domain.events import time_words
from openmeet.domain.events.disclosure import PrivateDetails
from openmeet.domain.events.map_points import point_text
from openmeet.domain.events.model import Event, Venue
from openmeet.domain.events.rules import Submission
from openmeet.i18n.formatting import iso
from openmeet.web.api.external_identity import RecordSource
from openmeet.web.media.schemas import PictureShown, picture_shown

AudienceName = Literal["attendees", "everyone"]
CategoryName = Literal[
    "arts",
    "books",
    "business",
    "community",
    "crafts",
    "dance",
    "faith",
    "family",
    "film",
    "food",
    "games",
    "health",
    "languages",
    "learning",
    "music",
    "outdoors",
    "politics",
    "science",
    "sports",
    "technology",
]
AccessName = Literal[
    "step_free",
    "accessible_toilet",
    "parking",
    "seating",
    "hearing_loop",
    "sign_language",
    "captions",
    "quiet_room",
    "assistance_dogs",
    "companion_free",
]


class AboutWanted(msgspec.Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """``isAllDay``: the start and the end are days, the first and the last. ``onlineUrlFrom``: minutes before the start."""

    is_all_day: bool = False
    place_audience: AudienceName = "everyone"
    online_url_from: int | None = None
    door_note: str = ""
    door_audience: AudienceName = "attendees"
    ticket_url: str = ""
    price: str = ""
    access: list[AccessName] = []
    access_note: str = ""
    categories: list[CategoryName] = []
    tags: list[str] = []
    languages: list[str] = []

    def typed(self) -> dict[str, str]:
        """The same fields in ``rules.Submission``."""
        return {
            "all_day": "yes" if self.is_all_day else "",
            "place_audience": self.place_audience,
            "online_url_from": "" if self.online_url_from is None else str(self.online_url_from),
            "door_note": self.door_note,
            "door_audience": self.door_audience,
            "ticket_url": self.ticket_url,
            "price": self.price,
            "access": ",".join(self.access),
            "access_note": self.access_note,
            "categories": ",".join(self.categories),
            "tags": ",".join(self.tags),
            "languages": ",".join(self.languages),
        }


_LISTS = frozenset({"access", "categories", "tags", "languages"})


class AboutEdit(msgspec.Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A partial edit; fields left out are unchanged."""

    place_audience: AudienceName | UnsetType = UNSET
    online_url_from: int | UnsetType | None = UNSET
    door_note: str | UnsetType = UNSET
    door_audience: AudienceName | UnsetType = UNSET
    ticket_url: str | UnsetType = UNSET
    price: str | UnsetType = UNSET
    access: list[AccessName] | UnsetType = UNSET
    access_note: str | UnsetType = UNSET
    categories: list[CategoryName] | UnsetType = UNSET
    tags: list[str] | UnsetType = UNSET
    languages: list[str] | UnsetType = UNSET

    def typed(self) -> dict[str, str]:
        """The sent fields in ``rules.Submission``."""
        sent = {name: getattr(self, name) for name in AboutEdit.__struct_fields__}
        return {
            name: ",".join(value) if name in _LISTS else "" if value is None else str(value)
            for name, value in sent.items()
            if value is not UNSET
        }


class SaidOfDates(msgspec.Struct, kw_only=True, rename="camel"):
    """Defaults for every date of a series. ``doorNote`` is for its host."""

    is_all_day: bool
    place_audience: AudienceName
    online_url_from: int | None
    door_note: str | None
    door_audience: AudienceName
    ticket_url: str | None
    price: str
    access: list[AccessName]
    access_note: str
    categories: list[CategoryName]
    tags: list[str]
    languages: list[str]


class AboutShown(msgspec.Struct, kw_only=True, rename="camel"):
    """``startsOn`` and ``endsOn`` are the first and last day of an all-day event, else null.

    ``venue`` and ``doorNote`` are what the caller may see: ``hidesPlace``, ``hidesLink`` and ``hidesDoor`` say that
    there is more.
    """

    is_all_day: bool
    starts_on: str | None
    ends_on: str | None
    place_audience: AudienceName
    hides_place: bool
    online_url_from: int | None
    hides_link: bool
    door_note: str | None
    door_audience: AudienceName
    hides_door: bool
    picture: PictureShown | None
    ticket_url: str | None
    price: str
    access: list[AccessName]
    access_note: str
    categories: list[CategoryName]
    tags: list[str]
    languages: list[str]


def about_shown(event: Event, private: PrivateDetails, public_url: str) -> dict[str, Any]:
    """The fields of ``AboutShown``."""
    days = time_words.days_of(event)
    return {
        "is_all_day": event.is_all_day,
        "starts_on": days and days[0].isoformat(),
        "ends_on": days and days[1].isoformat(),
        "place_audience": event.place_audience.value,
        "hides_place": private.hides_place,
        "online_url_from": event.online_url_from,
        "hides_link": private.hides_link,
        "door_note": private.door_note or None,
        "door_audience": event.door_audience.value,
        "hides_door": private.hides_door,
        "picture": picture_shown(event.picture, public_url),
        "ticket_url": event.tickets.url or None,
        "price": event.tickets.price,
        "access": [one.value for one in event.accessibility.features],
        "access_note": event.accessibility.note,
        "categories": [one.value for one in event.categories],
        "tags": list(event.tags),
        "languages": list(event.languages),
    }


ModeName = Literal["in_person", "online", "hybrid"]
StatusName = Literal["planned", "scheduled", "rescheduled", "postponed", "cancelled"]
VisibilityName = Literal["public", "unlisted", "private"]
AnswerStatusName = Literal[
    "attending", "interested", "declined", "pending", "waitlisted", "invited", "rejected", "attended"
]


class VenueShape(msgspec.Struct, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    """A place. Coordinates are decimal degrees as text, both or neither; searches by distance use them."""

    name: str = ""
    street: str = ""
    postal_code: str = ""
    locality: str = ""
    region: str = ""
    country: str = ""
    latitude: str = ""
    longitude: str = ""


def venue_shown(venue: Venue) -> VenueShape:
    """A place as JSON."""
    return VenueShape(
        name=venue.name,
        street=venue.street,
        postal_code=venue.postal_code,
        locality=venue.locality,
        region=venue.region,
        country=venue.country,
        latitude=venue.latitude,
        longitude=venue.longitude,
    )


class EventWanted(AboutWanted, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """The whole event as its host wants it; fields left out have their default.

    ``startsLocal`` and ``endsLocal`` are wall-clock times ``YYYY-MM-DDTHH:MM[:SS]`` in ``timeZone``, an IANA name; a
    time that DST skips is refused, and so is a new start in the past without ``allowPast``. ``group``: the slug of a
    new event's group, which cannot be changed. ``isDraft``: a new event is not published yet.
    """

    title: str
    starts_local: str
    time_zone: str
    ends_local: str | None = None
    description: str = ""
    mode: ModeName = "in_person"
    venue: VenueShape = msgspec.field(default_factory=VenueShape)
    online_url: str = ""
    online_url_audience: AudienceName = "attendees"
    capacity: int | None = None
    visibility: VisibilityName = "public"
    group: str = ""
    allow_past: bool = False
    is_draft: bool = False

    def submission(self) -> Submission:
        """The same values as a form submission, so that one set of rules validates both."""
        return Submission(
            title=self.title,
            starts=self.starts_local,
            ends=self.ends_local or "",
            time_zone=self.time_zone,
            description=self.description,
            mode=self.mode,
            venue_name=self.venue.name,
            street=self.venue.street,
            postal_code=self.venue.postal_code,
            locality=self.venue.locality,
            region=self.venue.region,
            country=self.venue.country,
            point=point_text(self.venue.latitude, self.venue.longitude),
            online_url=self.online_url,
            online_url_audience=self.online_url_audience,
            capacity="" if self.capacity is None else str(self.capacity),
            visibility=self.visibility,
            **self.typed(),
        )


# Form fields and API fields have different names; errors name those that were sent (lowerCamelCase).
API_FIELDS = {
    "all_day": "is_all_day",
    "starts": "starts_local",
    "ends": "ends_local",
    "venue_name": "venue.name",
    **{name: f"venue.{name}" for name in ("street", "postal_code", "locality", "region", "country")},
    "point": "venue.latitude",
}


class SeriesNamed(msgspec.Struct, rename="camel"):
    """A series by its slug."""

    slug: str
    title: str
    url: str


class GroupNamed(msgspec.Struct, rename="camel"):
    """A group by its slug."""

    slug: str
    name: str
    url: str


class EventShown(AboutShown, rename="camel", kw_only=True):
    """An event. ``startsAt`` is null while the date is to be announced.

    ``visibility`` is the host's choice (``ownVisibility``), narrowed by the event's group. ``onlineUrl`` is null if
    there is none or the caller may not see it. ``isDraft``: only its hosts see it, because it is not published yet
    (``publishesAt``: the scheduled time), or because the host's PDS does not have its record yet
    (``awaitsRepository``). ``originalDate`` is the permanent name of a date in its series: its wall-clock start by the
    rule. ``differsIn``: the fields that override the series; ``isModifiedOccurrence``: whether there are any. All are
    empty outside of series, and for callers who cannot see the series.
    """

    slug: str
    url: str
    title: str
    description: str
    starts_at: str | None
    ends_at: str | None
    starts_local: str | None
    time_zone: str
    mode: ModeName
    status: StatusName
    status_reason: str
    venue: VenueShape
    online_url: str | None
    online_url_audience: AudienceName
    capacity: int | None
    visibility: VisibilityName
    own_visibility: VisibilityName
    group_id: str | None
    host_id: str
    record_uri: str | None
    is_draft: bool
    publishes_at: str | None
    awaits_repository: bool
    revision: int
    created_at: str
    updated_at: str
    series: SeriesNamed | None
    original_date: str | None
    is_modified_occurrence: bool
    differs_in: list[str]
    group: GroupNamed | None
    source: RecordSource


class CountsShown(msgspec.Struct, rename="camel"):
    """RSVPs by status; ``unconfirmed``: awaiting the host’s approval, without a place yet."""

    going: int
    interested: int
    waitlisted: int
    unconfirmed: int


class QuestionAsked(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """A question to every attendee. Without ``choices`` the reply is free text; ``questionId`` is assigned by the
    server.
    """

    EXAMPLE: ClassVar[dict[str, object]] = {
        "question": "What do you eat?",
        "choices": ["Everything", "No meat"],
        "isRequired": False,
    }

    question: str
    choices: list[str] = []
    is_required: bool = False
    question_id: str | None = None


class PublicationShown(msgspec.Struct, rename="camel"):
    """Publication status of the event's record, for its host. ``state`` is one of docs/queues-and-debts.md, or
    ``imported``.

    ``imported``: another app wrote the record and nothing was changed here. ``words`` is for people.
    """

    state: str
    words: str
    uri: str | None
    changed_at: str | None


class EventCoHost(msgspec.Struct, rename="camel"):
    """A co-host."""

    person_id: str
    display_name: str


class EventDetail(EventShown, kw_only=True, rename="camel"):
    """An event with its hosts, attendees, links and registration questions: the response to reads and changes.

    ``needsApproval``: the host approves every attendee.
    """

    host_name: str
    co_hosts: list[EventCoHost]
    counts: CountsShown
    my_status: AnswerStatusName | None
    needs_approval: bool
    questions: list[QuestionAsked]
    publication: PublicationShown | None


def event_fields(event: Event, private: PrivateDetails, public_url: str) -> dict[str, Any]:
    """The event's own fields, given what the viewer may know; ``links`` has the rest."""
    return dict(
        slug=event.slug,
        url=f"{public_url}/events/{quote(event.slug)}",
        title=event.title,
        description=event.description,
        starts_at=None if event.starts_at is None else iso(event.starts_at),
        ends_at=None if event.ends_at is None else iso(event.ends_at),
        starts_local=event.starts_local or None,
        time_zone=event.time_zone,
        mode=event.mode.value,
        status=event.status.value,
        status_reason=event.status_reason,
        venue=venue_shown(private.place),
        online_url=private.join_url or None,
        online_url_audience=event.online_url_audience.value,
        capacity=event.capacity,
        visibility=event.visibility.value,
        own_visibility=event.own_visibility.value,
        group_id=event.group.id if event.group else None,
        host_id=event.author_id,
        record_uri=event.record_uri,
        is_draft=event.is_held,
        publishes_at=None if event.publish_at is None else iso(event.publish_at),
        awaits_repository=event.is_held and not event.is_draft,
        revision=event.revision,
        created_at=iso(event.created_at),
        updated_at=iso(event.updated_at),
        **about_shown(event, private, public_url),
    )
