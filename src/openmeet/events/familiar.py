"""Whose events are shown where nobody asked for anything: THE rule of what of the network stands by itself (design, section 5.12).

A search shows everything that is public. The front page, its feed, the sitemap and news show what was made here, and of the network what is
by people who signed in here or whom a group follows, unless the site chose to show everything, or nothing, of the network. What must
wait, or is hidden, is in neither: that stands before both.
"""

from enum import StrEnum
from typing import Final

from starlette.requests import HTTPConnection


class Shown(StrEnum):
    """What of the network stands by itself: a choice of the site (setting ``network_shown``)."""

    NOTHING = "nothing"
    FAMILIAR = "familiar"
    EVERYTHING = "everything"


# The DIDs whose events stand by themselves.
FAMILIAR_DIDS: Final = (
    "select i.did from identities i join users u on u.id = i.user_id where u.kind = 'person'"
    " union select f.did from group_follows f"
)


def shown_of(connection: HTTPConnection) -> Shown:
    """What the site chose."""
    return Shown(connection.app.state.settings.network_shown)


def stands_by_itself(table: str, shown: Shown) -> str:
    """The condition for single events, and for lists that are short anyway."""
    match shown:
        case Shown.NOTHING:
            return f"{table}.origin = 'here'"
        case Shown.FAMILIAR:
            return is_familiar(table)
        case Shown.EVERYTHING:
            return "1 = 1"


def is_familiar(table: str) -> str:
    """The condition for what was made here, or is by somebody who is known here."""
    return (
        f"({table}.origin = 'here'"
        f" or exists (select 1 from users fu where fu.id = {table}.author_id and fu.kind = 'person')"
        f" or exists (select 1 from group_follows ff where ff.did = {table}.record_did))"
    )
