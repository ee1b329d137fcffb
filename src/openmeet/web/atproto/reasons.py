"""Reason codes of the pages and API for a user's own records."""

from groundwork.errors import Reason


class AtprotoReason(Reason):
    """Why a page or API operation about somebody’s own records refuses a request. The messages are in
    ``i18n/reasons/records.py``.
    """

    UNKNOWN_SOURCE = "atproto.unknown_source"
    NOT_CONNECTED = "atproto.not_connected"
    ACCOUNT_NEEDED = "atproto.account_needed"
    NOT_YOUR_ACCOUNT = "atproto.not_your_account"
    NO_SUCH_PICTURE = "atproto.no_such_picture"
    NOT_IN_OWN_SERIES = "atproto.not_in_own_series"
    LEVEL_NEEDED = "atproto.level_needed"
    DATES_NEEDED = "atproto.dates_needed"
    CANNOT_CHANGE_RECORD = "atproto.cannot_change_record"
    NOTHING_WRITTEN = "atproto.nothing_written"
    ANSWER_NOT_WRITTEN = "atproto.answer_not_written"
    VOUCHING_NEEDS_SCOPE = "atproto.vouching_needs_scope"
    CHANGED_ELSEWHERE = "atproto.changed_elsewhere"
    SENT_BEFORE = "atproto.sent_before"
