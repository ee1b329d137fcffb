"""Messages of the reasons of ``openmeet.web.admin.reasons``."""

from collections.abc import Mapping
from typing import Final

from openmeet.i18n.reasons.message import Message, mark

MESSAGES: Final[Mapping[str, Message]] = {
    "admin.nothing_here": mark("There is nothing at this address."),
    "admin.operators_only": mark(
        "This is for the people who run this site, and for services with a credential that they made."
    ),
}
