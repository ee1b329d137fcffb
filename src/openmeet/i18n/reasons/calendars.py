"""Messages for the reasons of calendars, recurrence rules and imported files."""

from collections.abc import Mapping
from typing import Final

from openmeet.i18n.catalogue import Message, mark

MESSAGES: Final[Mapping[str, Message]] = {
    # reasons of openmeet.domain.calendars
    "calendar.url_incomplete": mark("Enter the calendar’s whole address, like https://example.org/calendar.ics."),
    "calendar.too_many_calendars": mark("You can have up to %(most)s calendars here. Remove one first."),
    "calendar.no_such_calendar": mark("That calendar isn’t one of yours."),
    "calendar.name_needed": mark("Give the calendar a name."),
    "calendar.password_in_url": mark(
        "This address has a name or password in it. We don’t keep passwords of other sites. Use a link "
        "without one, or upload the file."
    ),
    "calendar.times_out_of_range": mark("Ask about at least one time, and at most %(most)s at once."),
    "calendar.url_or_file_needed": mark("Send either url or ics."),
    "calendar.malformed_window": mark("The end must be after the start, and no more than 366 days later."),
    "calendar.malformed_time": mark("The end must be after the start, and no more than 366 days later."),
    "calendar.limit_not_a_number": mark("The limit must be a number from 1 to %(most)s."),
    "calendar.reads_no_calendars": mark("This site isn’t reading other calendars right now."),
    "calendar.no_such_address": mark("The calendar is no longer at that address."),
    "calendar.address_unreadable": mark("We can’t read its address any more. Add it again."),
    # reasons of openmeet.domain.icalendar
    "icalendar.file_too_large": mark("A calendar file can have up to %(most)s MB. This one has %(length)s."),
    "icalendar.not_a_calendar": mark("This isn’t a calendar file. Those usually end in .ics."),
    "icalendar.too_many_lines": mark("A calendar file can have at most %(most)s lines. Send it in parts."),
    "icalendar.too_many_components": mark("A calendar file can have at most %(most)s components."),
    "icalendar.nested_too_deeply": mark("The components of this file are nested too deeply."),
    # reasons of openmeet.domain.imports
    "import.no_event_described": mark("This page doesn’t describe an event in a way that programs can read."),
    "import.unknown_zone": mark("Enter a time zone like Europe/Berlin."),
    "import.no_such_import": mark("That import no longer exists."),
    "import.list_too_large": mark("A list can have up to %(most)s MB. This one has %(length)s."),
    "import.not_a_list": mark("This isn’t a list of people: its first line should name the columns."),
    "import.nobody_to_invite": mark("Nobody on the list is waiting for an invitation."),
    "import.too_many_people": mark("One invitation goes to at most %(most)s people."),
    "import.list_changed": mark("There are now %(length)s people to invite, not %(expected)s. Take another look."),
    "import.invitation_over": mark(
        "This invitation was used or withdrawn, or it’s too old. Ask the person who invited you for a new one."
    ),
    "import.invitation_used": mark("This invitation has been used already."),
    "import.target_gone": mark("What you were invited to no longer exists."),
    "import.target_not_shown": mark("The event is hidden right now. The invitation is sent when people can open it."),
    "import.group_gone": mark("That group no longer exists."),
    "import.event_gone": mark("That event no longer exists."),
    "import.rejected_by_host": mark("The host has declined your answer."),
    "import.columns_changed": mark("Somebody changed the columns of this list. Take another look."),
    "import.no_such_event": mark("That event no longer exists."),
    "import.no_such_series": mark("That series no longer exists."),
    "import.problems": mark("%(problems)s"),
    "import.source_needed": mark("Send one of ics, url and csv."),
    "import.target_of_people": mark(
        "A list of people belongs to one event or one group. A list of events belongs to neither."
    ),
    "import.no_people": mark("This import has no people in it."),
    "import.file_needed": mark("Choose a file, or enter an address."),
    "import.file_empty": mark("This file is empty. Choose another one."),
    "import.no_such_list": mark("This list doesn’t exist."),
    "import.upload_expected": mark("Send a form with a file."),
    "import.left_out": mark("%(title)s: %(problem)s"),
    "import.left_out_untitled": mark("An event without a title: %(problem)s"),
    "import.looks_like_yours": mark("you already have one like it. Select this one to have both."),
    "import.looks_like_earlier": mark("there’s one like it earlier in the file. Select this one to have both."),
    "import.over": mark("it’s over. Select it to import it, too."),
    # reasons of openmeet.domain.legacy_import
    "legacy_import.year_out_of_range": mark("%(label)s isn’t between %(first_year)s and %(last_year)s: %(value)s."),
    "legacy_import.unknown_row": mark('Line %(number)s of the dump isn’t {"table": …, "row": {…}}.'),
    "legacy_import.no_such_file": mark("There’s no file %(text)s, and it isn’t a postgresql:// address."),
    "legacy_import.malformed_time": mark("%(label)s isn’t a time: %(value)s."),
    "legacy_import.not_json": mark("Line %(number)s of the dump isn’t JSON: %(wrong)s."),
    "legacy_import.database_unreachable": mark("The older database can’t be reached: %(failure)s."),
    "legacy_import.line_too_long": mark("Line %(number)s of the dump has more than %(most)s bytes."),
    "legacy_import.nothing_imported": mark("Nothing was imported from %(source)s."),
    "legacy_import.not_the_older_model": mark("This isn’t a database of the older model: nothing in %(tables)s."),
    "legacy_import.built_upon": mark("It can’t be undone any more. Since then, %(changes)s."),
    # reasons of openmeet.recurrence
    "recurrence.too_long": mark("A rule can have up to %(most)s characters."),
    "recurrence.empty": mark("The rule is empty. Write FREQ=WEEKLY, or leave it out."),
    "recurrence.frequency_missing": mark("The rule doesn’t say how often: FREQ is missing."),
    "recurrence.too_frequent": mark(
        "FREQ=%(frequency)s isn’t supported. For several times a day, use FREQ=DAILY with BYHOUR."
    ),
    "recurrence.unknown_frequency": mark("FREQ must be one of %(choices)s."),
    "recurrence.unknown_part": mark("A rule has no part “%(text)s”."),
    "recurrence.malformed_part": mark("“%(text)s” isn’t NAME=VALUE."),
    "recurrence.repeated_part": mark("%(rule_part)s is given twice."),
    "recurrence.number_out_of_range": mark("%(rule_part)s must be a number from %(least)s to %(most)s."),
    "recurrence.malformed_weekday": mark("BYDAY=%(text)s isn’t a weekday. Write MO, 2TU or -1FR."),
    "recurrence.malformed_week_start": mark("WKST must be a weekday such as MO."),
    "recurrence.malformed_until": mark("UNTIL=%(text)s isn’t a date. Write 20261224 or 20261224T170000Z."),
    "recurrence.two_ends": mark("A rule ends after COUNT dates or at UNTIL, not both."),
    "recurrence.nth_weekday_needs_month": mark(
        "“The second Monday” needs FREQ=MONTHLY or FREQ=YEARLY (and no BYWEEKNO)."
    ),
    "recurrence.nth_weekday_too_high": mark("A month has at most five of each weekday."),
    "recurrence.part_not_allowed": mark("%(rule_part)s doesn’t go with FREQ=%(frequency)s."),
    "recurrence.position_alone": mark("BYSETPOS needs another BY… part to choose from. Add one."),
    "recurrence.too_many_a_day": mark("The rule has %(number)s times a day. It can have at most %(most)s."),
    "recurrence.too_many_steps": mark(
        "The rule has more dates than we can work out at once. Choose a shorter period, or simplify the rule."
    ),
    "recurrence.never_occurs": mark(
        "The rule has no date within %(years)s years. The day doesn’t exist, or comes too rarely."
    ),
    "recurrence.ends_before_start": mark("The last day, %(last)s, is before the first date, %(first)s."),
    "recurrence.unknown_zone": mark("There’s no time zone “%(zone)s”. Enter it like Europe/Berlin."),
    "recurrence.hours_of_all_day": mark("All-day dates don’t have hours. Leave out BYHOUR and the like."),
    "recurrence.too_many_extra_dates": mark("Up to %(most)s dates can be left out, and up to %(most)s added."),
    "recurrence.malformed_date": mark(
        "“%(text)s” isn’t a date. Write 2026-12-24, 2026-12-24T18:00 or 20261224T170000Z."
    ),
    "recurrence.year_out_of_range": mark("The year must be between %(first)s and %(last)s."),
    "recurrence.not_a_number": mark("%(member)s takes whole numbers only."),
    "recurrence.list_needed": mark("%(member)s must be a list with at least one entry."),
    "recurrence.malformed_day": mark(
        'byDay holds objects such as {"day": "tu", "nthOfPeriod": 2}. Each day is one of mo, tu, we, th, fr, sa, su.'
    ),
    "recurrence.no_such_date": mark("The series has no such date."),
    "recurrence.first_date": mark("This is the first date of the series. Change all dates instead."),
    "recurrence.malformed_local": mark("Enter the date and time like 2026-07-04T18:00."),
    "recurrence.no_such_time": mark("This date or time doesn’t exist."),
    "recurrence.too_many_dates": mark("Choose up to %(most)s dates."),
    "recurrence.rule_or_dates_needed": mark("Send a rule, dates to add, or both."),
    "recurrence.frequency_expected": mark("frequency must be one of daily, weekly, monthly, yearly."),
    "recurrence.until_expected": mark("until must be a date such as 20261224, 20261224T180000 or 20261224T170000Z."),
    "recurrence.weekday_expected": mark("firstDayOfWeek must be one of mo, tu, we, th, fr, sa, su."),
    "recurrence.malformed_count": mark("COUNT=%(text)s isn’t a number."),
    "recurrence.unknown_weekday": mark("“%(text)s” isn’t a weekday."),
    "recurrence.member_unknown": mark("A rule has no field “%(text)s”."),
    "recurrence.member_of_day_unknown": mark("A day of byDay has no field “%(text)s”."),
    "recurrence.malformed_number": mark("%(rule_part)s=%(text)s isn’t a number from %(least)s to %(most)s."),
    "recurrence.malformed_signed_number": mark(
        "%(rule_part)s=%(text)s isn’t a number from −%(most)s to −%(least)s or %(least)s to %(most)s."
    ),
}
