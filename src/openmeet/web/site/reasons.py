"""Reason codes that all pages share."""

from groundwork.errors import Reason


class SiteReason(Reason):
    """Why any page refuses a request; and units of time for such sentences. The messages are in
    ``i18n/reasons/site.py``.
    """

    AUTHENTICATION_REQUIRED = "site.authentication_required"
    NOTHING_HERE = "site.nothing_here"
    MALFORMED_INSTANT = "site.malformed_instant"
    NO_SUCH_DATE_OR_TIME = "site.no_such_date_or_time"
    NO_SUCH_COMMUNITY = "site.no_such_community"
    INVALID_TOKEN = "site.invalid_token"
    READS_NO_FILES = "site.reads_no_files"
    ACCOUNTS_JOINED = "site.accounts_joined"
    TOO_MANY_STREAMS = "site.too_many_streams"
    LINK_ENDED = "site.link_ended"
    FORM_TOO_LARGE = "site.form_too_large"
    TOO_MANY_ATTEMPTS = "site.too_many_attempts"
    SECONDS = "site.seconds"
    MINUTES = "site.minutes"
    HOURS = "site.hours"
