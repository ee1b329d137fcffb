"""Reasons and error names that several packages use, and parsing of enum values sent by forms and clients."""

from enum import StrEnum
from typing import Final, TypeVar

from groundwork.errors import Reason, Why

# A link from an e-mail is malformed, already used or expired.
INVALID_LINK: Final = "InvalidLink"
# The viewer may see this date of a series, but it does not have its own page yet.
TOO_FAR_AHEAD: Final = "TooFarAhead"

C = TypeVar("C", bound=StrEnum)


class GeneralReason(Reason):
    """Reasons that several packages use."""

    CHOOSE_ONE = "general.choose_one"
    LIMIT_OUT_OF_RANGE = "general.limit_out_of_range"
    INVALID_CURSOR = "general.invalid_cursor"
    CHOOSE_FROM = "general.choose_from"
    TRUE_OR_FALSE_NEEDED = "general.true_or_false_needed"
    NUMBER_OUT_OF_RANGE = "general.number_out_of_range"
    YEAR_OUT_OF_RANGE = "general.year_out_of_range"
    DESCRIPTION_TOO_LONG = "general.description_too_long"
    QUESTION_TOO_LONG = "general.question_too_long"
    NAME_TOO_LONG = "general.name_too_long"
    TEXT_TOO_LONG = "general.text_too_long"
    TEXT_OF_LENGTH_TOO_LONG = "general.text_of_length_too_long"
    UNSTORABLE_CHARACTER = "general.unstorable_character"
    NO_SUCH_EVENT = "general.no_such_event"
    NO_SUCH_PERSON = "general.no_such_person"


def choice(kind: type[C], text: str, field: str, problems: dict[str, Why]) -> C | None:
    """Parse an enum member. For an unknown value, return None and add a message for the field to ``problems``."""
    try:
        return kind(text)
    except ValueError:
        problems[field] = GeneralReason.CHOOSE_ONE(choices=", ".join(member.value for member in kind))
        return None
