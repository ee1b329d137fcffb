"""Something that happens in the demo town, under several titles."""

from typing import NamedTuple


class TownVenue(NamedTuple):
    """A venue. ``point``: latitude and longitude."""

    name: str
    street: str
    point: str


class Gathering(NamedTuple):
    """``venues``: none for online. ``start``: HH:MM; ``length``: minutes. ``scenes``: what its pictures show.
    ``happenings``: titles with their descriptions; the first is what a club does. ``places``: of a limit, 0 for none.
    ``weekday``: 0 is Monday, -1 any day.
    """

    topic: str
    venues: tuple[TownVenue, ...]
    start: str
    length: int
    scenes: tuple[str, ...]
    happenings: tuple[tuple[str, str], ...]
    places: int = 0
    weekday: int = -1
