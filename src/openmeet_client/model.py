"""What the API answers and takes, as far as this client uses it; members that it does not know are left alone."""

from typing import Any, Literal

import msgspec

Mode = Literal["in_person", "online", "hybrid"]
Visibility = Literal["public", "unlisted", "private"]
Reply = Literal["going", "interested", "declined"]


class Venue(msgspec.Struct, rename="camel", omit_defaults=True):
    """A place; coordinates are decimal degrees as text, both or neither."""

    name: str = ""
    street: str = ""
    postal_code: str = ""
    locality: str = ""
    region: str = ""
    country: str = ""
    latitude: str = ""
    longitude: str = ""


class NewEvent(msgspec.Struct, rename="camel", omit_defaults=True):
    """The whole event as its host wants it. Times are on the wall clock of ``time_zone``: ``2027-03-02T18:00``."""

    title: str
    starts_local: str
    time_zone: str
    ends_local: str | None = None
    description: str = ""
    mode: Mode = "in_person"
    venue: Venue = msgspec.field(default_factory=Venue)
    online_url: str = ""
    capacity: int | None = None
    visibility: Visibility = "public"
    group: str = ""


class Counts(msgspec.Struct, rename="camel"):
    """How many people said what."""

    going: int
    interested: int
    waitlisted: int


class Event(msgspec.Struct, rename="camel", kw_only=True):
    """An event. ``starts_at`` is RFC 3339 in UTC; ``counts`` and ``my_status`` are there where one event or a list was read."""

    slug: str
    url: str
    title: str
    description: str
    starts_at: str | None
    ends_at: str | None
    starts_local: str | None
    time_zone: str
    mode: Mode
    status: str
    status_reason: str
    venue: Venue
    online_url: str | None
    capacity: int | None
    visibility: Visibility
    host_id: str
    revision: int
    counts: Counts | None = None
    my_status: str | None = None


class EventPage(msgspec.Struct, rename="camel"):
    events: list[Event]
    cursor: str | None


class Answer(msgspec.Struct, rename="camel"):
    """One's answer. ``waiting_before``: people in the line before; None when not waiting."""

    id: str
    status: str
    waiting_before: int | None
    answered_at: str


class NewSeries(msgspec.Struct, rename="camel", omit_defaults=True):
    """What each date says, and when they are: ``recurrence`` is RFC 5545 text or the same as an object."""

    title: str
    starts_local: str
    time_zone: str
    recurrence: str | dict[str, Any] | None
    ends_local: str | None = None
    rdates: list[str] = []
    exdates: list[str] = []
    description: str = ""
    venue: Venue = msgspec.field(default_factory=Venue)
    capacity: int | None = None
    visibility: Visibility = "public"


class Series(msgspec.Struct, rename="camel", kw_only=True):
    """A series. ``sentence`` says its rule in words."""

    slug: str
    url: str
    title: str
    sentence: str
    rule: str | None
    starts_local: str
    time_zone: str
    status: str
    revision: int


class SeriesDate(msgspec.Struct, rename="camel", kw_only=True):
    """A date of a series; ``original_date`` is its name for ever."""

    original_date: str
    is_stored: bool
    slug: str | None
    title: str
    starts_at: str
    status: str


class DatePage(msgspec.Struct, rename="camel"):
    dates: list[SeriesDate]


class NewGroup(msgspec.Struct, rename="camel", omit_defaults=True):
    """A group as those who run it want it."""

    name: str
    time_zone: str
    description: str = ""
    join_policy: Literal["open", "request", "invite"] = "open"
    visibility: Visibility = "public"


class Group(msgspec.Struct, rename="camel", kw_only=True):
    """A group. ``my_role`` is None for who has no standing in it."""

    slug: str
    url: str
    name: str
    description: str
    time_zone: str
    join_policy: str
    visibility: Visibility
    members: int
    my_role: str | None
    revision: int


class GroupPage(msgspec.Struct, rename="camel"):
    groups: list[Group]
    cursor: str | None


class Membership(msgspec.Struct, rename="camel"):
    """How one stands in a group."""

    role: str
