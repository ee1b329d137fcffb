"""Messages of the reasons of ``openmeet.domain.profiles.reasons``."""

from collections.abc import Mapping
from typing import Final

from openmeet.i18n.reasons.message import Message, mark

MESSAGES: Final[Mapping[str, Message]] = {
    "profile.no_such_person": mark("There is no such person."),
    "profile.cannot_follow_oneself": mark("You can’t follow yourself."),
    "profile.follows_too_many": mark("You follow %(most)s people already."),
    "profile.not_followed": mark("You don’t follow this person."),
    "profile.cannot_follow": mark("You can’t follow this person."),
}
