"""An event as a value, for tests of rules without a database."""

from dataclasses import replace
from typing import Any

from groundwork.clock import Instant
from openmeet.domain.events.edits import blank_event
from openmeet.domain.events.model import Event
from openmeet.domain.users.model import UserId


def sample_event(**said: Any) -> Event:
    """An event with exactly these fields."""
    event = blank_event(Instant(0), "Nothing", UserId("nobody"))
    return replace(event, content=replace(event.content, **said))
