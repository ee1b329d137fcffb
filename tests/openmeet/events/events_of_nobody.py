"""An event as a value, for rules that need no database."""

from groundwork.clock import Instant
from openmeet.domain.events.edits import blank_event
from openmeet.domain.events.model import Event
from openmeet.domain.users.model import UserId


def an_event() -> Event:
    """One that says nothing yet."""
    return blank_event(Instant(0), "Nothing", UserId("nobody"))
