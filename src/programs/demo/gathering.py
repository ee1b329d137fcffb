"""The kinds of events in the demo town, each with several titles, and its venues. Their names are invented; the streets
are real.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple


class TownVenue(NamedTuple):
    """A venue. ``point``: latitude and longitude."""

    name: str
    street: str
    point: str


class EventTexts(NamedTuple):
    """A title and a description, in this language."""

    title: str
    text: str
    language: str


class EventTemplate(NamedTuple):
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

    def happenings(self) -> Iterator[EventTexts]:
        for language, texts in (("en", self.english), ("de", self.german)):
            yield from (EventTexts(title, text, language) for title, text in texts)


KITCHEN: Final = TownVenue("Kiezküche", "Weddingstraße 12", "52.5485, 13.3612")
CINEMA: Final = TownVenue("Kino Lichtblick", "Kottbusser Damm 22", "52.4917, 13.4229")
LIBRARY: Final = TownVenue("Bibliothek am Ufer", "Paul-Lincke-Ufer 30", "52.4943, 13.4260")
STUDIO: Final = TownVenue("Atelier Süd", "Sonnenallee 98", "52.4811, 13.4358")
AIRFIELD: Final = TownVenue("Südwiesen, Nordtor", "Tempelhofer Damm", "52.4751, 13.4018")
GYM: Final = TownVenue("Turnhalle Oderberg", "Oderberger Straße 57", "52.5402, 13.4066")
CAFE: Final = TownVenue("Café Morgenlicht", "Kastanienallee 85", "52.5388, 13.4092")
WORKSHOP: Final = TownVenue("Werkhof 47", "Skalitzer Straße 47", "52.4994, 13.4290")
HALL: Final = TownVenue("Gemeindesaal St. Anna", "Boxhagener Straße 40", "52.5117, 13.4590")
BOATHOUSE: Final = TownVenue("Bootshaus Spree", "Köpenicker Straße 187", "52.5032, 13.4411")
CELLAR: Final = TownVenue("Keller 9", "Karl-Marx-Straße 9", "52.4843, 13.4258")
GARDEN: Final = TownVenue("Garten am Gleisdreieck", "Möckernstraße 26", "52.4969, 13.3795")
STATION: Final = TownVenue("S-Bahnhof Friedrichshagen", "Schöneicher Straße 1", "52.4575, 13.6239")
SQUARE: Final = TownVenue("Brunnen Weddingstraße", "Weddingstraße", "52.5489, 13.3620")
MUSEUM: Final = TownVenue("Museum am Kanal", "Tempelhofer Ufer 4", "52.4980, 13.3835")
