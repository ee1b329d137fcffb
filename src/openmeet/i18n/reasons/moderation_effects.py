"""Messages of the reasons of ``openmeet.domain.moderation_effects.reasons``."""

from collections.abc import Mapping
from typing import Final

from openmeet.i18n.reasons.message import Message, mark

MESSAGES: Final[Mapping[str, Message]] = {
    "moderation_effects.no_such_subject": mark("There is no such item."),
}
