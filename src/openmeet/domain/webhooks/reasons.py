"""Reasons for refusals and invalid input with webhooks."""

from groundwork.errors import Reason


class WebhookReason(Reason):
    """Reason codes; their messages are in ``i18n/reasons/site.py``."""

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
