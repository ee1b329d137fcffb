"""Response types of queries: the views of ``openmeet.lexicon.defs``. None and empty fields are left out."""

from msgspec import Struct


class LexiconStruct(Struct, rename="camel", omit_defaults=True, kw_only=True):
    """Base of all response types. Field names are those of the Lexicons."""


class PlaceView(LexiconStruct):
    name: str = ""
    street: str = ""
    postal_code: str = ""
    locality: str = ""
    region: str = ""
    country: str = ""
    latitude: str = ""
    longitude: str = ""


class Counts(LexiconStruct):
    going: int
    interested: int
    waitlisted: int
    unconfirmed: int


class GroupLink(LexiconStruct):
    slug: str
    url: str
    name: str
    uri: str | None = None


class SeriesLink(LexiconStruct):
    slug: str
    url: str
    title: str
    recurrence_id: str
    original_date: str
    differs_in: list[str] = []
    uri: str | None = None


class ViewerState(LexiconStruct):
    is_host: bool
    answer: str | None = None


class EventView(LexiconStruct):
    url: str
    title: str
    time_zone: str
    status: str
    mode: str
    visibility: str
    host_name: str
    counts: Counts
    created_at: str
    updated_at: str
    uri: str | None = None
    cid: str | None = None
    did: str | None = None
    description: str = ""
    starts_at: str | None = None
    ends_at: str | None = None
    starts_local: str = ""
    is_all_day: bool = False
    status_reason: str = ""
    place: PlaceView | None = None
    join_url: str | None = None
    capacity: int | None = None
    categories: list[str] = []
    tags: list[str] = []
    languages: list[str] = []
    series: SeriesLink | None = None
    group: GroupLink | None = None
    source: str = ""
    viewer: ViewerState | None = None


class SeriesView(LexiconStruct):
    url: str
    title: str
    sentence: str
    starts_local: str
    time_zone: str
    mode: str
    status: str
    visibility: str
    host_name: str
    created_at: str
    updated_at: str
    uri: str | None = None
    description: str = ""
    rrule: str = ""
    duration_minutes: int | None = None
    place: PlaceView | None = None
    status_reason: str = ""
    group: GroupLink | None = None


class OccurrenceView(LexiconStruct):
    recurrence_id: str
    starts_at: str
    title: str
    status: str
    url: str
    ends_at: str | None = None
    event: EventView | None = None


class AnswerView(LexiconStruct):
    uri: str
    did: str
    status: str
    standing: str
    answered_at: str
    handle: str | None = None
    display_name: str = ""


class GroupView(LexiconStruct):
    url: str
    name: str
    time_zone: str
    visibility: str
    join_policy: str
    members: int
    created_at: str
    updated_at: str
    uri: str | None = None
    description: str = ""
    locality: str = ""
    country: str = ""
    role: str | None = None


class OneEvent(LexiconStruct):
    """Output of ``getEvent``."""

    event: EventView


class ListedEvents(LexiconStruct):
    """Output of ``listEvents`` and ``listActorEvents``."""

    events: list[EventView]
    cursor: str | None = None


class SeriesEvents(LexiconStruct):
    """Output of ``listSeriesEvents``."""

    series: SeriesView
    occurrences: list[OccurrenceView]
    cursor: str | None = None


class GroupEvents(LexiconStruct):
    """Output of ``listGroupEvents``."""

    group: GroupView
    events: list[EventView]
    cursor: str | None = None


class OneGroup(LexiconStruct):
    """Output of ``getGroup``."""

    group: GroupView


class AnswerList(LexiconStruct):
    """Output of ``listAnswers``."""

    counts: Counts
    answers: list[AnswerView]
    cursor: str | None = None


class Resolved(LexiconStruct):
    """Output of ``resolveUri``."""

    kind: str
    url: str
    uri: str | None = None
    cid: str | None = None
