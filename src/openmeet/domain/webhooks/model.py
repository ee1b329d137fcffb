"""Webhooks: a registered URL, its events, deliveries, and their signature. Pure."""

import base64
import hashlib
import hmac
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NewType

from groundwork.clock import DAY, HOUR, Instant
from groundwork.errors import Explanation, InvalidForm, Reason
from groundwork.http.reach import WEB, AddressRefused, AllowedTargets, check_target
from openmeet.domain.users.model import UserId
from openmeet.i18n.catalogue import lazy


class WebhookReason(Reason):
    """Why an action on a webhook is refused, or a delivery failed. The messages are in ``i18n/reasons/site.py``."""

    TOO_MANY_WEBHOOKS = "webhook.too_many_webhooks"
    NO_SUCH_WEBHOOK = "webhook.no_such_webhook"
    OFF = "webhook.off"
    STILL_WAITING = "webhook.still_waiting"
    NO_SUCH_DELIVERY = "webhook.no_such_delivery"
    URL_NEEDED = "webhook.url_needed"
    URL_TOO_LONG = "webhook.url_too_long"
    MALFORMED_URL = "webhook.malformed_url"
    KINDS_NEEDED = "webhook.kinds_needed"
    CALLS_NO_ADDRESSES = "webhook.calls_no_addresses"
    KIND_NEEDED = "webhook.kind_needed"
    SWITCHED_OFF_BY_OWNER = "webhook.switched_off_by_owner"
    DROPPED_WHILE_OFF = "webhook.dropped_while_off"
    NOTHING_TO_SEE = "webhook.nothing_to_see"
    ANSWERED_WITH_STATUS = "webhook.answered_with_status"
    UNKNOWN_BUTTON = "webhook.unknown_button"


WebhookId = NewType("WebhookId", str)
DeliveryId = NewType("DeliveryId", str)

MAX_URL: Final = 2_000
MAX_WEBHOOKS: Final = 20
# Sixteen tries with growing pauses take about a day.
MAX_TRIES: Final = 16
# How long deliveries must fail before a webhook is turned off.
FAILS_FOR: Final = 3 * DAY
# How long a delivery is tried again before its failure turns a webhook off.
TRIED_FOR: Final = HOUR
KEPT: Final = 30 * DAY

OFF_MAIL: Final = "webhook_off"


class WebhookEvent(StrEnum):
    """Events that a webhook can subscribe to. Each means that something changed, and shows its current state."""

    EVENT = "event.changed"
    SERIES = "series.changed"
    ANSWER = "answer.changed"
    GROUP = "group.changed"
    MEMBERSHIP = "membership.changed"
    CHAT_MESSAGE = "chat.message"
    PING = "ping"


WEBHOOK_EVENT_LABELS: Final = {
    WebhookEvent.EVENT: lazy("An event is created, changed, cancelled, brought back or deleted"),
    WebhookEvent.SERIES: lazy("A series is created, changed, paused, cancelled, brought back or deleted"),
    WebhookEvent.ANSWER: lazy("Somebody answers, or their answer changes"),
    WebhookEvent.GROUP: lazy("A group is created, changed or deleted"),
    WebhookEvent.MEMBERSHIP: lazy("Somebody joins a group, asks to, leaves, or gets another role"),
    WebhookEvent.CHAT_MESSAGE: lazy("Somebody writes, edits or removes a message in a chat that you host"),
}


class DeliveryState(StrEnum):
    """State of a delivery. ``dropped``: there was nothing to send, or nothing that the owner may see."""

    WAITING = "waiting"
    SENDING = "sending"
    ARRIVED = "arrived"
    FAILED = "failed"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class Webhook:
    """A registered webhook.

    ``group_id``: set for a group's webhook; any other covers its owner's events, RSVPs and memberships. ``off_why`` is
    None while it is on.
    """

    id: WebhookId
    user_id: UserId
    group_id: str | None
    url: str
    kinds: frozenset[WebhookEvent]
    sealed_secret: bytes
    failing_since: Instant | None
    off_why: Explanation | None
    revision: int
    created_at: Instant

    @property
    def is_on(self) -> bool:
        return self.off_why is None


@dataclass(frozen=True, slots=True)
class WebhookDelivery:
    """A delivery. ``status`` is the latest HTTP status."""

    id: DeliveryId
    webhook_id: WebhookId
    kind: WebhookEvent
    subject_id: str
    state: DeliveryState
    tries: int
    status: int | None
    why: Explanation | None
    created_at: Instant
    settled_at: Instant | None
    revision: int


SECRET_BYTES = 32
_SECRET_PREFIX = "whsec_"  # noqa: S105  # how secrets of Standard Webhooks begin


def check_url(text: str, reach: AllowedTargets) -> str:
    """Validate a webhook URL. Its host name is resolved and checked at delivery. Raises InvalidForm (``url``)."""
    url = text.strip()
    if not url:
        raise InvalidForm({"url": WebhookReason.URL_NEEDED})
    if len(url) > MAX_URL:
        raise InvalidForm({"url": WebhookReason.URL_TOO_LONG(most=MAX_URL)})
    if not url.isascii() or not url.isprintable() or " " in url:
        raise InvalidForm({"url": WebhookReason.MALFORMED_URL})
    try:
        check_target(url, WEB, reach)
    except AddressRefused as refused:
        raise InvalidForm({"url": refused.why}) from None
    return url


def check_kinds(names: Collection[str]) -> frozenset[WebhookEvent]:
    """Parse the subscribed events. Raises InvalidForm (``kinds``)."""
    allowed = {one.value for one in WebhookEvent if one is not WebhookEvent.PING}
    if not names or not set(names) <= allowed:
        raise InvalidForm({"kinds": WebhookReason.KINDS_NEEDED(kinds=", ".join(sorted(allowed)))})
    return frozenset(map(WebhookEvent, names))


def secret_text(secret: bytes) -> str:
    """The secret in the form that its owner sees once."""
    return _SECRET_PREFIX + base64.b64encode(secret).decode()


def signature(secret: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    """The header ``webhook-signature`` (Standard Webhooks 1.0, "Signature scheme"): symmetric, version 1."""
    signed = hmac.digest(secret, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256)
    return "v1," + base64.b64encode(signed).decode()
