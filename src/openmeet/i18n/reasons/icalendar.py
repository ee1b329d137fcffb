"""Messages of the reasons of ``openmeet.domain.icalendar.reasons``."""

from collections.abc import Mapping
from typing import Final

from openmeet.i18n.reasons.message import Message, mark

MESSAGES: Final[Mapping[str, Message]] = {
    "icalendar.file_too_large": mark("A calendar file can have %(most)s MB. This one has %(length)s."),
    "icalendar.not_a_calendar": mark("This is not a calendar file: BEGIN:VCALENDAR is missing."),
    "icalendar.too_many_lines": mark("A calendar file can have at most %(most)s lines. Send it in parts."),
    "icalendar.too_many_components": mark("A calendar file can have at most %(most)s components."),
    "icalendar.nested_too_deeply": mark("The components of this file are nested too deeply."),
}
