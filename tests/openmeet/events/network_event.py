"""An event that another app has published, as a value."""

from groundwork.clock import Instant
from openmeet.domain.events.model import EventStatus, NetworkEvent
from openmeet.domain.events.values import Mode, Venue

PARTY_URI = "at://did:plc:4hodhjl2kposuchzvpiviwps/community.lexicon.calendar.event/3mqdau33ozs2n"
PARTY_FROM_NETWORK = NetworkEvent(
    name="Party",
    description="Bring cake",
    starts_at=Instant(1_783_180_800_000_000),
    ends_at=None,
    starts_text="2026-07-04T10:00:00-06:00",
    ends_text="",
    time_zone="-06:00",
    mode=Mode.IN_PERSON,
    status=EventStatus.SCHEDULED,
    venues=(Venue(name="Barn", locality="Ames", country="US", latitude="42.03", longitude="-93.6"),),
    online_url="",
    links=(),
    is_discoverable=True,
    created_at=Instant(1_770_000_000_000_000),
)
