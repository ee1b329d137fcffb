"""The place of an event in words: in one line, or in lines for its page. Pure."""

from openmeet.domain.events.model import Event
from openmeet.domain.events.values import Mode, Venue
from openmeet.i18n.catalogue import gettext, lazy

ON_THE_MAP = lazy("A point on the map")
ANNOUNCED_LATER = lazy("Place to be announced")


def place_words(event: Event) -> str:
    """The place in one line."""
    place = event.place
    spot = ", ".join(part for part in (place.name, place.locality) if part)
    if not spot and place.lines and not place.is_country_alone:
        spot = place.lines[0]
    elif not spot and place.latitude:
        spot = str(ON_THE_MAP)
    match event.content.mode:
        case Mode.ONLINE:
            return gettext("Online")
        case Mode.HYBRID:
            return gettext("%(place)s and online", place=spot) if spot else gettext("In person and online")
        case Mode.IN_PERSON:
            return spot or str(ANNOUNCED_LATER)


def place_lines(mode: Mode, place: Venue, *, hides_place: bool) -> list[str]:
    """The place, as far as ``place`` has it. ``hides_place``: others know more."""
    if mode is Mode.ONLINE:
        return [gettext("Online")]
    lines = list(place.lines)
    if not lines or place.is_country_alone:
        known = ON_THE_MAP if place.latitude else ANNOUNCED_LATER
        lines.insert(0, gettext("A place that is shown to people who are going") if hides_place else str(known))
    return [*lines, gettext("and online")] if mode is Mode.HYBRID else lines
