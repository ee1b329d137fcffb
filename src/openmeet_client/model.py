"""Types of the API, as far as this client uses them. Unknown members are ignored."""

from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

Mode = Literal["in_person", "online", "hybrid"]
Visibility = Literal["public", "unlisted", "private"]
Reply = Literal["going", "interested", "declined"]
ShownAs = Literal["name", "account"]
Scope = Literal["this", "following", "all"]


class Venue(msgspec.Struct, rename="camel", omit_defaults=True):
    """A place. Coordinates are decimal degrees as text; either both are set or neither."""

    name: str = ""
    street: str = ""
    postal_code: str = ""
    locality: str = ""
    region: str = ""
    country: str = ""
    latitude: str = ""
    longitude: str = ""


class NewEvent(msgspec.Struct, rename="camel", omit_defaults=True):
    """The complete content of an event. Times are wall-clock times in ``time_zone``: ``2027-03-02T18:00``."""

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
    is_draft: bool = False


class Question(msgspec.Struct, rename="camel", omit_defaults=True):
    """A registration question, answered in free text unless it has ``choices``. The server assigns ``question_id``."""

    question: str
    choices: list[str] = []
    is_required: bool = False
    question_id: str | None = None


class Joining(msgspec.Struct, rename="camel"):
    """Registration settings: who can come and how. None means no limit or no deadline; for ``foreign_answers`` it means
    the default.

    ``revision`` is set when the settings are read, and is not sent.
    """

    limit_in_person: int | None = None
    limit_online: int | None = None
    needs_approval: bool = False
    closes_hours_before: int | None = None
    max_party: int = 1
    asks_names: bool = False
    is_members_only: bool = False
    list_audience: Literal["everyone", "attendees", "hosts"] = "everyone"
    foreign_answers: Literal["count", "need_approval", "apart"] | None = None
    takes_guests: bool = True
    questions: list[Question] = []
    revision: int | UnsetType | None = UNSET


class Counts(msgspec.Struct, rename="camel"):
    """Numbers of RSVPs to an event, by status."""

    going: int
    interested: int
    waitlisted: int


class Event(msgspec.Struct, rename="camel", kw_only=True):
    """An event. ``starts_at`` is RFC 3339 in UTC. ``counts`` and ``my_status`` are only set when a single event or a
    list was read.
    """

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
    is_draft: bool
    revision: int
    counts: Counts | None = None
    my_status: str | None = None


class EventPage(msgspec.Struct, rename="camel"):
    events: list[Event]
    cursor: str | None


class Answer(msgspec.Struct, rename="camel"):
    """The caller's RSVP. ``waiting_before``: how many people are ahead of them on the waitlist; None if they are not on
    it.
    """

    id: str
    status: str
    waiting_before: int | None
    answered_at: str


class Photo(msgspec.Struct, rename="camel"):
    """A photo of an event. ``url`` and ``small_url`` are for ``photos.file``. ``width`` and ``height`` are those of
    the file at ``url``, in pixels.
    """

    id: str
    url: str
    small_url: str
    caption: str
    width: int
    height: int
    added_by: str
    added_by_id: str
    created_at: str


class PhotoPage(msgspec.Struct, rename="camel"):
    photos: list[Photo]
    cursor: str | None


class Proof(msgspec.Struct, rename="camel"):
    """The caller's proof of attendance. ``url``: its secret address; None if the server can no longer show it, although
    it still works. ``is_confirmed``: whether it is valid now.
    """

    proof_id: str
    url: str | None
    shown_as: ShownAs
    made_at: str
    is_confirmed: bool


class EventOfProof(msgspec.Struct, rename="camel"):
    """``title`` and ``starts_at`` are None if the caller can no longer see the event."""

    slug: str
    title: str | None
    starts_at: str | None


class ListedProof(Proof, rename="camel"):
    """A proof in the list of the caller's."""

    event: EventOfProof


class ProofPage(msgspec.Struct, rename="camel"):
    proofs: list[ListedProof]
    cursor: str | None


class AttendedEvent(msgspec.Struct, rename="camel"):
    """The event of a proof. ``url`` is None unless it is public."""

    title: str
    starts_at: str | None
    ends_at: str | None
    host_name: str
    url: str | None


class CheckedProof(msgspec.Struct, rename="camel"):
    """A valid proof. ``shown_name`` is the handle of the account ``did``, or, if that is None, a display name that nobody
    has checked. ``token`` says the same as a signed JSON Web Token.
    """

    shown_name: str
    did: str | None
    event: AttendedEvent
    token: str


class NewSeries(msgspec.Struct, rename="camel", omit_defaults=True):
    """The content of each date, and when the dates are. ``recurrence`` is RFC 5545 text, or the same as an object."""

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
    """A series. ``sentence``: its rule in words."""

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
    """A date of a series. ``original_date`` identifies it permanently."""

    original_date: str
    is_stored: bool
    slug: str | None
    title: str
    starts_at: str
    status: str


class SeriesPage(msgspec.Struct, rename="camel"):
    series: list[Series]
    cursor: str | None


class SeriesEdit(msgspec.Struct, rename="camel", omit_defaults=True):
    """An edit of a series. Fields that are not set are unchanged.

    The scope is ``this`` date, this and ``following``, or ``all``. The first two require ``original_date``, and so does
    a new time.
    """

    scope: Scope
    original_date: str | None = None
    title: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    starts_local: str | UnsetType = UNSET
    ends_local: str | UnsetType | None = UNSET
    time_zone: str | UnsetType = UNSET
    is_all_day: bool | UnsetType = UNSET
    venue: Venue | UnsetType = UNSET
    capacity: int | UnsetType | None = UNSET
    recurrence: str | dict[str, Any] | UnsetType | None = UNSET
    rdates: list[str] | UnsetType = UNSET
    exdates: list[str] | UnsetType = UNSET
    drop_single_changes: bool = False
    is_silent: bool = False


class Consequences(msgspec.Struct, rename="camel", kw_only=True):
    """Effects of an edit on stored dates and people. With ``makes_new_series``, the edited dates belong to a new
    series.
    """

    dates_changed: int
    dates_unchanged: int
    answers_kept: int
    single_changes_kept: int
    people_told: int
    people_mailed: int
    sentence_before: str
    sentence_after: str
    makes_new_series: bool
    revision: int


class EditedSeries(msgspec.Struct, rename="camel"):
    """The series to which the edited dates now belong, and the effects of the edit."""

    series: Series
    consequences: Consequences


class ChangedSeries(msgspec.Struct, rename="camel"):
    """The changed series, and how many dates were changed."""

    series: Series
    dates_changed: int


class Dates(msgspec.Struct, rename="camel", omit_defaults=True):
    """The dates of a series that an action applies to: single dates by their original dates, or a range from the first
    to the last (original dates or days). If empty, the whole series.
    """

    dates: list[str] | None = None
    from_date: str | None = None
    to_date: str | None = None


class DatePage(msgspec.Struct, rename="camel"):
    dates: list[SeriesDate]


class NewGroup(msgspec.Struct, rename="camel", omit_defaults=True):
    """The complete content of a group."""

    name: str
    time_zone: str
    description: str = ""
    join_policy: Literal["open", "request", "invite"] = "open"
    visibility: Visibility = "public"


class Group(msgspec.Struct, rename="camel", kw_only=True):
    """A group. ``my_role`` is None for non-members."""

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
    """The caller's membership of a group."""

    role: str
