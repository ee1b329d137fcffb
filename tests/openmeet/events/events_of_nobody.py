"""An event as a value, for rules that need no database."""

from dataclasses import replace
from typing import Any

from groundwork.clock import Instant
from openmeet.domain.events.edits import blank_event
from openmeet.domain.events.model import Event
from openmeet.domain.users.model import UserId


def an_event(**said: Any) -> Event:
    """One that says nothing but these fields of its content."""
    event = blank_event(Instant(0), "Nothing", UserId("nobody"))
    return replace(event, content=replace(event.content, **said))
