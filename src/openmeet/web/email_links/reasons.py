"""Reason codes of pages that links in e-mails open."""

from groundwork.errors import Reason


class EmailLinkReason(Reason):
    """Reason codes. Their messages are in ``i18n/reasons/accounts.py``."""

    CUT_OFF = "email_link.cut_off"
    TOO_OLD = "email_link.too_old"
    NO_CHAT = "email_link.no_chat"
    NO_SUCH_EVENT = "email_link.no_such_event"
