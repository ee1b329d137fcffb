"""An answer that waits for its address to be confirmed."""

from dataclasses import dataclass
from typing import Final, NewType

from groundwork.clock import DAY, Instant
from openmeet.domain.attendance.model import Reply, Wishes
from openmeet.domain.events.model import EventId

GuestAnswerId = NewType("GuestAnswerId", str)

# A kind of mail as it is owed; its subject is the answer.
GUEST_MAIL: Final = "guest_answer"

# What the guest keeps of it once it is confirmed; its person is the guest, its subject the event.
GUEST_CONFIRMED_MAIL: Final = "guest_confirmed"

# Long enough to find the mail the next morning.
LINK_LIFE: Final = DAY

# To one address, whoever asks: more would be a nuisance to whose address it is.
LETTERS_PER_HOUR: Final = 5


@dataclass(frozen=True, slots=True)
class Saying:
    """What the guest wants to say to the event."""

    reply: Reply
    wishes: Wishes


@dataclass(frozen=True, slots=True)
class GuestAnswer:
    """One form that was sent. ``used_at``: when it was confirmed."""

    id: GuestAnswerId
    event_id: EventId
    email: str
    display_name: str
    saying: Saying
    expires_at: Instant
    used_at: Instant | None
