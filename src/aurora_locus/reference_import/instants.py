"""Parse timestamps of the reference PDS."""

from at_protocol.syntax.datetime import parse_datetime
from groundwork.clock import Instant


def instant(text: str) -> Instant:
    """Parse an ISO 8601 text. Raises Malformed."""
    return Instant(parse_datetime(text))


def maybe_instant(text: str | None) -> Instant | None:
    """Parse an ISO 8601 text as ``instant`` does; None stays None."""
    return None if text is None else instant(text)
