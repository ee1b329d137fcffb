"""The time zone that the reader of the current page has chosen in their settings. Set once per request."""

from contextvars import ContextVar

_ZONE: ContextVar[str | None] = ContextVar("reader_zone", default=None)


def set_reader_zone(zone: str | None) -> None:
    """Set the zone of the current request's reader; None if they have not chosen one."""
    _ZONE.set(zone)


def reader_zone() -> str | None:
    """The zone of the reader; None if it is not known."""
    return _ZONE.get()
