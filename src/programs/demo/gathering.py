"""A kind of event in the demo town, which takes place under several titles."""

from collections.abc import Iterator
from typing import NamedTuple


class TownVenue(NamedTuple):
    """A venue. ``point``: latitude and longitude."""

    name: str
    street: str
    point: str


class Happening(NamedTuple):
    """A title and a description, in this language."""

    title: str
    text: str
    language: str


class Gathering(NamedTuple):
    """A kind of event. ``venues``: empty if it is online. ``start``: HH:MM. ``length``: in minutes. ``scenes``:
    possible subjects of its picture. ``english``, ``german``: titles and descriptions. ``places``: the capacity, 0 for
    unlimited. ``weekday``: 0 is Monday, -1 any day.
    """

    topic: str
    venues: tuple[TownVenue, ...]
    start: str
    length: int
    scenes: tuple[str, ...]
    english: tuple[tuple[str, str], ...]
    german: tuple[tuple[str, str], ...]
    places: int = 0
    weekday: int = -1

    def happenings(self) -> Iterator[Happening]:
        for language, texts in (("en", self.english), ("de", self.german)):
            yield from (Happening(title, text, language) for title, text in texts)
