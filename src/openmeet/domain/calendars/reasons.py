"""Reasons why an action on a calendar is refused or its input is invalid."""

from groundwork.errors import Reason


class CalendarReason(Reason):
    """Codes; their messages are in ``i18n/reasons/calendars.py``."""

    URL_INCOMPLETE = "calendar.url_incomplete"
    TOO_MANY_CALENDARS = "calendar.too_many_calendars"
    NO_SUCH_CALENDAR = "calendar.no_such_calendar"
    NAME_NEEDED = "calendar.name_needed"
    PASSWORD_IN_URL = "calendar.password_in_url"
    TIMES_OUT_OF_RANGE = "calendar.times_out_of_range"
    URL_OR_FILE_NEEDED = "calendar.url_or_file_needed"
    MALFORMED_WINDOW = "calendar.malformed_window"
    MALFORMED_TIME = "calendar.malformed_time"
    LIMIT_NOT_A_NUMBER = "calendar.limit_not_a_number"
    READS_NO_CALENDARS = "calendar.reads_no_calendars"
    NO_SUCH_ADDRESS = "calendar.no_such_address"
    ADDRESS_UNREADABLE = "calendar.address_unreadable"
