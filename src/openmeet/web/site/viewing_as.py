"""View a page as somebody else: a host can see it as an attendee or as an anonymous visitor does.

The request continues as that person. So all checks and templates treat the host as that person, and nothing has to be
hidden afterwards. The layout shows a notice, and no form on the page can be sent.
"""

from typing import Final

from starlette.requests import HTTPConnection

from openmeet.domain.users.model import Caller
from openmeet.web.site.caller import caller_of, caller_or_none, set_caller
from openmeet.web.site.viewer import OtherViewer, Viewer, ViewingAs, set_viewer, set_viewing_as

PARAMETER: Final = "as"


def requested_role(connection: HTTPConnection) -> OtherViewer | None:
    """The role that a signed-in user requests. The page itself checks whether they host it."""
    role_name = connection.query_params.get(PARAMETER, "")
    return OtherViewer(role_name) if role_name in set(OtherViewer) and caller_or_none(connection) is not None else None


def become_stranger(connection: HTTPConnection, back: str, *, has_attendee_view: bool = False) -> None:
    """Continue without a user. ``has_attendee_view``: the page can also be viewed as an attendee."""
    host = caller_of(connection).user_id
    set_caller(connection, None)
    set_viewer(connection, None)
    set_viewing_as(connection, ViewingAs(OtherViewer.STRANGER, back, has_attendee_view, host))


def become_attendee(connection: HTTPConnection, attendee: Caller, back: str) -> None:
    """Continue as this attendee, who is not stored anywhere."""
    host = caller_of(connection).user_id
    set_caller(connection, attendee)
    set_viewer(connection, Viewer(attendee.display_name, 0))
    set_viewing_as(connection, ViewingAs(OtherViewer.ATTENDEE, back, has_attendee_view=True, person=host))
