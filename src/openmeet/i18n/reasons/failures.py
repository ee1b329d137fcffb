"""Messages of the reasons of ``groundwork.errors``: failures whose kind is all that is stored."""

from collections.abc import Mapping
from typing import Final

from openmeet.i18n.reasons.message import Message, mark

MESSAGES: Final[Mapping[str, Message]] = {
    "failure.invalid_input": mark("What was sent cannot be read."),
    "failure.not_signed_in": mark("A new sign-in is needed."),
    "failure.forbidden": mark("It is not allowed."),
    "failure.not_found": mark("It does not exist."),
    "failure.conflict": mark("It was changed at the same time."),
    "failure.refused": mark("It was refused."),
    "failure.too_large": mark("It is too large."),
    "failure.too_many": mark("The server takes no more requests at the moment."),
    "failure.remote_failed": mark("The other server failed."),
    "failure.remote_slow": mark("The other server did not answer in time."),
    "failure.not_asked": mark("The other server keeps failing, so it is not called for a while."),
    "failure.unavailable": mark("A service we need isn’t responding."),
    "failure.server_said": mark("%(host)s says: %(words)s"),
    "failure.answered_with_status": mark("%(host)s answered with status %(status)s."),
    "failure.answer_too_long": mark("%(host)s sent more than %(most)s bytes."),
    "failure.no_answer_in_time": mark("%(host)s did not answer in time."),
    "failure.not_public": mark("%(host)s does not lead to a public address."),
    "failure.connection_broken": mark("%(host)s broke the connection."),
    "failure.unreachable": mark("%(host)s cannot be reached."),
    "failure.unforeseen": mark("An unexpected error: %(error)s."),
}
