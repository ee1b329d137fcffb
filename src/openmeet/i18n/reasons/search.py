"""Messages of the reasons of ``openmeet.domain.search.reasons``."""

from collections.abc import Mapping
from typing import Final

from openmeet.i18n.reasons.message import Message, mark

MESSAGES: Final[Mapping[str, Message]] = {
    "search.query_too_long": mark("At most %(most)s characters."),
    "search.last_day_before_first": mark("This day is before the first one."),
    "search.malformed_tag": mark("A tag has letters or digits."),
    "search.tag_too_long": mark("A tag has at most %(most)s characters."),
    "search.unknown_language": mark("Write the language like English, Deutsch or fr."),
    "search.distance_out_of_range": mark("A whole number of kilometres from 1 to %(most)s."),
    "search.malformed_point": mark("Write latitude and longitude in degrees, like 52.52, 13.40."),
    "search.unknown_groups": mark("Choose one of: mine."),
    "search.year_out_of_range": mark("The year must be between %(first_year)s and %(last_year)s."),
    "search.sign_in_for_groups": mark("Sign in to look in your groups."),
    "search.malformed_day": mark("Write the day like 2026-07-04."),
    "search.nothing_here": mark("There is nothing at this address."),
}
