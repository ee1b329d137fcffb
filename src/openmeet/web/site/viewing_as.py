"""A page as its host asks to see it: as a guest or as a stranger would.

The request goes on as that person's, so every check and every template is theirs; nothing is hidden afterwards. The layout
says so, and nothing can be sent from the page.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from starlette.requests import HTTPConnection

from openmeet.domain.users.model import Caller, UserId
from openmeet.web.site.caller import caller_of, caller_or_none, set_caller
from openmeet.web.site.layout import Viewer, set_viewer

PARAMETER: Final = "as"


class OtherViewer(StrEnum):
    """Somebody else: a guest is going, a stranger is not signed in."""

    GUEST = "guest"
    STRANGER = "stranger"


@dataclass(frozen=True, slots=True)
class ViewingAs:
    """What the layout says. ``back``: the page as it is for its host. ``has_guests``: there is a guest's view, too.

    ``person``: the host, whose saved pages the browser keeps.
    """

    who: OtherViewer
    back: str
    has_guests: bool
    person: UserId


def asked(connection: HTTPConnection) -> OtherViewer | None:
    """Whose view somebody who is signed in asks for. Whether they host the page is for it to find out."""
    wanted = connection.query_params.get(PARAMETER, "")
    return OtherViewer(wanted) if wanted in set(OtherViewer) and caller_or_none(connection) is not None else None


def become_stranger(connection: HTTPConnection, back: str, *, has_guests: bool = False) -> None:
    """Go on as nobody. ``has_guests``: the page has a guest's view, too."""
    host = caller_of(connection).user_id
    set_caller(connection, None)
    set_viewer(connection, None)
    connection.scope["openmeet.viewing_as"] = ViewingAs(OtherViewer.STRANGER, back, has_guests, host)


def become_guest(connection: HTTPConnection, guest: Caller, back: str) -> None:
    """Go on as this guest, of whom nothing is stored."""
    host = caller_of(connection).user_id
    set_caller(connection, guest)
    set_viewer(connection, Viewer(guest.display_name, 0))
    connection.scope["openmeet.viewing_as"] = ViewingAs(OtherViewer.GUEST, back, has_guests=True, person=host)
