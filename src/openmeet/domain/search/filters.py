"""The filters of the search, one row each. The form, its labels, query strings, names of searches, chips that remove a
filter, and the JSON API with its documentation are derived from the rows.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from groundwork.errors import Reason, Why
from openmeet.domain.events.values import Mode
from openmeet.domain.events.vocabulary import ACCESS_LABELS, CATEGORY_LABELS, AccessFeature, Category, normalised
from openmeet.domain.search.search import EventOrigin
from openmeet.i18n import languages
from openmeet.i18n.catalogue import LazyText, lazy

MAX_WITHIN_KM: Final = 500
DEFAULT_WITHIN_KM: Final = 25
# The part of the page with the input: ``words`` is the line above the filters.
_Input = Literal["words", "day", "choice", "text", "place", "number"]

SourceName = Literal["all", "openmeet", "bluesky", "atproto"]


class SearchReason(Reason):
    """Why a search is refused. The messages are in ``i18n/reasons/events.py``."""

    LAST_DAY_BEFORE_FIRST = "search.last_day_before_first"
    MALFORMED_TAG = "search.malformed_tag"
    TAG_TOO_LONG = "search.tag_too_long"
    UNKNOWN_LANGUAGE = "search.unknown_language"
    DISTANCE_OUT_OF_RANGE = "search.distance_out_of_range"
    MALFORMED_POINT = "search.malformed_point"
    UNKNOWN_GROUPS = "search.unknown_groups"
    SIGN_IN_FOR_GROUPS = "search.sign_in_for_groups"
    MALFORMED_DAY = "search.malformed_day"
    UNKNOWN_SOURCE = "search.unknown_source"


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """A filter: its name in query strings, its label, and what the documentation of the API says.

    ``choices``: its values with their labels; ``no_choice``: the label of the choice not to filter. ``is_topic``: events
    have its values as terms (``events.content.topics_of``), so no code compares it. ``value_of`` is then the term of
    what was typed, or empty if there is none, for the reason ``invalid``. ``schema``: its type in the API, if it is not
    a text. ``is_private``: only for people who are signed in.
    """

    name: str
    label: LazyText
    description: str
    input: _Input = "text"
    choices: Mapping[str, LazyText] = field(default_factory=dict)
    no_choice: LazyText | str = ""
    placeholder: LazyText | str = ""
    is_topic: bool = False
    value_of: Callable[[str], str | None] = str
    invalid: Why = ""
    schema: Any = str
    is_private: bool = False


SOURCE_LABELS: Final = {
    EventOrigin.ALL.value: lazy("Everywhere"),
    EventOrigin.OPENMEET.value: lazy("Created here"),
    EventOrigin.ATPROTO.value: lazy("From other apps"),
}

# In the order of the form and of query strings, which identify saved searches.
FILTERS: Final = (
    Filter(
        name="q",
        label=lazy("Search"),
        description="Words, or beginnings of words, that must all occur in the title, description, tags or place. "
        "If nothing matches exactly, endings and typing errors are tolerated",
        input="words",
    ),
    Filter(
        name="from",
        label=lazy("From"),
        description="First day, YYYY-MM-DD, in each event’s own time zone",
        input="day",
    ),
    Filter(name="to", label=lazy("To"), description="Last day, YYYY-MM-DD, included", input="day"),
    Filter(
        name="category",
        label=lazy("Category"),
        description="Category",
        input="choice",
        choices={one.value: text for one, text in CATEGORY_LABELS.items()},
        no_choice=lazy("Any"),
        is_topic=True,
        schema=Category,
    ),
    Filter(
        name="tag",
        label=lazy("Tag"),
        description="One tag",
        is_topic=True,
        value_of=normalised,
        invalid=SearchReason.MALFORMED_TAG,
    ),
    Filter(
        name="language",
        label=lazy("Language"),
        description="A language spoken at the event: its name or code",
        placeholder=lazy("Deutsch, English, fr"),
        is_topic=True,
        value_of=lambda text: languages.known_code(text[:100]),
        invalid=SearchReason.UNKNOWN_LANGUAGE,
    ),
    Filter(
        name="access",
        label=lazy("Accessibility"),
        description="An accessibility feature",
        input="choice",
        choices={one.value: text for one, text in ACCESS_LABELS.items()},
        no_choice=lazy("Any"),
        is_topic=True,
        schema=AccessFeature,
    ),
    Filter(
        name="mode",
        label=lazy("Taking part"),
        description="How people take part. Hybrid events match both",
        input="choice",
        choices={Mode.IN_PERSON.value: lazy("In person"), Mode.ONLINE.value: lazy("Online")},
        no_choice=lazy("In person or online"),
        schema=Literal["in_person", "online"],
    ),
    Filter(
        name="source",
        label=lazy("Source"),
        description="Where it was created. The value bluesky is another name for atproto",
        input="choice",
        choices=SOURCE_LABELS,
        schema=SourceName,
    ),
    Filter(
        name="near",
        label=lazy("Near"),
        description="A place by name (Berlin) or GeoNames id (geonames:2950159), or a point as latitude,longitude in "
        "degrees"
        " (52.52,13.40)",
        input="place",
        placeholder=lazy("A town or a district"),
    ),
    Filter(
        name="within",
        label=lazy("Distance in kilometres"),
        description=f"Radius in kilometres, 1 to {MAX_WITHIN_KM}",
        input="number",
        placeholder=str(DEFAULT_WITHIN_KM),
        schema=int,
    ),
    Filter(
        name="groups",
        label=lazy("Groups"),
        description="mine: events of your groups, including those for members only",
        input="choice",
        choices={"mine": lazy("From your groups")},
        no_choice=lazy("All events"),
        schema=Literal["mine"],
        is_private=True,
    ),
)
FIELDS: Final = tuple(one.name for one in FILTERS)
TOPICS: Final = tuple(one for one in FILTERS if one.is_topic)
BY_NAME: Final = {one.name: one for one in FILTERS}
