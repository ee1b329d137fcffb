"""Messages of the reasons of ``openmeet.domain.host_messages.reasons``."""

from collections.abc import Mapping
from typing import Final

from openmeet.i18n.reasons.message import Message, mark

MESSAGES: Final[Mapping[str, Message]] = {
    "host_message.text_needed": mark("Write something."),
    "host_message.moment_over": mark("This time is in the past. Send it now, or choose a later one."),
    "host_message.not_published": mark("Nobody has seen this event yet."),
    "host_message.too_many_messages": mark("An event sends at most %(most)s messages a day."),
    "host_message.nobody_to_reach": mark("Nobody would get this message."),
    "host_message.no_such_message": mark("This event has no such message."),
    "host_message.already_sent": mark("It was sent already."),
    "host_message.no_such_event": mark("There is no such event."),
    "host_message.text_too_long": mark("At most %(most)s characters. This has %(length)s."),
    "host_message.audience_needed": mark("Choose who gets it."),
    "host_message.moment_too_far": mark("Choose a time within a year."),
    "host_message.malformed_instant": mark("Write an instant like 2027-03-02T17:00:00Z."),
    "host_message.already_written": mark(
        "This form has already sent a message, shown below. Send it again to send a second one."
    ),
}
