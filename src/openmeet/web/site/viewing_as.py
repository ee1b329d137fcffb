"""View a page as somebody else: a host can see it as an attendee or as an anonymous visitor does.

The request continues as that person. So all checks and templates treat the host as that person, and nothing has to be
hidden afterwards. The layout shows a notice, and no form on the page can be sent.
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
    """The role to view a page as. An attendee is going to the event; a stranger is not signed in."""

    ATTENDEE = "guest"
    STRANGER = "stranger"


@dataclass(frozen=True, slots=True)
class ViewingAs:
    """The notice in the layout. ``back`` is the page as its host sees it. ``has_attendee_view``: the page can also be
    viewed as an attendee.

    ``person`` is the host, whose stored pages the browser keeps.
    """

    who: OtherViewer
    back: str
    has_attendee_view: bool
    person: UserId


def requested_role(connection: HTTPConnection) -> OtherViewer | None:
    """The role that a signed-in user requests. The page itself checks whether they host it."""
    role_name = connection.query_params.get(PARAMETER, "")
    return OtherViewer(role_name) if role_name in set(OtherViewer) and caller_or_none(connection) is not None else None


def become_stranger(connection: HTTPConnection, back: str, *, has_attendee_view: bool = False) -> None:
    """Continue without a user. ``has_attendee_view``: the page can also be viewed as an attendee."""
    host = caller_of(connection).user_id
    set_caller(connection, None)
    set_viewer(connection, None)
    connection.scope["openmeet.viewing_as"] = ViewingAs(OtherViewer.STRANGER, back, has_attendee_view, host)


def become_attendee(connection: HTTPConnection, attendee: Caller, back: str) -> None:
    """Continue as this attendee, who is not stored anywhere."""
    host = caller_of(connection).user_id
    set_caller(connection, attendee)
    set_viewer(connection, Viewer(attendee.display_name, 0))
    connection.scope["openmeet.viewing_as"] = ViewingAs(OtherViewer.ATTENDEE, back, has_attendee_view=True, person=host)
