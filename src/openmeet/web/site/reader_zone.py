"""Time zones next to times. They are hidden from readers whose clock shows the same time.

The server knows the zone of the reader's profile. ``improve.js`` knows the zone of their browser, which is where they
are now, and decides again.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from markupsafe import Markup

from groundwork.clock import DAY, Instant
from openmeet.domain.events import time_and_place
from openmeet.domain.events.model import Details, Event
from openmeet.i18n import formatting
from openmeet.recurrence.wall_time import local_of


@dataclass(frozen=True, slots=True)
class ShownZone:
    """``label`` is like ``Berlin time``. ``attributes`` belong on the element that contains it. ``is_hidden``: the
    reader is known to have the same time.
    """

    label: str
    attributes: Markup = Markup()  # noqa: RUF009 - immutable
    is_hidden: bool = False


def reader_zone_or(zone: str) -> str:
    """The zone that the reader has chosen, or this one. For times at which something was done, not for times of events."""
    return formatting.reader_zone() or zone


def shown_zone(zone: str, label: str, instants: Iterable[Instant]) -> ShownZone:
    """A zone for times at these instants. It is hidden if the reader's zone has the same offset at all of them."""
    moments = tuple(instants)
    own = formatting.reader_zone()
    is_same = own is not None and all(
        local_of(one, zone).utcoffset() == local_of(one, own).utcoffset() for one in moments
    )
    attributes = Markup('data-zone="{}" data-at="{}"').format(zone, " ".join(map(formatting.iso, moments)))
    return ShownZone(label, attributes + Markup(" hidden") * is_same, is_same)


def zone_of(event: Event | Details) -> ShownZone | None:
    """The zone to show after the time of an event; None if it has no time of day."""
    label = time_and_place.zone_label(event)
    zone = time_and_place.zone_shown(event)
    return shown_zone(zone, label, [event.starts_at]) if label and event.starts_at is not None else None


def zone_of_dates(zone: str, now: Instant) -> ShownZone:
    """The zone to show for the dates of a series, which may be in summer and in winter."""
    return shown_zone(zone, formatting.zone_of_series(zone), [now, Instant(now + 182 * DAY)])
