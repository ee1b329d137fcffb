"""Which cover an event has: its motif, and the seed of all other choices in the drawing."""

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from openmeet.domain.events.content import Content
from openmeet.domain.events.vocabulary import Category
from openmeet.domain.media.pictures import Picture

_SEED_BYTES: Final = 8
_NAME = re.compile(r"([a-z]{3,10})-([0-9a-f]{16})")


class Motif(StrEnum):
    """The motif of a cover."""

    ART = "art"
    BOOKS = "books"
    CALM = "calm"
    FILM = "film"
    FOOD = "food"
    GAMES = "games"
    LANES = "lanes"
    MUSIC = "music"
    OUTDOORS = "outdoors"
    STREET = "street"
    TALK = "talk"
    TILES = "tiles"


_OF_CATEGORY: Final = {
    Category.ARTS: Motif.ART,
    Category.BOOKS: Motif.BOOKS,
    Category.BUSINESS: Motif.TALK,
    Category.COMMUNITY: Motif.STREET,
    Category.CRAFTS: Motif.ART,
    Category.DANCE: Motif.MUSIC,
    Category.FAITH: Motif.CALM,
    Category.FAMILY: Motif.GAMES,
    Category.FILM: Motif.FILM,
    Category.FOOD: Motif.FOOD,
    Category.GAMES: Motif.GAMES,
    Category.HEALTH: Motif.CALM,
    Category.LANGUAGES: Motif.TALK,
    Category.LEARNING: Motif.BOOKS,
    Category.MUSIC: Motif.MUSIC,
    Category.OUTDOORS: Motif.OUTDOORS,
    Category.POLITICS: Motif.TALK,
    Category.SCIENCE: Motif.TILES,
    Category.SPORTS: Motif.LANES,
    Category.TECHNOLOGY: Motif.TILES,
}

# The same by name, for the script that draws the cover while a title is being typed.
MOTIFS: Final = {category.value: motif.value for category, motif in _OF_CATEGORY.items()}

# The tones of ``tokens.css`` that suit each motif. Each tone has a palette in ``drawing``.
_TONES: Final = {
    Motif.ART: (4, 6, 2, 8),
    Motif.BOOKS: (6, 4, 8),
    Motif.CALM: (6, 8, 5),
    Motif.FILM: (7, 3, 2),
    Motif.FOOD: (1, 6, 4),
    Motif.GAMES: (4, 0, 3),
    Motif.LANES: (1, 5, 0),
    Motif.MUSIC: (3, 2, 1),
    Motif.OUTDOORS: (5, 8, 0),
    Motif.STREET: (5, 7, 1),
    Motif.TALK: (2, 6, 5),
    Motif.TILES: (0, 2, 5),
}

# Motifs that suggest no topic, because groups have none.
_OF_GROUPS: Final = (Motif.ART, Motif.CALM, Motif.LANES, Motif.STREET, Motif.TALK, Motif.TILES)


@dataclass(frozen=True, slots=True)
class Cover:
    """A generated picture. ``seed`` has 64 bits that decide everything but the motif."""

    motif: Motif
    seed: int

    @property
    def tone(self) -> int:
        """The tone of ``tokens.css`` that goes with the colours: 0 to 8."""
        suited = _TONES[self.motif]
        return suited[self.seed % len(suited)]

    @property
    def name(self) -> str:
        """The text that ``parse_cover_name`` parses: ``music-03f1…``."""
        return f"{self.motif.value}-{self.seed:016x}"

    @property
    def path(self) -> str:
        """The picture's path on the site."""
        return f"/covers/{self.name}.svg"

    @property
    def png_path(self) -> str:
        """Path of the same picture as PNG, for e-mails."""
        return f"/covers/{self.name}.png"

    @property
    def strip_path(self) -> str:
        """Path of the same picture for wide and low spaces."""
        return f"/covers/{self.name}/strip.svg"


def parse_cover_name(name: str) -> Cover | None:
    """Parse the name in a URL into its cover. None for any other text."""
    match = _NAME.fullmatch(name)
    if match is None or match[1] not in set(Motif):
        return None
    return Cover(Motif(match[1]), int(match[2], 16))


def cover_of(title: str, categories: Sequence[Category], shuffle: int = 0) -> Cover:
    """The cover of an event with this title. The first category decides the motif. Other values of ``shuffle`` give
    other pictures.
    """
    motif = _OF_CATEGORY[categories[0]] if categories else Motif.ART
    return Cover(motif, _seed(title, f"{motif.value}|{shuffle}"))


def cover_of_group(name: str) -> Cover:
    """The cover of a group without a picture. Its name also decides the motif."""
    seed = _seed(name, "group")
    # Use the high bits, because the low ones choose the tone.
    return Cover(_OF_GROUPS[(seed >> 32) % len(_OF_GROUPS)], seed)


def cover_of_person(name: str) -> Cover:
    """The cover on the preview image of a host. It suggests no topic."""
    return Cover(Motif.ART, _seed(name, "person"))


def _seed(words: str, rest: str) -> int:
    folded = unicodedata.normalize("NFC", words.strip().lower())
    digest = hashlib.sha256(f"{folded}|{rest}".encode("utf-8", "replace")).digest()
    return int.from_bytes(digest[:_SEED_BYTES])


def cover_for(content: Content) -> Cover:
    """The generated cover of an event or a series."""
    return cover_of(content.cover_title or content.title, content.categories, content.cover_shuffle or 0)


def tone_for(content: Content) -> int:
    """The tone of everything that shows an event or a series: that of its uploaded picture if it has a clear colour,
    otherwise that of its generated cover.
    """
    picture = content.picture
    return cover_for(content).tone if picture is None or picture.tone is None else picture.tone


def tone_of_group(name: str, picture: Picture | None) -> int:
    """The tone of a group: that of its uploaded picture if it has a clear colour, otherwise that of its generated
    cover.
    """
    return cover_of_group(name).tone if picture is None or picture.tone is None else picture.tone
