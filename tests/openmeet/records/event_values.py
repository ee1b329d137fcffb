"""Records and rows of one event, for tests of the conversion between them."""

import dataclasses

from at_protocol.syntax.datetime import parse_datetime
from groundwork.clock import Instant
from openmeet.domain.events.model import EventStatus, NetworkEvent
from openmeet.domain.events.values import Mode, Venue
from openmeet.network.records.collections import EVENT
from openmeet.network.records.event_writer import Publishable

READ_AT = Instant(parse_datetime("2026-11-20T08:00:00Z"))
OWN_EVENT = Publishable(
    title="Chess in the park",
    description="Bring a board.",
    starts_at=Instant(parse_datetime("2026-12-01T17:00:00Z")),
    ends_at=Instant(parse_datetime("2026-12-01T19:00:00Z")),
    time_zone="Europe/Vienna",
    mode=Mode.IN_PERSON,
    status=EventStatus.SCHEDULED,
    venue=Venue(name="Park", street="Ring 1", locality="Wien", country="Austria", latitude="48.2", longitude="16.37"),
    online_url="",
    created_at=READ_AT,
    page_url="https://meet.example/events/chess",
    instance="https://meet.example",
    event_id="0195",
    version=3,
)


def event_record(**fields: object) -> dict[str, object]:
    return {"$type": EVENT, "name": "Tea", "createdAt": "2026-01-01T00:00:00Z", **fields}


def as_own_event(event: NetworkEvent) -> Publishable:
    """The row that a record was read into, in the form in which it would be written back."""
    return dataclasses.replace(
        OWN_EVENT,
        title=event.name,
        description=event.description,
        starts_at=event.starts_at,
        ends_at=event.ends_at,
        time_zone=event.time_zone,
        mode=event.mode,
        status=event.status,
        venue=event.venues[0] if event.venues else Venue(),
        online_url=event.online_url,
    )
