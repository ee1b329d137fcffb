"""Messages of the reasons of ``openmeet.domain.webhooks.reasons``."""

from collections.abc import Mapping
from typing import Final

from openmeet.i18n.reasons.message import Message, mark

MESSAGES: Final[Mapping[str, Message]] = {
    "webhook.too_many_webhooks": mark("You have %(most)s addresses. First remove one you don’t use."),
    "webhook.no_such_webhook": mark("You have no such webhook."),
    "webhook.off": mark("This webhook is off. Switch it on first."),
    "webhook.still_waiting": mark("This one is on its way already."),
    "webhook.no_such_delivery": mark("There is no such delivery."),
    "webhook.url_needed": mark("Enter the address that gets the messages."),
    "webhook.url_too_long": mark("An address has at most %(most)s characters."),
    "webhook.malformed_url": mark("An address has no spaces or special characters. Write a space as %%20."),
    "webhook.kinds_needed": mark("Choose at least one of: %(kinds)s."),
    "webhook.invalid_cursor": mark("This cursor wasn’t made here; start again without one."),
    "webhook.calls_no_addresses": mark("This site calls no other addresses at the moment."),
    "webhook.kind_needed": mark("Tick at least one."),
    "webhook.switched_off_by_owner": mark("You switched it off."),
    "webhook.dropped_while_off": mark("The webhook was off."),
    "webhook.nothing_to_see": mark("There is nothing here that you may see."),
    "webhook.answered_with_status": mark("The address answered with status %(status)s."),
    "webhook.unknown_button": mark("Choose one of the buttons."),
}
