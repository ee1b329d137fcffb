"""Messages of the reasons of ``openmeet.domain.guest_rsvps.reasons``."""

from collections.abc import Mapping
from typing import Final

from openmeet.i18n.reasons.message import Message, mark

MESSAGES: Final[Mapping[str, Message]] = {
    "guest_rsvp.no_such_event": mark("There is no such event."),
    "guest_rsvp.no_guests": mark("You need an account to answer this event."),
    "guest_rsvp.too_many_emails": mark(
        "Several e-mails went to this address already. Open the newest, or try again in an hour."
    ),
    "guest_rsvp.link_over": mark("This link no longer works. Answer again on the event’s page."),
}
