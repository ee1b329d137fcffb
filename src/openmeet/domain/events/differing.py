"""In which fields one version of an event differs from another: what a date of a series has of its own. Pure."""

from dataclasses import fields
from typing import Final

from groundwork.clock import DAY
from openmeet.domain.events.model import Details, Event

# When a date begins, and how long it takes: both follow from several fields of ``Details``.
STARTS, ENDS = "starts", "ends"
_TIMES: Final = frozenset({"starts_local", "time_zone", "starts_at", "ends_at", "is_all_day"})

# What a series repeats beside the times.
REPEATED: Final = tuple(field.name for field in fields(Details) if field.name not in _TIMES)


def details_in(event: Event) -> Details:
    """What a stored event says now. For events with a start only."""
    assert event.starts_at is not None  # noqa: S101  # a rule or a host gave it one
    return Details(
        starts_local=event.starts_local,
        time_zone=event.time_zone,
        starts_at=event.starts_at,
        ends_at=event.ends_at,
        is_all_day=event.is_all_day,
        visibility=event.own_visibility,
        **{name: getattr(event, name) for name in REPEATED if name != "visibility"},
    )


def differing(details: Details, usual: Details) -> tuple[str, ...]:
    """Names of the fields in which ``details`` differ; sorted. A date moved as a whole differs in ``starts`` only."""
    found = {name for name in REPEATED if getattr(details, name) != getattr(usual, name)}
    if details.starts_at != usual.starts_at:
        found.add(STARTS)
    if length_of(details) != length_of(usual):
        found.add(ENDS)
    return tuple(sorted(found))


def length_of(details: Details) -> int | None:
    """Microseconds from start to end; None without an end. Whole days are counted, however long the clocks make them."""
    if details.ends_at is None:
        return None
    length = details.ends_at - details.starts_at
    return round(length / DAY) * DAY if details.is_all_day else length
