"""Messages of the reasons of ``openmeet.web.site.reasons``."""

from collections.abc import Mapping
from typing import Final

from openmeet.i18n.reasons.message import Message, mark

MESSAGES: Final[Mapping[str, Message]] = {
    "site.authentication_required": mark("Sign in first."),
    "site.nothing_here": mark("There is nothing at this address."),
    "site.no_such_community": mark("There is no such community here."),
    "site.invalid_token": mark("This token is unknown or has expired. Open a new session."),
    "site.reads_no_files": mark("This site reads no files at the moment."),
    "site.accounts_joined": mark("Your accounts were joined a moment ago, so nothing was saved. Try again."),
    "site.too_many_streams": mark("Too many pages are open. Close some, or try again later."),
    "site.link_ended": mark("This link doesn’t work any more. Ask a host for the new one."),
    "site.form_too_large": mark(
        "There is too much in this form to keep it. Sign in in another tab, then send it from here again."
    ),
}
