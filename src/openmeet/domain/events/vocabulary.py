"""The closed lists that events choose from, and how they are called: what an event is about, and what a place has.

A value stays for ever once it was offered: rows, records and the addresses of searches carry it.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Category(StrEnum):
    """What an event is about, as people look for it."""

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
    """What a venue or an event has for people who need it. What is not named is not known to be missing."""

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
