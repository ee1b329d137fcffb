"""Reasons for refusals and invalid input in calendar files."""

from groundwork.errors import Reason


class IcalendarReason(Reason):
    """Reason codes; their messages are in ``i18n/reasons/calendars.py``."""

    FILE_TOO_LARGE = "icalendar.file_too_large"
    NOT_A_CALENDAR = "icalendar.not_a_calendar"
    TOO_MANY_LINES = "icalendar.too_many_lines"
    TOO_MANY_COMPONENTS = "icalendar.too_many_components"
    NESTED_TOO_DEEPLY = "icalendar.nested_too_deeply"
