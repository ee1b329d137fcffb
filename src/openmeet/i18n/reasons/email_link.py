"""Messages of the reasons of ``openmeet.web.email_links.reasons``."""

from collections.abc import Mapping
from typing import Final

from openmeet.i18n.reasons.message import Message, mark

MESSAGES: Final[Mapping[str, Message]] = {
    "email_link.cut_off": mark("The link is incomplete. Open it from the e-mail again."),
    "email_link.no_ticket": mark("There is no ticket for this answer."),
    "email_link.too_old": mark(
        "The link is too old or incomplete. Open the one in the newest e-mail, or sign in and find the event under My events."
    ),
    "email_link.no_chat": mark("There is no chat here that you can read."),
    "email_link.no_such_event": mark("There is no such event any more."),
}
