"""Categories, accessibility features and tags of events: closed lists, and normalized free tags. Pure."""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Final

from groundwork.errors import InvalidInput
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


CATEGORY_WORDS: Final[Mapping[Category, str]] = {
    Category.ARTS: "Arts",
    Category.BOOKS: "Books and writing",
    Category.BUSINESS: "Work and business",
    Category.COMMUNITY: "Neighbourhood and community",
    Category.CRAFTS: "Crafts and making",
    Category.DANCE: "Dance",
    Category.FAITH: "Faith and spirituality",
    Category.FAMILY: "Families and children",
    Category.FILM: "Film and photography",
    Category.FOOD: "Food and drink",
    Category.GAMES: "Games",
    Category.HEALTH: "Health and wellbeing",
    Category.LANGUAGES: "Languages",
    Category.LEARNING: "Talks and learning",
    Category.MUSIC: "Music",
    Category.OUTDOORS: "Outdoors",
    Category.POLITICS: "Politics and causes",
    Category.SCIENCE: "Science",
    Category.SPORTS: "Sports",
    Category.TECHNOLOGY: "Technology",
}


class AccessFeature(StrEnum):
    """Accessibility features of a venue or an event. A feature that is not listed may still exist."""

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


ACCESS_WORDS: Final[Mapping[AccessFeature, str]] = {
    AccessFeature.STEP_FREE: "Step-free access",
    AccessFeature.ACCESSIBLE_TOILET: "Accessible toilet",
    AccessFeature.PARKING: "Parking for disabled people",
    AccessFeature.SEATING: "Seats for everybody who needs one",
    AccessFeature.HEARING_LOOP: "Hearing loop",
    AccessFeature.SIGN_LANGUAGE: "Sign language",
    AccessFeature.CAPTIONS: "Live captions",
    AccessFeature.QUIET_ROOM: "Quiet room",
    AccessFeature.ASSISTANCE_DOGS: "Assistance dogs welcome",
    AccessFeature.COMPANION_FREE: "Companions come free",
}


MAX_TAGS: Final = 10
MAX_TAG: Final = 40

# Separators of tags in one field, including the commas of other scripts.
_SEPARATORS: Final = str.maketrans(dict.fromkeys(",;\n\r，、؛،；", ","))


def normalised(text: str) -> str:
    """Normalize a tag: composed, in lower case, spaces collapsed, without a leading hash sign.

    Empty where nothing searchable is left.
    """
    # Folding may decompose characters, and composing may produce letters that fold: twice is enough for both.
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()).casefold()
    tag = one_line(unicodedata.normalize("NFKC", folded)).translate(_SEPARATORS).replace(",", " ")
    tag = " ".join(tag.split()).lstrip("#＃ ").strip()
    return tag if any(char.isalnum() for char in tag) else ""


def tags_in(typed: str, field: str = "tags") -> tuple[str, ...]:
    """Parse tags separated by commas; duplicates count once, in the order typed. Raises InvalidInput."""
    return checked(typed.translate(_SEPARATORS).split(","), field)


def checked(texts: Iterable[str], field: str = "tags") -> tuple[str, ...]:
    """Normalize these tags. Raises InvalidInput for too many and for too long ones."""
    found = tuple(dict.fromkeys(filter(None, map(normalised, texts))))
    if len(found) > MAX_TAGS:
        raise InvalidInput(field, f"At most {MAX_TAGS} tags; these are {len(found)}.")
    too_long = next((tag for tag in found if len(tag) > MAX_TAG), None)
    if too_long is not None:
        raise InvalidInput(field, f"A tag has at most {MAX_TAG} characters; “{too_long[:MAX_TAG]}…” is longer.")
    return found


def joined(tags: Sequence[str]) -> str:
    """The tags as one form field; ``tags_in`` parses it."""
    return ", ".join(tags)
