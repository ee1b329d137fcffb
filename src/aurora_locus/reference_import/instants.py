"""Times as the reference writes them, as instants."""

from at_protocol.syntax.datetime import parse_datetime
from groundwork.clock import Instant


def instant(text: str) -> Instant:
    """An ISO 8601 text. Raises Malformed."""
    return Instant(parse_datetime(text))


def maybe_instant(text: str | None) -> Instant | None:
    """The same; nothing stays nothing."""
    return None if text is None else instant(text)
