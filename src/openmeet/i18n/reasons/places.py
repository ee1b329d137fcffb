"""Messages of the reasons of ``openmeet.domain.places.reasons``."""

from collections.abc import Mapping
from typing import Final

from openmeet.i18n.reasons.message import Message, mark

MESSAGES: Final[Mapping[str, Message]] = {
    "place.not_ready": mark("The list of places is being prepared. Try again in a few seconds."),
    "place.unknown": mark(
        "No town has this name. Try a larger town nearby, or latitude and longitude like 52.52, 13.40."
    ),
    "place.several": mark("Several places have this name: %(choices)s."),
    "place.name_too_long": mark("A name has at most %(most)s characters."),
    "place.no_such_place": mark("There is no place with this number."),
}
