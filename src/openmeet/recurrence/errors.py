"""Why a recurrence rule, a date or a time is refused: the reason for people, and a code for programs."""

from enum import StrEnum

from groundwork.errors import InvalidInput, Reason, Why

FIELD = "recurrence"


class RecurrenceReason(Reason):
    """Why a recurrence rule, a date or a time is refused. The messages are in ``i18n/reasons/calendars.py``."""

    TOO_LONG = "recurrence.too_long"
    EMPTY = "recurrence.empty"
    FREQUENCY_MISSING = "recurrence.frequency_missing"
    TOO_FREQUENT = "recurrence.too_frequent"
    UNKNOWN_FREQUENCY = "recurrence.unknown_frequency"
    UNKNOWN_PART = "recurrence.unknown_part"
    MALFORMED_PART = "recurrence.malformed_part"
    REPEATED_PART = "recurrence.repeated_part"
    NUMBER_OUT_OF_RANGE = "recurrence.number_out_of_range"
    MALFORMED_WEEKDAY = "recurrence.malformed_weekday"
    MALFORMED_WEEK_START = "recurrence.malformed_week_start"
    MALFORMED_UNTIL = "recurrence.malformed_until"
    TWO_ENDS = "recurrence.two_ends"
    NTH_WEEKDAY_NEEDS_MONTH = "recurrence.nth_weekday_needs_month"
    NTH_WEEKDAY_TOO_HIGH = "recurrence.nth_weekday_too_high"
    PART_NOT_ALLOWED = "recurrence.part_not_allowed"
    POSITION_ALONE = "recurrence.position_alone"
    TOO_MANY_A_DAY = "recurrence.too_many_a_day"
    TOO_MANY_STEPS = "recurrence.too_many_steps"
    NEVER_OCCURS = "recurrence.never_occurs"
    ENDS_BEFORE_START = "recurrence.ends_before_start"
    UNKNOWN_ZONE = "recurrence.unknown_zone"
    HOURS_OF_ALL_DAY = "recurrence.hours_of_all_day"
    TOO_MANY_EXTRA_DATES = "recurrence.too_many_extra_dates"
    MALFORMED_DATE = "recurrence.malformed_date"
    YEAR_OUT_OF_RANGE = "recurrence.year_out_of_range"
    NOT_A_NUMBER = "recurrence.not_a_number"
    LIST_NEEDED = "recurrence.list_needed"
    MALFORMED_DAY = "recurrence.malformed_day"
    NO_SUCH_DATE = "recurrence.no_such_date"
    FIRST_DATE = "recurrence.first_date"
    MALFORMED_LOCAL = "recurrence.malformed_local"
    NO_SUCH_TIME = "recurrence.no_such_time"
    TOO_MANY_DATES = "recurrence.too_many_dates"
    RULE_OR_DATES_NEEDED = "recurrence.rule_or_dates_needed"
    FREQUENCY_EXPECTED = "recurrence.frequency_expected"
    UNTIL_EXPECTED = "recurrence.until_expected"
    WEEKDAY_EXPECTED = "recurrence.weekday_expected"
    MALFORMED_COUNT = "recurrence.malformed_count"
    UNKNOWN_WEEKDAY = "recurrence.unknown_weekday"
    MEMBER_UNKNOWN = "recurrence.member_unknown"
    MEMBER_OF_DAY_UNKNOWN = "recurrence.member_of_day_unknown"
    MALFORMED_NUMBER = "recurrence.malformed_number"
    MALFORMED_SIGNED_NUMBER = "recurrence.malformed_signed_number"


class RuleErrorCode(StrEnum):
    """Why a rule was refused: one code per kind of mistake."""

    MISSING_FREQ = "MISSING_FREQ"
    UNSUPPORTED_FREQ = "UNSUPPORTED_FREQ"
    UNKNOWN_PART = "UNKNOWN_PART"
    REPEATED_PART = "REPEATED_PART"
    COUNT_AND_UNTIL = "COUNT_AND_UNTIL"
    BAD_INTERVAL = "BAD_INTERVAL"
    BAD_COUNT = "BAD_COUNT"
    BAD_UNTIL = "BAD_UNTIL"
    BAD_WKST = "BAD_WKST"
    BAD_BYDAY = "BAD_BYDAY"
    BAD_BYMONTH = "BAD_BYMONTH"
    BAD_BYMONTHDAY = "BAD_BYMONTHDAY"
    BAD_BYYEARDAY = "BAD_BYYEARDAY"
    BAD_BYWEEKNO = "BAD_BYWEEKNO"
    BAD_BYHOUR = "BAD_BYHOUR"
    BAD_BYMINUTE = "BAD_BYMINUTE"
    BAD_BYSECOND = "BAD_BYSECOND"
    BAD_BYSETPOS = "BAD_BYSETPOS"
    BYSETPOS_ALONE = "BYSETPOS_ALONE"
    BYDAY_ORDINAL_NOT_ALLOWED = "BYDAY_ORDINAL_NOT_ALLOWED"
    PART_NOT_ALLOWED = "PART_NOT_ALLOWED"
    TIME_OF_ALL_DAY = "TIME_OF_ALL_DAY"
    TOO_MANY_A_DAY = "TOO_MANY_A_DAY"
    TOO_LONG = "TOO_LONG"
    TOO_MANY_DATES = "TOO_MANY_DATES"
    NEVER_OCCURS = "NEVER_OCCURS"
    UNKNOWN_ZONE = "UNKNOWN_ZONE"
    BAD_DATE = "BAD_DATE"


class RuleRefused(InvalidInput):
    """A recurrence rule was refused. ``code``: what is wrong. ``part``: in which part of the rule (``BYDAY``; empty for
    the whole rule).
    """

    def __init__(self, code: RuleErrorCode, part: str, why: Why, **params: object) -> None:
        super().__init__(FIELD, why, name=code.value, **params)
        self.code = code
        self.part = part
