"""Messages of the reasons of ``openmeet.domain.safety.reasons``."""

from collections.abc import Mapping
from typing import Final

from openmeet.i18n.reasons.message import Message, mark

MESSAGES: Final[Mapping[str, Message]] = {
    "safety.own_content": mark("This is yours: change it or remove it."),
    "safety.cannot_block_oneself": mark("You can’t block yourself."),
    "safety.no_such_person": mark("There is no such person."),
    "safety.not_blocked": mark("You haven’t blocked or muted this person."),
    "safety.cannot_mute_oneself": mark("You can’t mute yourself."),
    "safety.no_such_person_or_group": mark("There is no such person or group."),
    "safety.not_muted": mark("You haven’t muted this."),
    "safety.no_such_page": mark("There is no such page."),
    "safety.no_such_event": mark("There is no such event."),
    "safety.nothing_here": mark("There is nothing at this address."),
}
