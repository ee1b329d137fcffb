"""Messages of the reasons of ``openmeet.recurrence.reasons``."""

from collections.abc import Mapping
from typing import Final

from openmeet.i18n.reasons.message import Message, mark

MESSAGES: Final[Mapping[str, Message]] = {
    "recurrence.too_long": mark("A rule has at most %(most)s characters."),
    "recurrence.empty": mark("The rule is empty. Write FREQ=WEEKLY, or leave it out."),
    "recurrence.frequency_missing": mark("The rule does not say how often: FREQ is missing."),
    "recurrence.too_frequent": mark(
        "FREQ=%(frequency)s is not taken; for several times a day use FREQ=DAILY with BYHOUR."
    ),
    "recurrence.unknown_frequency": mark("FREQ must be one of %(choices)s."),
    "recurrence.unknown_part": mark("A rule has no part “%(text)s”."),
    "recurrence.malformed_part": mark("“%(text)s” is not NAME=VALUE."),
    "recurrence.repeated_part": mark("%(rule_part)s is given twice."),
    "recurrence.number_out_of_range": mark("%(rule_part)s must be a number from %(least)s to %(most)s."),
    "recurrence.malformed_weekday": mark("BYDAY=%(text)s is not a weekday; write MO, 2TU or -1FR."),
    "recurrence.malformed_week_start": mark("WKST must be a weekday such as MO."),
    "recurrence.malformed_until": mark("UNTIL=%(text)s is not a date; write 20261224 or 20261224T170000Z."),
    "recurrence.two_ends": mark("A rule ends after COUNT dates or at UNTIL, not both."),
    "recurrence.nth_weekday_needs_month": mark(
        "“The second Monday” needs FREQ=MONTHLY or FREQ=YEARLY (and no BYWEEKNO)."
    ),
    "recurrence.nth_weekday_too_high": mark("A month has at most five of each weekday."),
    "recurrence.part_not_allowed": mark("%(rule_part)s does not go with FREQ=%(frequency)s."),
    "recurrence.position_alone": mark("BYSETPOS chooses among what another BY… part names; add one."),
    "recurrence.too_many_a_day": mark("The rule names %(number)s times a day. At most %(most)s are possible."),
    "recurrence.too_many_steps": mark(
        "The rule has more dates than we compute at once. Ask for a shorter time, or simplify the rule."
    ),
    "recurrence.never_occurs": mark(
        "The rule has no date within %(years)s years: such a day never comes, or too rarely."
    ),
    "recurrence.ends_before_start": mark("The last day, %(last)s, is before the first date, %(first)s."),
    "recurrence.unknown_zone": mark("There is no time zone “%(zone)s”; write Europe/Berlin."),
    "recurrence.hours_of_all_day": mark("Whole days have no hours; leave BYHOUR and the like out."),
    "recurrence.too_many_extra_dates": mark("At most %(most)s dates are left out, and as many added."),
    "recurrence.malformed_date": mark(
        "“%(text)s” is not a date; write 2026-12-24, 2026-12-24T18:00 or 20261224T170000Z."
    ),
    "recurrence.year_out_of_range": mark("The year must be between %(first)s and %(last)s."),
    "recurrence.not_a_number": mark("%(member)s takes whole numbers only."),
    "recurrence.list_needed": mark("%(member)s must be a list with at least one entry."),
    "recurrence.malformed_day": mark(
        'byDay holds objects such as {"day": "tu", "nthOfPeriod": 2}; day is one of mo, tu, we, th, fr, sa, su.'
    ),
    "recurrence.no_such_date": mark("The series has no such date."),
    "recurrence.first_date": mark("This is the first date of the series: change all dates instead."),
    "recurrence.malformed_local": mark("Write the date and time like 2026-07-04T18:00."),
    "recurrence.no_such_time": mark("There is no such date or time."),
    "recurrence.too_many_dates": mark("At most %(most)s dates."),
    "recurrence.rule_or_dates_needed": mark("Say how it repeats: a rule, or dates to add."),
    "recurrence.frequency_expected": mark("frequency must be one of daily, weekly, monthly, yearly."),
    "recurrence.until_expected": mark("until must be a date such as 20261224, 20261224T180000 or 20261224T170000Z."),
    "recurrence.weekday_expected": mark("firstDayOfWeek must be one of mo, tu, we, th, fr, sa, su."),
    "recurrence.malformed_count": mark("COUNT=%(text)s is not a number."),
    "recurrence.unknown_weekday": mark("“%(text)s” is not a weekday."),
    "recurrence.member_unknown": mark("A rule has no field “%(text)s”."),
    "recurrence.member_of_day_unknown": mark("A day of byDay has no field “%(text)s”."),
    "recurrence.malformed_number": mark("%(rule_part)s=%(text)s is not a number from %(least)s to %(most)s."),
    "recurrence.malformed_signed_number": mark(
        "%(rule_part)s=%(text)s is not a number from −%(most)s to −%(least)s or %(least)s to %(most)s."
    ),
}
