"""Reasons why a check-in is refused or its input is invalid."""

from groundwork.errors import Reason


class CheckInReason(Reason):
    """Codes; their messages are in ``i18n/reasons/events.py``."""

    WRONG_TICKET = "check_in.wrong_ticket"
    MALFORMED_CODE = "check_in.malformed_code"
    NO_TICKET = "check_in.no_ticket"
    TICKET_NEEDED = "check_in.ticket_needed"
