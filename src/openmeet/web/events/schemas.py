"""JSON types of events in requests and responses."""

from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec
from msgspec import UNSET, UnsetType

from openmeet.domain.attendance.answer_bar import AnswerState
from openmeet.domain.attendance.model import AttendanceStatus
from openmeet.domain.events import time_and_place
from openmeet.domain.events.content import INPUTS, shown, visible
from openmeet.domain.events.disclosure import PrivateDetails
from openmeet.domain.events.inputs import REQUIRED, Input, text_of
from openmeet.domain.events.model import Event
from openmeet.domain.events.place_text import point_text
from openmeet.domain.events.rules import Submission
from openmeet.domain.events.values import Venue
from openmeet.domain.page_paths import event_path
from openmeet.i18n.formatting import iso, iso_or_none
from openmeet.web.api.external_identity import RecordSource
from openmeet.web.attendance.registration_api import QuestionAsked
from openmeet.web.media.uploads import PictureOutput, picture_shown

StatusName = Literal["planned", "scheduled", "rescheduled", "postponed", "cancelled"]
VisibilityName = Literal["public", "unlisted", "private"]


_SENT: Final = [one for one in INPUTS if one.kind.json is not None]
_SHOWN: Final = [one for one in INPUTS if one.kind.shown is not None]


def _inputs(name: str, types: list[tuple[str, Any] | tuple[str, Any, Any]], *, is_strict: bool = True) -> Any:
    """A struct type with the inputs of the field table."""
    return msgspec.defstruct(
        name, types, kw_only=True, rename="camel", forbid_unknown_fields=is_strict, module=__name__
    )


def _with_default(field_input: Input) -> tuple[str, Any] | tuple[str, Any, Any]:
    kind = field_input.kind
    return (field_input.name, kind.json) if kind.default is REQUIRED else (field_input.name, kind.json, kind.default)


if TYPE_CHECKING:  # generated from the table at run time

    class _FieldsInput(msgspec.Struct):
        title: str

    class _FieldsEdit(msgspec.Struct): ...

    class _FieldsOutput(msgspec.Struct): ...
else:
    _FieldsInput = _inputs("_FieldsInput", list(map(_with_default, _SENT)))
    _FieldsEdit = _inputs("_FieldsEdit", [(one.name, one.kind.json | UnsetType, UNSET) for one in _SENT])
    _FieldsOutput = _inputs("_FieldsOutput", [(one.name, one.kind.shown) for one in _SHOWN], is_strict=False)


class VenueShape(msgspec.Struct, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    """A place. Coordinates are decimal degrees as text. Send both or neither; distance searches use them."""

    name: str = ""
    street: str = ""
    postal_code: str = ""
    locality: str = ""
    region: str = ""
    country: str = ""
    latitude: str = ""
    longitude: str = ""


def venue_shown(venue: Venue) -> VenueShape:
    """Convert a place to JSON."""
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


def _venue_typed(venue: VenueShape) -> dict[str, str]:
    """The form inputs for a place."""
    return {
        "venue_name": venue.name,
        "street": venue.street,
        "postal_code": venue.postal_code,
        "locality": venue.locality,
        "region": venue.region,
        "country": venue.country,
        "point": point_text(venue.latitude, venue.longitude),
    }


class EventFieldsInput(_FieldsInput, kw_only=True):
    """With ``isAllDay``, the start and the end are the first and the last day. ``onlineUrlFrom`` is the number of
    minutes before the start at which the join link appears.
    """

    venue: VenueShape = msgspec.field(default_factory=VenueShape)
    is_all_day: bool = False

    def form_fields(self) -> dict[str, str]:
        """The values, by the field names of ``rules.Submission``."""
        texts = {one.name: text_of(getattr(self, one.name)) for one in _SENT}
        return texts | _venue_typed(self.venue) | {"all_day": text_of(self.is_all_day)}


class EventFieldsEdit(_FieldsEdit, kw_only=True):
    """A partial edit. Fields left out are unchanged."""

    venue: VenueShape | UnsetType = UNSET

    def form_fields(self) -> dict[str, str]:
        """The inputs that were sent, by the field names of ``rules.Submission``."""
        texts = {one.name: getattr(self, one.name) for one in _SENT}
        place = {} if self.venue is UNSET else _venue_typed(self.venue)
        return {name: text_of(value) for name, value in texts.items() if value is not UNSET} | place


class DateDefaults(_FieldsOutput, kw_only=True):
    """Defaults for every date of a series. ``doorNote`` is shown to its host only."""

    venue: VenueShape
    online_url: str | None
    visibility: VisibilityName
    is_all_day: bool


class EventFieldsOutput(_FieldsOutput, kw_only=True):
    """``startsOn`` and ``endsOn`` are the first and last day of an all-day event. They are null for other events.

    ``venue`` and ``doorNote`` contain what the caller may see. ``hidesPlace``, ``hidesLink`` and ``hidesDoor`` say that
    there are details that the caller may not see.
    """

    venue: VenueShape
    online_url: str | None
    visibility: VisibilityName
    is_all_day: bool
    starts_on: str | None
    ends_on: str | None
    hides_place: bool
    hides_link: bool
    hides_door: bool
    picture: PictureOutput | None


def about_shown(event: Event, private: PrivateDetails, public_url: str) -> dict[str, Any]:
    """The fields of ``EventFieldsOutput``."""
    days = time_and_place.days_of(event)
    return shown(visible(event.content, is_insider=private.is_insider)) | {
        "venue": venue_shown(private.place),
        "online_url": private.join_url or None,
        "visibility": event.visibility.value,
        "is_all_day": event.is_all_day,
        "starts_on": days and days[0].isoformat(),
        "ends_on": days and days[1].isoformat(),
        "hides_place": private.hides_place,
        "hides_link": private.hides_link,
        "hides_door": private.hides_entry,
        "picture": picture_shown(event.content.picture, public_url),
    }


class EventInput(EventFieldsInput, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """The whole event. Fields left out get their default value.

    ``startsLocal`` and ``endsLocal`` are wall-clock times ``YYYY-MM-DDTHH:MM[:SS]`` in ``timeZone``, an IANA name. A
    time that DST skips is refused, and so is a new start in the past without ``allowPast``. ``group`` is the slug of a
    new event's group, which cannot be changed later. With ``isDraft``, a new event is not published yet. For an event
    that is published already, ``isDraft`` is refused, even if it was true when the event was read
    (``awaitsRepository``): ``unpublishEvent`` turns it back into a draft. With ``isCorrection``, a change is not
    notified to attendees, unless it is of the time; a new event cannot have it.
    """

    starts_local: str
    time_zone: str
    ends_local: str | None = None
    group: str = ""
    allow_past: bool = False
    is_draft: bool = False
    is_correction: bool = False

    def submission(self) -> Submission:
        """The same values as a form submission, so that the same rules validate both."""
        return Submission(
            starts=self.starts_local, ends=self.ends_local or "", time_zone=self.time_zone, **self.form_fields()
        )


# Form fields and API fields have different names. Errors use the API names (lowerCamelCase).
API_FIELDS = {
    "all_day": "is_all_day",
    "starts": "starts_local",
    "ends": "ends_local",
    "venue_name": "venue.name",
    **{name: f"venue.{name}" for name in ("street", "postal_code", "locality", "region", "country")},
    "point": "venue.latitude",
}


class SeriesNamed(msgspec.Struct, rename="camel"):
    """The series of an event: its slug, title and page."""

    slug: str
    title: str
    url: str


class GroupNamed(msgspec.Struct, rename="camel"):
    """A group by its slug."""

    slug: str
    name: str
    url: str


class EventOutput(EventFieldsOutput, rename="camel", kw_only=True):
    """An event. ``startsAt`` is null while the date is to be announced.

    ``visibility`` is the host's choice (``ownVisibility``), narrowed by the event's group. ``onlineUrl`` is null if
    there is none or the caller may not see it. With ``isDraft``, only the hosts can see the event: either it is not
    published yet (``publishesAt`` is the scheduled time), or the host's PDS does not have its record yet
    (``awaitsRepository``). ``originalDate`` is the permanent name of a date in its series: its wall-clock start
    according to the rule. ``differsIn`` lists the fields that override the series, and ``isModifiedOccurrence`` says
    whether there are any. All of these are empty for events outside of a series, and for callers who cannot see the
    series. ``removesAt`` is when the event will be deleted, as its host chose (``removeAfter``); null if it stays.
    Everyone who sees the event gets both.
    """

    slug: str
    url: str
    starts_at: str | None
    ends_at: str | None
    starts_local: str | None
    time_zone: str
    status: StatusName
    status_reason: str
    own_visibility: VisibilityName
    group_id: str | None
    host_id: str
    record_uri: str | None
    is_draft: bool
    publishes_at: str | None
    removes_at: str | None
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


class CountsOutput(msgspec.Struct, rename="camel"):
    """RSVPs by status. ``unconfirmed`` RSVPs wait for the host’s approval and do not take a place yet."""

    going: int
    interested: int
    waitlisted: int
    unconfirmed: int


class PublicationOutput(msgspec.Struct, rename="camel"):
    """Publication status of the event's record, for its host. ``state`` is one of the states in
    docs/queues-and-jobs.md, or ``imported``.

    ``imported`` means that another app wrote the record and nothing was changed on this site. ``words`` is a text to
    show to people.
    """

    state: str
    words: str
    uri: str | None
    changed_at: str | None


class EventCoHost(msgspec.Struct, rename="camel"):
    """A co-host."""

    person_id: str
    display_name: str


class EventDetail(EventOutput, kw_only=True, rename="camel"):
    """An event with its hosts, attendees, links and registration questions. This is the response to reads and changes.

    ``needsApproval``: the host approves every attendee. ``answerState`` says what the caller can do now, as in the
    answer bar of the event's page. ``answerLabels`` are the labels of its buttons in the caller's language, the first
    one for what they most likely want.
    """

    host_name: str
    co_hosts: list[EventCoHost]
    counts: CountsOutput
    my_status: AttendanceStatus | None
    answer_state: AnswerState
    answer_labels: list[str]
    needs_approval: bool
    questions: list[QuestionAsked]
    publication: PublicationOutput | None


def event_fields(event: Event, private: PrivateDetails, public_url: str) -> dict[str, Any]:
    """The event's own fields, given what the viewer may know. ``Surroundings`` (in ``api``) has the others."""
    return dict(
        slug=event.slug,
        url=f"{public_url}{event_path(event.slug)}",
        starts_at=iso_or_none(event.starts_at),
        ends_at=iso_or_none(event.ends_at),
        starts_local=event.starts_local or None,
        time_zone=event.time_zone,
        status=event.status.value,
        status_reason=event.status_reason,
        own_visibility=event.content.visibility.value,
        host_id=event.author_id,
        record_uri=event.record_uri,
        is_draft=event.is_held,
        publishes_at=iso_or_none(event.publish_at),
        removes_at=iso_or_none(event.removes_at),
        awaits_repository=event.is_held and not event.is_draft,
        revision=event.revision,
        created_at=iso(event.created_at),
        updated_at=iso(event.updated_at),
        **about_shown(event, private, public_url),
    )
