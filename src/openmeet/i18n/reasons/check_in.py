"""Messages of the reasons of ``openmeet.domain.check_in.reasons``."""

from collections.abc import Mapping
from typing import Final

from openmeet.i18n.reasons.message import Message, mark

MESSAGES: Final[Mapping[str, Message]] = {
    "check_in.wrong_ticket": mark("This isn’t a ticket for this event."),
    "check_in.malformed_code": mark("A ticket’s code has twelve letters and digits, like 7KQM-4T2P-9XAB."),
    "check_in.no_ticket": mark("You have no ticket for such an event."),
    "check_in.ticket_needed": mark("Give a ticket’s code, or the id of an answer."),
}
