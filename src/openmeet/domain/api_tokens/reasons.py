"""Reasons why an operation on API tokens is refused or its input is invalid."""

from groundwork.errors import Reason


class ApiTokenReason(Reason):
    """Codes; their messages are in ``i18n/reasons/accounts.py``."""

    SERVICE_NAME_NEEDED = "api_token.service_name_needed"
    SERVICE_SCOPE_NEEDED = "api_token.service_scope_needed"
    NO_SUCH_CREDENTIAL = "api_token.no_such_credential"
    LABEL_NEEDED = "api_token.label_needed"
    SCOPE_NEEDED = "api_token.scope_needed"
    LIFETIME_OUT_OF_RANGE = "api_token.lifetime_out_of_range"
    TOO_MANY_TOKENS = "api_token.too_many_tokens"
    NO_SUCH_TOKEN = "api_token.no_such_token"
