"""Errors for refused recurrence rules: a code for programs and a sentence for people."""

from enum import StrEnum

from groundwork.errors import InvalidInput, Why

FIELD = "recurrence"


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
