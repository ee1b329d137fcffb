"""Flash messages that contain numbers.

The cookie contains only the name and the numbers. A forged cookie can change numbers but never the text.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from openmeet.i18n.catalogue import gettext, ngettext

_LONGEST_NUMBER = 7


def _dates_answered(going: int, dates: int) -> str:
    if not going:
        return gettext("Saved. Below you see which dates you can answer.")
    if going == dates:
        return ngettext("You’re going to the next date.", "You’re going to all of the next %(number)s dates.", dates)
    return ngettext(
        "You’re going to %(going)s of the next %(number)s date.",
        "You’re going to %(going)s of the next %(number)s dates.",
        dates,
        going=going,
    )


def _answers_approved(approved: int, waitlisted: int) -> str:
    if approved and waitlisted:
        return gettext(
            "%(approved)s approved, %(waitlisted)s on the waitlist. We’re letting them know.",
            approved=approved,
            waitlisted=waitlisted,
        )
    if approved:
        return gettext("%(approved)s approved. We’re letting them know.", approved=approved)
    if waitlisted:
        return gettext("%(waitlisted)s on the waitlist. We’re letting them know.", waitlisted=waitlisted)
    return gettext("Nobody was waiting for your answer any more.")


def _answers_declined(declined: int) -> str:
    if not declined:
        return gettext("There was nothing left to decline.")
    return gettext("%(declined)s declined. We’re letting them know.", declined=declined)


def _new_times_confirmed(dates: int) -> str:
    if not dates:
        return gettext("There was nothing left to confirm.")
    return ngettext("You’ve confirmed the new time.", "You’ve confirmed %(number)s dates at their new time.", dates)


NOTICES: Final[Mapping[str, tuple[int, Callable[..., str]]]] = {
    "dates_answered": (2, _dates_answered),
    "answers_approved": (2, _answers_approved),
    "answers_declined": (1, _answers_declined),
    "new_times_confirmed": (1, _new_times_confirmed),
}


def format_notice(name: str, numbers: Sequence[int]) -> str:
    """The cookie's value. Raises KeyError for an unknown name, and ValueError if there are too many or too few numbers."""
    count, _ = NOTICES[name]
    if len(numbers) != count or any(one < 0 for one in numbers):
        raise ValueError(numbers)
    return ".".join([name, *map(str, numbers)])


def notice_text(value: str) -> str:
    """The message for a cookie's value. Empty if the value is invalid."""
    name, *numbers = value.split(".")
    count, words = NOTICES.get(name, (-1, str))
    if len(numbers) != count or not all(
        one.isascii() and one.isdigit() and len(one) <= _LONGEST_NUMBER for one in numbers
    ):
        return ""
    return words(*map(int, numbers))
