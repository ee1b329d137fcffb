"""Messages of the reasons of ``openmeet.domain.api_tokens.reasons``."""

from collections.abc import Mapping
from typing import Final

from openmeet.i18n.reasons.message import Message, mark

MESSAGES: Final[Mapping[str, Message]] = {
    "api_token.service_name_needed": mark("Say what the service is, in at most %(most)s characters."),
    "api_token.service_scope_needed": mark("Choose at least one thing that the service may do."),
    "api_token.no_such_credential": mark("There is no such credential."),
    "api_token.label_needed": mark("Say what the token is for."),
    "api_token.scope_needed": mark("Choose at least one thing that the token may do."),
    "api_token.lifetime_out_of_range": mark("A token works for 1 to %(most)s days, or until you revoke it."),
    "api_token.name_too_long": mark("At most %(most)s characters."),
    "api_token.too_many_tokens": mark("You have %(most)s tokens. First revoke one you don’t use."),
    "api_token.no_such_token": mark("You have no such token."),
}
