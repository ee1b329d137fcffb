"""Categories, accessibility features and tags of events: closed lists, and normalized free tags. Pure."""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Final

from groundwork.errors import InvalidInput
from openmeet.domain.events.reasons import EventReason
from openmeet.i18n.catalogue import LazyText, lazy
from openmeet.i18n.markdown import one_line


class Category(StrEnum):
    """Topic of an event."""

    ARTS = "arts"
    BOOKS = "books"
    BUSINESS = "business"
    COMMUNITY = "community"
    CRAFTS = "crafts"
    DANCE = "dance"
    FAITH = "faith"
    FAMILY = "family"
    FILM = "film"
    FOOD = "food"
    GAMES = "games"
    HEALTH = "health"
    LANGUAGES = "languages"
    LEARNING = "learning"
    MUSIC = "music"
    OUTDOORS = "outdoors"
    POLITICS = "politics"
    SCIENCE = "science"
    SPORTS = "sports"
    TECHNOLOGY = "technology"


CATEGORY_LABELS: Final[Mapping[Category, LazyText]] = {
    Category.ARTS: lazy("Arts"),
    Category.BOOKS: lazy("Books and writing"),
    Category.BUSINESS: lazy("Work and business"),
    Category.COMMUNITY: lazy("Neighbourhood and community"),
    Category.CRAFTS: lazy("Crafts and making"),
    Category.DANCE: lazy("Dance"),
    Category.FAITH: lazy("Faith and spirituality"),
    Category.FAMILY: lazy("Families and children"),
    Category.FILM: lazy("Film and photography"),
    Category.FOOD: lazy("Food and drink"),
    Category.GAMES: lazy("Games"),
    Category.HEALTH: lazy("Health and wellbeing"),
    Category.LANGUAGES: lazy("Languages"),
    Category.LEARNING: lazy("Talks and learning"),
    Category.MUSIC: lazy("Music"),
    Category.OUTDOORS: lazy("Outdoors"),
    Category.POLITICS: lazy("Politics and causes"),
    Category.SCIENCE: lazy("Science"),
    Category.SPORTS: lazy("Sports"),
    Category.TECHNOLOGY: lazy("Technology"),
}


def categories_by_label() -> list[tuple[Category, str]]:
    """All categories with their labels, sorted by label in the current language, without accents."""
    labelled = [(one, str(words)) for one, words in CATEGORY_LABELS.items()]
    return sorted(labelled, key=lambda one: unicodedata.normalize("NFKD", one[1]).casefold())


class AccessFeature(StrEnum):
    """Accessibility features of a venue or an event. A feature that is not listed may exist nevertheless."""

    STEP_FREE = "step_free"
    ACCESSIBLE_TOILET = "accessible_toilet"
    PARKING = "parking"
    SEATING = "seating"
    HEARING_LOOP = "hearing_loop"
    SIGN_LANGUAGE = "sign_language"
    CAPTIONS = "captions"
    QUIET_ROOM = "quiet_room"
    ASSISTANCE_DOGS = "assistance_dogs"
    COMPANION_FREE = "companion_free"


ACCESS_LABELS: Final[Mapping[AccessFeature, LazyText]] = {
    AccessFeature.STEP_FREE: lazy("Step-free access"),
    AccessFeature.ACCESSIBLE_TOILET: lazy("Accessible toilet"),
    AccessFeature.PARKING: lazy("Parking for disabled people"),
    AccessFeature.SEATING: lazy("Seats for everyone who needs one"),
    AccessFeature.HEARING_LOOP: lazy("Hearing loop"),
    AccessFeature.SIGN_LANGUAGE: lazy("Sign language"),
    AccessFeature.CAPTIONS: lazy("Live captions"),
    AccessFeature.QUIET_ROOM: lazy("Quiet room"),
    AccessFeature.ASSISTANCE_DOGS: lazy("Assistance dogs welcome"),
    AccessFeature.COMPANION_FREE: lazy("Companions get in free"),
}


MAX_TAGS: Final = 10
MAX_TAG: Final = 40

# Separators of tags in one field, including the commas of other scripts.
_SEPARATORS: Final = str.maketrans(dict.fromkeys(",;\n\r，、؛،；", ","))


def normalised(text: str) -> str:
    """Normalize a tag: composed, in lower case, spaces collapsed, without a leading hash sign.

    Empty if nothing searchable is left.
    """
    # Folding can decompose characters, and composing can produce letters that fold again. Doing both twice is enough.
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()).casefold()
    tag = one_line(unicodedata.normalize("NFKC", folded)).translate(_SEPARATORS).replace(",", " ")
    tag = " ".join(tag.split()).lstrip("#＃ ").strip()
    return tag if any(char.isalnum() for char in tag) else ""


def tags_in(typed: str) -> tuple[str, ...]:
    """Parse tags separated by commas, in the order typed. Duplicates count once. Raises InvalidInput."""
    return checked(typed.translate(_SEPARATORS).split(","))


def checked(texts: Iterable[str], field: str = "tags") -> tuple[str, ...]:
    """Normalize these tags. Raises InvalidInput if there are too many or one is too long."""
    terms = tuple(dict.fromkeys(filter(None, map(normalised, texts))))
    if len(terms) > MAX_TAGS:
        raise InvalidInput(field, EventReason.TOO_MANY_TAGS, most=MAX_TAGS, number=len(terms))
    too_long = next((tag for tag in terms if len(tag) > MAX_TAG), None)
    if too_long is not None:
        raise InvalidInput(field, EventReason.TAG_TOO_LONG, most=MAX_TAG, tag=too_long[:MAX_TAG])
    return terms


def joined(tags: Sequence[str]) -> str:
    """The tags as text for one form field. ``tags_in`` parses it."""
    return ", ".join(tags)
