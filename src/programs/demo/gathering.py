"""A kind of event in the demo town, which takes place under several titles."""

from typing import NamedTuple


class TownVenue(NamedTuple):
    """A venue. ``point``: latitude and longitude."""

    name: str
    street: str
    point: str


class Gathering(NamedTuple):
    """A kind of event. ``venues``: empty if it is online. ``start``: HH:MM. ``length``: in minutes. ``scenes``:
    possible subjects of its picture. ``happenings``: titles and descriptions; a club uses the first. ``places``: the
    capacity, 0 for unlimited. ``weekday``: 0 is Monday, -1 any day.
    """

    topic: str
    venues: tuple[TownVenue, ...]
    start: str
    length: int
    scenes: tuple[str, ...]
    happenings: tuple[tuple[str, str], ...]
    places: int = 0
    weekday: int = -1
