"""Messages of the reasons of ``openmeet.domain.saved_searches.reasons``."""

from collections.abc import Mapping
from typing import Final

from openmeet.i18n.reasons.message import Message, mark

MESSAGES: Final[Mapping[str, Message]] = {
    "saved_search.of_groups": mark("Your groups’ events already reach you. Search all events to save a search."),
    "saved_search.too_wide": mark("Search for words, a topic or a place. Nearly every event would match this."),
    "saved_search.too_many_searches": mark("You already have %(most)s saved searches. Remove one first."),
    "saved_search.no_such_search": mark("You have no such search."),
}
