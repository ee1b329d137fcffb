"""A registered address, what it hears of, and one message to it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NewType

from groundwork.clock import DAY, Instant
from openmeet.domain.users.model import UserId

WebhookId = NewType("WebhookId", str)
DeliveryId = NewType("DeliveryId", str)

MAX_URL: Final = 2_000
MAX_WEBHOOKS: Final = 20
# Sixteen tries with growing pauses are about a day.
MAX_TRIES: Final = 16
# Since when nothing has arrived, until an address is switched off.
FAILS_FOR: Final = 3 * DAY
KEPT: Final = 30 * DAY

OFF_MAIL: Final = "webhook_off"


class Happening(StrEnum):
    """What an address can be told of. Each says that something is different now, and shows how it is."""

    EVENT = "event.changed"
    SERIES = "series.changed"
    ANSWER = "answer.changed"
    GROUP = "group.changed"
    MEMBERSHIP = "membership.changed"
    PING = "ping"


HAPPENING_WORDS: Final = {
    Happening.EVENT: "An event is made, changed, cancelled, brought back or deleted",
    Happening.SERIES: "A series is made, changed, paused, cancelled, brought back or deleted",
    Happening.ANSWER: "Somebody answers, or their answer changes",
    Happening.GROUP: "A group is made, changed or deleted",
    Happening.MEMBERSHIP: "Somebody joins a group, asks to, leaves, or has another role",
}


class DeliveryState(StrEnum):
    """``dropped``: there was nothing to say, or nothing that the owner may see."""

    WAITING = "waiting"
    SENDING = "sending"
    ARRIVED = "arrived"
    FAILED = "failed"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class Webhook:
    """``group_id``: of a group, else of its owner's own events, answers and memberships. ``off_why`` is empty while it is on."""

    id: WebhookId
    user_id: UserId
    group_id: str | None
    url: str
    kinds: frozenset[Happening]
    sealed_secret: bytes
    failing_since: Instant | None
    off_why: str
    revision: int
    created_at: Instant

    @property
    def is_on(self) -> bool:
        return not self.off_why


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message; ``status`` is what the address answered last."""

    id: DeliveryId
    webhook_id: WebhookId
    kind: Happening
    subject_id: str
    state: DeliveryState
    tries: int
    status: int | None
    why: str
    created_at: Instant
    settled_at: Instant | None
    revision: int
