"""Parse enum values sent by forms and clients."""

from enum import StrEnum
from typing import TypeVar

from groundwork.errors import Reason, Why

C = TypeVar("C", bound=StrEnum)


class GeneralReason(Reason):
    """Reasons that several packages use."""

    CHOOSE_ONE = "general.choose_one"
    LIMIT_OUT_OF_RANGE = "general.limit_out_of_range"
    INVALID_CURSOR = "general.invalid_cursor"
    CHOOSE_FROM = "general.choose_from"


def choice(kind: type[C], text: str, field: str, problems: dict[str, Why]) -> C | None:
    """Parse an enum member. For an unknown value, return None and add a message for the field to ``problems``."""
    try:
        return kind(text)
    except ValueError:
        problems[field] = GeneralReason.CHOOSE_ONE(choices=", ".join(member.value for member in kind))
        return None
