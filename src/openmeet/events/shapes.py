"""An event as JSON, in and out."""

from typing import Literal
from urllib.parse import quote

import msgspec

from openmeet.events.about_shapes import AboutShown, AboutWanted, AudienceName, about_shown
from openmeet.events.map_points import point_text
from openmeet.events.model import Event, Venue
from openmeet.events.private_details import PrivateDetails, private_details
from openmeet.events.rules import Submission
from openmeet.site.times import iso

ModeName = Literal["in_person", "online", "hybrid"]
StatusName = Literal["planned", "scheduled", "rescheduled", "postponed", "cancelled"]
VisibilityName = Literal["public", "unlisted", "private"]


class VenueShape(msgspec.Struct, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    """A place. Coordinates are decimal degrees as text, both or neither; near searches find the place by them."""

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
    """The whole event as its host wants it; what is left out has its default.

    ``startsLocal`` and ``endsLocal`` are wall-clock times ``YYYY-MM-DDTHH:MM[:SS]`` in ``timeZone``, an IANA name;
    a time that DST skips is refused, and so is a new start in the past without ``allowPast``. ``group``: the slug of the
    group that a new event belongs to; it stays there. ``isDraft``: a new event is not published yet.
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
        """The same as a form would bring, so that one set of rules judges both."""
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


# The form calls its fields by other names than the API; problems are reported under those that were sent (in lowerCamelCase).
API_FIELDS = {
    "all_day": "is_all_day",
    "starts": "starts_local",
    "ends": "ends_local",
    "venue_name": "venue.name",
    **{name: f"venue.{name}" for name in ("street", "postal_code", "locality", "region", "country")},
    "point": "venue.latitude",
}


class EventShown(AboutShown, rename="camel", kw_only=True):
    """An event. ``startsAt`` is null while the date is to be announced.

    ``visibility`` is what the host chose (``ownVisibility``), narrowed by the event's group. ``onlineUrl`` is null where there is none
    or the caller may not see it. ``isDraft``: nobody but its hosts sees it: they have not published it
    (``publishesAt``: when the clock does), or the host's PDS has not taken its record yet (``awaitsRepository``).
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


def event_shown(event: Event, private: PrivateDetails, *, public_url: str) -> EventShown:
    """The event for somebody who may know this of its private details."""
    return EventShown(
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


def shown_to_host(event: Event, public_url: str) -> EventShown:
    """The event as those who host it see it, after an edit."""
    private = private_details(event, None, is_going=False, now=event.updated_at, runs=True)
    return event_shown(event, private, public_url=public_url)
