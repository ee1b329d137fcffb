"""Parse a search form or query string into ``search.SearchQuery``; explain empty results. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final
from urllib.parse import urlencode

from groundwork.database.words import MAX_WORDS, wanted_words
from groundwork.errors import InvalidForm
from groundwork.geo_points import Near
from openmeet.domain.events.model import Mode
from openmeet.domain.events.vocabulary import ACCESS_WORDS, CATEGORY_WORDS, AccessFeature, Category, normalised
from openmeet.domain.search.search import EventOrigin, SearchQuery
from openmeet.domain.users.model import UserId
from openmeet.i18n import languages
from openmeet.i18n.markdown import folded
from openmeet.recurrence import wall_time

MAX_QUERY = 200
MAX_WITHIN: Final = 500
WITHIN: Final = 25
_MAX_TOPIC: Final = 40

# Every field of the form and of the query string, in the order of the form.
FIELDS: Final = (
    "q", "from", "to", "category", "tag", "language", "access", "mode", "source", "near", "within", "groups",
)  # fmt: skip
MODE_WORDS: Final = {Mode.IN_PERSON.value: "In person", Mode.ONLINE.value: "Online"}
SOURCE_WORDS: Final = {
    EventOrigin.ALL.value: "Everywhere",
    EventOrigin.OPENMEET.value: "Made here",
    EventOrigin.ATPROTO.value: "From other apps",
}
# Aliases, for clients that use other names.
_ALIASES: Final = {"bluesky": EventOrigin.ATPROTO.value}


@dataclass(frozen=True, slots=True)
class Empty:
    """Why a search found nothing, in words, and the one next step."""

    heading: str
    text: str
    path: str
    action: str


def wanted_of(typed: Mapping[str, str], viewer: UserId | None = None) -> SearchQuery:
    """Parse a search. Days are those of each event's own zone, ``to`` included. InvalidForm names the fields."""
    problems: dict[str, str] = {}
    query = typed.get("q", "").strip()
    if len(query) > MAX_QUERY:
        problems["q"] = f"At most {MAX_QUERY} characters."
    first = _day(typed, "from", problems)
    last = _day(typed, "to", problems)
    if first and last and last < first:
        problems["to"] = "This day is before the first one."
    mode = _chosen(typed, "mode", MODE_WORDS, problems)
    source = _chosen(
        {"source": _ALIASES.get(_of(typed, "source"), _of(typed, "source"))}, "source", SOURCE_WORDS, problems
    )
    wanted = SearchQuery(
        words=tuple(query.split()[:MAX_WORDS]),
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
    return wanted


def source_or_none(text: str) -> EventOrigin | None:
    """Origin filter for lists of groups or series; None for an unknown or missing one."""
    text = _ALIASES.get(text.strip(), text.strip())
    return EventOrigin(text) if text in SOURCE_WORDS else None


def kept_here(source: EventOrigin | None) -> bool | None:
    """Whether only groups or series made here, or only others, are searched; None: both."""
    return None if source in {None, EventOrigin.ALL} else source is EventOrigin.OPENMEET


def asked_again(typed: Mapping[str, str], **changes: str) -> str:
    """The query string of the same search with these fields changed."""
    fields = {name: typed.get(name, "").strip() for name in FIELDS} | changes
    return urlencode({name: value for name, value in fields.items() if value})


def tells_much(wanted: SearchQuery) -> bool:
    """Whether it has words, a topic or a place: a search without them matches nearly every event."""
    return bool(wanted_words(folded(" ".join(wanted.words))) or wanted.topics or wanted.near)


def name_of(typed: Mapping[str, str]) -> str:
    """Name of this valid search in a feed reader: ``Events: jazz, Music, Online``."""
    words = {
        "category": {one.value: text for one, text in CATEGORY_WORDS.items()},
        "access": {one.value: text for one, text in ACCESS_WORDS.items()},
        "mode": MODE_WORDS,
        "source": SOURCE_WORDS,
    }
    named = [words.get(name, {}).get(_of(typed, name), _of(typed, name)) for name in FIELDS if name != "within"]
    said = ", ".join(filter(None, named))
    return f"Events: {said}" if said else "Coming events"


def empty_of(typed: Mapping[str, str]) -> Empty:
    """What to say where this valid search found nothing."""
    query = _of(typed, "q")
    if query and not wanted_words(folded(query)):
        return Empty(
            "Nothing to look for",
            f"“{query}” has no letters or digits. Type a word.",
            "/",
            "Show everything that is coming up",
        )
    near = _of(typed, "near")
    within = int(_of(typed, "within") or WITHIN)
    if near and within < MAX_WITHIN:
        wider = min(MAX_WITHIN, within * 4)
        path = "/?" + asked_again(typed, within=str(wider))
        return Empty("Nothing that near", f"No event that fits is within {within} km.", path, f"Look within {wider} km")
    if _of(typed, "from") or _of(typed, "to"):
        path = "/?" + asked_again(typed, **{"from": "", "to": ""})
        return Empty(
            "Nothing on these days", "No event that fits starts between these dates.", path, "Look at all coming dates"
        )
    narrowing = [name for name in FIELDS if name not in {"q", "within"} and _of(typed, name)]
    if narrowing:
        path = "/?" + asked_again(typed, **dict.fromkeys([*narrowing, "within"], ""))
        return Empty("The filters leave nothing", "No coming event fits all of them.", path, "Look without the filters")
    return Empty(
        "Nothing matches",
        f"No coming event has “{query}” in its title, text, tags or place. Fewer words may help.",
        "/",
        "Show everything that is coming up",
    )


def _of(typed: Mapping[str, str], name: str) -> str:
    return typed.get(name, "").strip()


def _chosen(typed: Mapping[str, str], name: str, offered: Mapping[str, str], problems: dict[str, str]) -> str:
    value = _of(typed, name)
    if value and value not in offered:
        problems[name] = "Choose one of: " + ", ".join(offered) + "."
        return ""
    return value


def _topics(typed: Mapping[str, str], problems: dict[str, str]) -> tuple[str, ...]:
    category = _chosen(typed, "category", {one.value: CATEGORY_WORDS[one] for one in Category}, problems)
    access = _chosen(typed, "access", {one.value: ACCESS_WORDS[one] for one in AccessFeature}, problems)
    tag, language = _of(typed, "tag"), languages.known_code(_of(typed, "language")[:100])
    if tag and not normalised(tag):
        problems["tag"] = "A tag has letters or digits."
    if len(tag) > _MAX_TOPIC:
        problems["tag"] = f"A tag has at most {_MAX_TOPIC} characters."
    if _of(typed, "language") and not language:
        problems["language"] = "Write the language like English, Deutsch or fr."
    named = {"category": category, "tag": normalised(tag), "language": language, "access": access}
    return tuple(f"{kind}:{value}" for kind, value in named.items() if value)


def _near(typed: Mapping[str, str], problems: dict[str, str]) -> Near | None:
    within = _of(typed, "within")
    if within and not (within.isascii() and within.isdigit() and len(within) <= 6 and 1 <= int(within) <= MAX_WITHIN):
        problems["within"] = f"A whole number of kilometres from 1 to {MAX_WITHIN}."
    text = _of(typed, "near")
    if not text:
        return None
    try:
        latitude, longitude = map(float, text.split(","))
    except ValueError:
        latitude = longitude = float("nan")
    # Without a valid number there is no radius.
    if not (abs(latitude) <= 90 and abs(longitude) <= 180):
        problems["near"] = "Write latitude and longitude in degrees, like 52.52, 13.40."
    if "near" in problems or "within" in problems:
        return None
    return Near(latitude, longitude, int(within or WITHIN))


def _groups(typed: Mapping[str, str], viewer: UserId | None, problems: dict[str, str]) -> UserId | None:
    asked = _of(typed, "groups")
    if not asked:
        return None
    if asked != "mine":
        problems["groups"] = "Choose one of: mine."
    elif viewer is None:
        problems["groups"] = "Sign in to look in your groups."
    return viewer


def _day(typed: Mapping[str, str], name: str, problems: dict[str, str]) -> date | None:
    text = typed.get(name, "").strip()
    if not text:
        return None
    try:
        found = date.fromisoformat(text)
    except ValueError:
        problems[name] = "Write the day like 2026-07-04."
        return None
    if not wall_time.FIRST_YEAR <= found.year <= wall_time.LAST_YEAR:
        problems[name] = f"The year must be between {wall_time.FIRST_YEAR} and {wall_time.LAST_YEAR}."
        return None
    return found
