"""Who sees a page, as its layout needs it: the viewer, and the role in which a host views their own page."""

from dataclasses import dataclass
from enum import StrEnum

from starlette.requests import HTTPConnection

from openmeet.domain.users.model import UserId
from openmeet.web.site.faces import Avatar, initial_of


@dataclass(frozen=True, slots=True)
class Viewer:
    """The viewer, as the layout needs it.

    ``tone`` is their colour, see ``groundwork.ui.tones``. ``is_at_servers``: they can also sign out at the PDS of their
    accounts. ``person`` is their id. The browser uses it to know whose pages it has stored. ``picture`` is the key of
    their portrait. ``chat_unread`` is the number of unread messages in all chats. ``is_mentioned``: at least one of
    these mentions the viewer.
    """

    name: str
    tone: int
    unread: int = 0
    chat_unread: int = 0
    is_mentioned: bool = False
    moderates: bool = False
    operates: bool = False
    is_at_servers: bool = False
    person: str = ""
    picture: str = ""

    @property
    def face(self) -> Avatar:
        return Avatar(initial_of(self.name), self.tone, self.picture)


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


def set_viewer(connection: HTTPConnection, viewer: Viewer | None) -> None:
    """Set the viewer. Called once per request by ``site.session``."""
    connection.scope["openmeet.viewer"] = viewer


def viewer_of(connection: HTTPConnection) -> Viewer | None:
    """The viewer, or None if nobody is signed in."""
    viewer: Viewer | None = connection.scope.get("openmeet.viewer")
    return viewer


def viewer_moderates(connection: HTTPConnection) -> bool:
    """Whether the viewer is a moderator of the community."""
    viewer = viewer_of(connection)
    return viewer is not None and viewer.moderates


def set_viewing_as(connection: HTTPConnection, viewing_as: ViewingAs) -> None:
    """Note that the rest of the request is answered for somebody else. Called by ``site.viewing_as``."""
    connection.scope["openmeet.viewing_as"] = viewing_as


def viewing_as_of(connection: HTTPConnection) -> ViewingAs | None:
    """As whom a host views the page; None if it is shown as it is."""
    viewing_as: ViewingAs | None = connection.scope.get("openmeet.viewing_as")
    return viewing_as
