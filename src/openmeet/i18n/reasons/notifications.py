"""Messages of the reasons of ``openmeet.domain.notifications.reasons``."""

from collections.abc import Mapping
from typing import Final

from openmeet.i18n.reasons.message import Message, mark

MESSAGES: Final[Mapping[str, Message]] = {
    "notification.no_such_person": mark("There is no such person."),
    "notification.zone_needed": mark("Choose a time zone from the list."),
    "notification.malformed_time": mark("Write a time like 22:00."),
    "notification.times_incomplete": mark("Fill in both times, or neither."),
    "notification.hour_needed": mark("Choose an hour from the list."),
    "notification.list_outdated": mark("Open the list again, then mark it as read."),
}
