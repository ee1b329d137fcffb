"""The checkbox in the form of a new event: its host wants to approve every guest.

Later the host changes it on the page with all settings of registration.
"""

from collections.abc import Mapping
from typing import Final

from openmeet.domain.attendance.registration import RegistrationSettings

NEEDS_APPROVAL: Final = "needs_approval"


def field_values(settings: RegistrationSettings) -> dict[str, str]:
    """The value of the field for an event with these settings."""
    return {NEEDS_APPROVAL: "yes" if settings.needs_approval else ""}


def value_in(form: Mapping[str, str]) -> bool | None:
    """Whether the host approves every guest; None if the form did not ask."""
    return bool(form[NEEDS_APPROVAL]) if NEEDS_APPROVAL in form else None
