"""Parse a search form or query string into ``search.SearchQuery``, and explain empty results. Pure."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final
from urllib.parse import urlencode

from groundwork.database.words import MAX_WORDS, query_terms
from groundwork.errors import InvalidForm, InvalidInput, Why
from groundwork.geo_points import SearchArea
from openmeet.domain.events.values import Mode
from openmeet.domain.search.filters import (
    BY_NAME,
    DEFAULT_WITHIN_KM,
    FIELDS,
    FILTERS,
    MAX_WITHIN_KM,
    SOURCE_LABELS,
    TOPICS,
    SearchReason,
)
from openmeet.domain.search.search import EventOrigin, SearchQuery
from openmeet.domain.users.model import UserId
from openmeet.domain.validation import GeneralReason
from openmeet.i18n import formatting, languages
from openmeet.i18n.catalogue import gettext
from openmeet.i18n.markdown import folded
from openmeet.recurrence import wall_time

# Separates the name of a place from its coordinates: ``Berlin @52.52437,13.41053``.
AT: Final = "@"
MAX_QUERY = 200
_MAX_TAG: Final = 40
# Aliases, for clients that use other names.
_ALIASES: Final = {"bluesky": EventOrigin.ATPROTO.value}


@dataclass(frozen=True, slots=True)
class EmptyResult:
    """Text that explains why a search found nothing, and one next step."""

    heading: str
    text: str
    path: str
    action: str


def parse_query(typed: Mapping[str, str], viewer: UserId | None = None) -> SearchQuery:
    """Parse a search. Days are in each event's own zone, and ``to`` is included. Raises InvalidForm with the invalid
    fields.
    """
    problems: dict[str, Why] = {}
    text = typed.get("q", "").strip()
    if len(text) > MAX_QUERY:
        problems["q"] = GeneralReason.TEXT_TOO_LONG(most=MAX_QUERY)
    first = _day(typed, "from", problems)
    last = _day(typed, "to", problems)
    if first and last and last < first:
        problems["to"] = SearchReason.LAST_DAY_BEFORE_FIRST
    mode = _choice(typed, "mode", problems)
    source = _choice({"source": _ALIASES.get(_of(typed, "source"), _of(typed, "source"))}, "source", problems)
    if "source" in problems:
        problems["source"] = SearchReason.UNKNOWN_SOURCE
    query = SearchQuery(
        words=tuple(text.split()[:MAX_WORDS]),
        first=first,
        last=last,
        topics=_topics(typed, problems),
        mode=Mode(mode) if mode else None,
        source=EventOrigin(source) if source else EventOrigin.ALL,
        near=_near(typed, problems),
        of_groups_of=_groups(typed, viewer, problems),
        viewer=viewer,
    )
    if problems:
        raise InvalidForm(problems)
    return query


def source_or_none(text: str) -> EventOrigin | None:
    """Parse the origin filter for lists of groups or series. None if it is unknown or missing."""
    text = _ALIASES.get(text.strip(), text.strip())
    return EventOrigin(text) if text in SOURCE_LABELS else None


def source_of(text: str) -> EventOrigin | None:
    """Parse the origin filter of a request for groups or series. None if it is missing. Raises InvalidInput."""
    source = source_or_none(text)
    if text and source is None:
        raise InvalidInput("source", SearchReason.UNKNOWN_SOURCE)
    return source


def created_here_filter(source: EventOrigin | None) -> bool | None:
    """Convert the origin filter: True for groups or series created on this site, False for others, None for both."""
    return None if source in {None, EventOrigin.ALL} else source is EventOrigin.OPENMEET


def query_string(typed: Mapping[str, str], **changes: str) -> str:
    """The query string of the same search, with some fields changed."""
    fields = {name: typed.get(name, "").strip() for name in FIELDS} | changes
    return urlencode({name: value for name, value in fields.items() if value})


def is_specific(query: SearchQuery) -> bool:
    """Whether the search has words, a topic or a place. Without any of these it matches nearly every event."""
    return bool(query_terms(folded(" ".join(query.words))) or query.topics or query.near)


def name_of(typed: Mapping[str, str]) -> str:
    """The name of a valid search in a feed reader: ``Events: jazz, Music, Online``."""
    search_words = words_of(typed)
    return gettext("Events: %(search)s", search=search_words) if search_words else gettext("Upcoming events")


def words_of(typed: Mapping[str, str]) -> str:
    """A valid search as text: ``jazz, Music, Online``. Empty if it has no criteria."""
    return ", ".join(words_by_filter(typed).values())


def words_by_filter(typed: Mapping[str, str]) -> dict[str, str]:
    """A valid search as text by field. Both days are under ``from``."""
    own: Mapping[str, Callable[[Mapping[str, str]], str]] = {
        "from": _days_label,
        "language": _language_label,
        "near": _near_label,
    }
    named = {
        one.name: own[one.name](typed)
        if one.name in own
        else str(one.choices.get(_of(typed, one.name), _of(typed, one.name)))
        for one in FILTERS
        if one.name not in {"to", "within"}
    }
    return {name: text for name, text in named.items() if text}


def near_name(typed: Mapping[str, str]) -> str:
    """The name of the place to search around, without its coordinates; the coordinates if it has no name."""
    name, _, point = _of(typed, "near").rpartition(AT)
    return name.strip() or point.strip()


def is_point(near: str) -> bool:
    """Whether the text has coordinates, with or without a name, so that no name needs to be looked up."""
    return _point(near.rpartition(AT)[2]) is not None


def _near_label(typed: Mapping[str, str]) -> str:
    return gettext("near %(place)s", place=near_name(typed)) if _of(typed, "near") else ""


def _days_label(typed: Mapping[str, str]) -> str:
    first, last = (date.fromisoformat(text) if (text := _of(typed, name)) else None for name in ("from", "to"))
    if first and last:
        return formatting.days(first, last)
    if first:
        return gettext("from %(day)s", day=formatting.day(first))
    return gettext("until %(day)s", day=formatting.day(last)) if last else ""


def _language_label(typed: Mapping[str, str]) -> str:
    text = _of(typed, "language")
    code = languages.known_code(text)
    return languages.name_of(code) if code else text


def next_steps(typed: Mapping[str, str], *, is_name: bool = False) -> list[EmptyResult]:
    """Explanations for a valid search that found nothing, each with one next step.

    The step that changes the search least comes first. The last one is always offered.
    """
    query = _of(typed, "q")
    if query and not query_terms(folded(query)):
        return [
            EmptyResult(
                gettext("Nothing to search for"),
                gettext("“%(query)s” has no letters or digits. Type a word.", query=query),
                "/",
                gettext("Show all events"),
            )
        ]
    return [*_wider(typed), *_any_day(typed), *_unfiltered(typed), _anything(query, is_name=is_name)]


def _wider(typed: Mapping[str, str]) -> Iterator[EmptyResult]:
    within = int(_of(typed, "within") or DEFAULT_WITHIN_KM)
    for wider in dict.fromkeys((min(MAX_WITHIN_KM, within * 4), MAX_WITHIN_KM)) if _of(typed, "near") else ():
        if wider > within:
            yield EmptyResult(
                gettext("Nothing nearby"),
                gettext("There’s no matching event within %(distance)s km.", distance=within),
                "/?" + query_string(typed, within=str(wider)),
                gettext("Search within %(distance)s km", distance=wider),
            )


def _any_day(typed: Mapping[str, str]) -> Iterator[EmptyResult]:
    if _of(typed, "from") or _of(typed, "to"):
        yield EmptyResult(
            gettext("Nothing on these days"),
            gettext("No matching event starts between these dates."),
            _path(query_string(typed, **{"from": "", "to": ""})),
            gettext("See all upcoming dates"),
        )


def _unfiltered(typed: Mapping[str, str]) -> Iterator[EmptyResult]:
    narrowing = [name for name in FIELDS if name not in {"q", "within"} and _of(typed, name)]
    if narrowing == ["near"]:
        yield EmptyResult(
            gettext("Nothing nearby"),
            gettext(
                "There’s no matching event within %(distance)s km.", distance=_of(typed, "within") or DEFAULT_WITHIN_KM
            ),
            _path(query_string(typed, near="", within="")),
            gettext("Search everywhere"),
        )
    # Searching without days was already offered on its own.
    elif narrowing and not set(narrowing) <= {"from", "to"}:
        yield EmptyResult(
            gettext("Nothing matches all your filters"),
            gettext("Remove a filter, or search without filters."),
            _path(query_string(typed, **dict.fromkeys([*narrowing, "within"], ""))),
            gettext("Search without filters"),
        )


def _path(query_text: str) -> str:
    return f"/?{query_text}" if query_text else "/"


def _anything(query: str, *, is_name: bool) -> EmptyResult:
    if is_name:
        return EmptyResult(
            gettext("No upcoming events with these words"),
            gettext("See the places, people and groups above."),
            "/",
            gettext("Show all events"),
        )
    if not query:
        return EmptyResult(
            gettext("Nothing matches all your filters"),
            gettext("Remove a filter, or search without filters."),
            "/",
            gettext("Show all events"),
        )
    return EmptyResult(
        gettext("Nothing matches"),
        gettext(
            "No upcoming event mentions “%(query)s” in its title, text, tags or place. Try other or fewer words.",
            query=query,
        ),
        "/",
        gettext("Show all events"),
    )


def _of(typed: Mapping[str, str], name: str) -> str:
    return typed.get(name, "").strip()


def _choice(typed: Mapping[str, str], name: str, problems: dict[str, Why]) -> str:
    value, choices = _of(typed, name), BY_NAME[name].choices
    if value and value not in choices:
        problems[name] = GeneralReason.CHOOSE_ONE(choices=", ".join(choices))
        return ""
    return value


def _topics(typed: Mapping[str, str], problems: dict[str, Why]) -> tuple[str, ...]:
    topics: list[str] = []
    for one in TOPICS:
        typed_text = _of(typed, one.name)
        value = _choice(typed, one.name, problems) if one.choices else one.value_of(typed_text)
        if typed_text and not value and one.name not in problems:
            problems[one.name] = one.invalid
        if value:
            topics.append(f"{one.name}:{value}")
    if len(_of(typed, "tag")) > _MAX_TAG:
        problems["tag"] = SearchReason.TAG_TOO_LONG(most=_MAX_TAG)
    return tuple(topics)


def _near(typed: Mapping[str, str], problems: dict[str, Why]) -> SearchArea | None:
    within = _of(typed, "within")
    if within and not (
        within.isascii() and within.isdigit() and len(within) <= 6 and 1 <= int(within) <= MAX_WITHIN_KM
    ):
        problems["within"] = SearchReason.DISTANCE_OUT_OF_RANGE(most=MAX_WITHIN_KM)
    text = _of(typed, "near")
    if not text:
        return None
    name, _, point = text.rpartition(AT)
    near_point = _point(point)
    if near_point is None or len(name) > MAX_QUERY:
        problems["near"] = SearchReason.MALFORMED_POINT
    # If the number is not valid, there is no radius.
    if near_point is None or "near" in problems or "within" in problems:
        return None
    return SearchArea(*near_point, int(within or DEFAULT_WITHIN_KM))


def _point(text: str) -> tuple[float, float] | None:
    try:
        latitude, longitude = map(float, text.split(","))
    except ValueError:
        return None
    return (latitude, longitude) if abs(latitude) <= 90 and abs(longitude) <= 180 else None


def _groups(typed: Mapping[str, str], viewer: UserId | None, problems: dict[str, Why]) -> UserId | None:
    value = _of(typed, "groups")
    if not value:
        return None
    if value != "mine":
        problems["groups"] = SearchReason.UNKNOWN_GROUPS
    elif viewer is None:
        problems["groups"] = SearchReason.SIGN_IN_FOR_GROUPS
    return viewer


def _day(typed: Mapping[str, str], name: str, problems: dict[str, Why]) -> date | None:
    text = typed.get(name, "").strip()
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        problems[name] = SearchReason.MALFORMED_DAY
        return None
    if not wall_time.FIRST_YEAR <= day.year <= wall_time.LAST_YEAR:
        problems[name] = GeneralReason.YEAR_OUT_OF_RANGE(
            first_year=str(wall_time.FIRST_YEAR), last_year=str(wall_time.LAST_YEAR)
        )
        return None
    return day
