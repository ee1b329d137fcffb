"""Messages of reasons that several packages give."""

from collections.abc import Mapping
from typing import Final

from openmeet.i18n.reasons.message import Message, mark

MESSAGES: Final[Mapping[str, Message]] = {
    "general.choose_from": mark("Choose from: %(choices)s."),
    "general.limit_out_of_range": mark("The limit is a whole number from 1 to %(most)s."),
    "general.invalid_cursor": mark("This cursor wasn’t made here; start again without one."),
    "general.choose_one": mark("Choose one of: %(choices)s."),
}
