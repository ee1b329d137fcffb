"""Messages of the reasons of ``openmeet.domain.calendars.reasons``."""

from collections.abc import Mapping
from typing import Final

from openmeet.i18n.reasons.message import Message, mark

MESSAGES: Final[Mapping[str, Message]] = {
    "calendar.url_incomplete": mark("Give the whole address of the calendar, like https://example.org/calendar.ics."),
    "calendar.too_many_calendars": mark("You can have %(most)s calendars here. Remove one first."),
    "calendar.no_such_calendar": mark("You have no such calendar."),
    "calendar.name_needed": mark("Give the calendar a name."),
    "calendar.password_in_url": mark(
        "This address has a name or password in it. We don’t keep passwords of other sites. Use a link without one, or upload the file."
    ),
    "calendar.times_out_of_range": mark("Ask about 1 to %(most)s times at once."),
    "calendar.url_or_file_needed": mark("Send either url or ics."),
    "calendar.malformed_instant": mark("Write an instant like 2027-03-02T17:00:00Z."),
    "calendar.year_out_of_range": mark("The year must be between %(first_year)s and %(last_year)s."),
    "calendar.malformed_window": mark("The window ends after it begins, within 366 days."),
    "calendar.malformed_time": mark("It ends after it begins, within 366 days."),
    "calendar.limit_not_a_number": mark("The limit is a number from 1 to %(most)s."),
    "calendar.invalid_cursor": mark("This cursor wasn’t made here; start again without one."),
    "calendar.no_such_date_or_time": mark("There is no such date or time."),
    "calendar.reads_no_calendars": mark("This site reads no other calendars at the moment."),
    "calendar.no_such_address": mark("This calendar has no such address any more."),
    "calendar.address_unreadable": mark("We can’t read its address any more. Add it again."),
}
