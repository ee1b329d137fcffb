"""Messages of the reasons of ``openmeet.web.atproto.reasons``."""

from collections.abc import Mapping
from typing import Final

from openmeet.i18n.reasons.message import Message, mark

MESSAGES: Final[Mapping[str, Message]] = {
    "atproto.unknown_source": mark("The only kind of source is bluesky."),
    "atproto.not_connected": mark("The synchronisation isn’t connected here."),
    "atproto.account_needed": mark("Connect an AT Protocol account first. This page shows the records on its server."),
    "atproto.not_your_account": mark("This account isn’t yours here."),
    "atproto.no_such_picture": mark("There is no such picture."),
    "atproto.not_a_date": mark("This event isn’t a date of one of your series."),
    "atproto.no_such_event": mark("There is no such event."),
    "atproto.level_needed": mark("Choose what other apps get."),
    "atproto.dates_needed": mark("Choose which dates are published."),
    "atproto.cannot_change_record": mark("%(problem)s You can delete it, or change it with the app that wrote it."),
    "atproto.nothing_written": mark("%(problem)s Nothing was saved. What you typed is still below."),
    "atproto.answer_not_written": mark("%(problem)s Nothing was saved. What you chose is still below."),
    "atproto.vouching_needs_scope": mark("This credential can’t vouch for signatures: it lacks the scope %(scope)s."),
    "atproto.changed_elsewhere": mark("It has changed elsewhere. Look at it again before you change it."),
    "atproto.sent_before": mark(
        "You’ve already created a different event with this form. Change that one in your list, or save again to create another."
    ),
}
