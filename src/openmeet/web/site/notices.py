"""Flash messages with numbers.

Only the name and the numbers are in the cookie: a forged cookie can choose numbers, never text.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

_LONGEST_NUMBER = 7


def _dates_answered(going: int, dates: int) -> str:
    if not going:
        return "Saved. Below you see which dates you can answer."
    if going == dates:
        return "You’re going to the next date." if dates == 1 else f"You’re going to all of the next {dates} dates."
    return f"You’re going to {going} of the next {dates} dates."


def _answers_approved(approved: int, waitlisted: int) -> str:
    parts = [f"{approved} approved"] if approved else []
    if waitlisted:
        parts.append(f"{waitlisted} on the waitlist")
    return f"{', '.join(parts)}. We’re telling them." if parts else "Nobody was waiting for your answer any more."


def _answers_declined(declined: int) -> str:
    return f"{declined} declined. We’re telling them." if declined else "Nothing to decline any more."


NOTICES: Final[Mapping[str, tuple[int, Callable[..., str]]]] = {
    "dates_answered": (2, _dates_answered),
    "answers_approved": (2, _answers_approved),
    "answers_declined": (1, _answers_declined),
}


def packed(name: str, numbers: Sequence[int]) -> str:
    """The cookie's value. Raises KeyError for an unknown name, ValueError for the wrong number of numbers."""
    count, _ = NOTICES[name]
    if len(numbers) != count or any(one < 0 for one in numbers):
        raise ValueError(numbers)
    return ".".join([name, *map(str, numbers)])


def sentence(value: str) -> str:
    """The message of a cookie's value; empty if invalid."""
    name, *numbers = value.split(".")
    count, words = NOTICES.get(name, (-1, str))
    if len(numbers) != count or not all(
        one.isascii() and one.isdigit() and len(one) <= _LONGEST_NUMBER for one in numbers
    ):
        return ""
    return words(*map(int, numbers))
