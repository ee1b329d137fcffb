"""Values that make up an event's content, and their limits."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from groundwork.clock import DAY
from openmeet.domain.events.vocabulary import AccessFeature
from openmeet.i18n.countries import known_code, name_of

MAX_TITLE = 200
MAX_DESCRIPTION = 20_000
MAX_PLACE_PART = 200
MAX_URL = 2_000
MAX_CAPACITY = 1_000_000
MAX_SHUFFLE = 1_000
MAX_PRICE = 120
MAX_ACCESS_NOTE = 2_000
MAX_ENTRY_INSTRUCTIONS = 2_000
MAX_LANGUAGES = 8
MAX_CATEGORIES = 3
# Limit for how early the join link can be shown. More than a week before the start is practically the same as "at
# once".
MAX_MINUTES_BEFORE = 7 * 24 * 60


class Mode(StrEnum):
    """The attendance mode. The tokens in records are ``inperson``, ``virtual`` and ``hybrid``."""

    IN_PERSON = "in_person"
    ONLINE = "online"
    HYBRID = "hybrid"


class Visibility(StrEnum):
    """Who may see the event. Unlisted: anyone who has the link. Private: the host and invited people; in a group, its
    members.
    """

    PUBLIC = "public"
    UNLISTED = "unlisted"
    PRIVATE = "private"


class Audience(StrEnum):
    """Who may see the join link, the exact address or the entry instructions. Each has its own audience."""

    ATTENDEES = "attendees"
    EVERYONE = "everyone"


class RemovalDelay(StrEnum):
    """How long after its end an event is deleted. Its host chooses this; of a series, each date counts on its own."""

    NEVER = "never"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"

    @property
    def length(self) -> int | None:
        """Microseconds; None if the event stays. A month has 30 days."""
        return _REMOVAL_DELAYS.get(self)


_REMOVAL_DELAYS: Final = {RemovalDelay.DAY: DAY, RemovalDelay.WEEK: 7 * DAY, RemovalDelay.MONTH: 30 * DAY}


# English and German prices that say exactly this.
_FREE: Final = frozenset(
    {
        "free",
        "free of charge",
        "free entry",
        "free admission",
        "for free",
        "no charge",
        "kostenlos",
        "kostenfrei",
        "gratis",
        "frei",
        "umsonst",
        "eintritt frei",
        "freier eintritt",
        *(f"{zero}{unit}" for zero in ("0", "0,00", "0.00") for unit in ("", "€", " €", " eur", " euro")),
        *(f"{sign}{zero}" for sign in "€$£" for zero in ("0", "0.00")),
    }
)


@dataclass(frozen=True, slots=True)
class Tickets:
    """Where to get tickets, and their price in the host's words. This program does not sell tickets."""

    url: str = ""
    price: str = ""

    @property
    def is_free(self) -> bool:
        """Whether the host wrote that the event costs nothing, and nothing else. False without a price."""
        return " ".join(self.price.casefold().split()).strip(" .!") in _FREE


@dataclass(frozen=True, slots=True)
class Accessibility:
    """Accessibility features, in the order of the vocabulary, and the host's notes."""

    features: tuple[AccessFeature, ...] = ()
    note: str = ""


NO_TICKETS = Tickets()
NO_ACCESSIBILITY = Accessibility()


@dataclass(frozen=True, slots=True)
class Venue:
    """A place that people can go to. Coordinates are decimal degrees as text, because the data model has no floats."""

    name: str = ""
    street: str = ""
    locality: str = ""
    region: str = ""
    country: str = ""
    postal_code: str = ""
    latitude: str = ""
    longitude: str = ""

    @property
    def is_empty(self) -> bool:
        return self == NOWHERE

    @property
    def area(self) -> "Venue":
        """The public part of a place whose exact address is private."""
        return Venue(locality=self.locality, region=self.region, country=self.country)

    @property
    def is_country_alone(self) -> bool:
        """Whether only the country is known. Forms prefill the country with that of the person's last event, so the
        country is often given without a place.
        """
        return bool(self.country) and self == Venue(country=self.country)

    @property
    def lines(self) -> tuple[str, ...]:
        """Lines of a postal address, the name first, without empty lines."""
        town = " ".join(part for part in (self.postal_code, self.locality) if part)
        last = ", ".join(part for part in (self.region, name_of(self.country)) if part)
        return tuple(line for line in (self.name, self.street, town, last) if line)

    @property
    def line_and_country(self) -> tuple[str, str]:
        """The place in one line without its country, and the country: its code, if known, which is the same in every
        language. ``in_one_line`` joins them.
        """
        return ", ".join(replace(self, country="").lines), known_code(self.country) or self.country


def in_one_line(line: str, country: str) -> str:
    """The place of ``Venue.line_and_country``, in the current language."""
    return ", ".join(part for part in (line, name_of(country)) if part)


NOWHERE = Venue()


@dataclass(frozen=True, slots=True)
class EventLink:
    """A link shown on the event's page. Only https, http and at URLs."""

    uri: str
    name: str = ""


def public_place(venue: Venue, audience: Audience) -> Venue:
    """The public part of a place."""
    return venue if audience is Audience.EVERYONE else venue.area
