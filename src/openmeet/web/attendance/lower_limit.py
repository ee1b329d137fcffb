"""Confirmation of a limit that is below the places taken, in the forms and operations that change a limit."""

from collections.abc import Mapping
from typing import Final

from starlette.requests import Request

from groundwork.errors import Refused
from openmeet.domain.attendance.capacity_change import CapacityImpact, impact_text
from openmeet.domain.attendance.reasons import AttendanceReason
from openmeet.web.api.operations import Parameter
from openmeet.web.site.confirmation import NeedsConfirmation

# Hidden field of a form: the limits that the person was asked to confirm.
CONFIRMED_LIMITS: Final = "lowered"

CONFIRM_LOWER_LIMIT: Final = Parameter(
    "confirmLowerLimit",
    "true: confirm a limit below the places taken, or below the size of a waiting party",
    shape=bool,
)


def ask_to_confirm_lower_limit(form: Mapping[str, str], field: str, *, key: str, impact: CapacityImpact) -> None:
    """Raise NeedsConfirmation, beside ``field``, if the new limits have an impact and the form does not confirm them.
    ``key`` identifies the limits.
    """
    text = impact_text(impact)
    if text and form.get(CONFIRMED_LIMITS) != key:
        raise NeedsConfirmation(
            field, AttendanceReason.CONFIRM_LIMIT_BELOW_PLACES(text=text), name=CONFIRMED_LIMITS, key=key
        )


def require_confirmed_lower_limit(request: Request, impact: CapacityImpact) -> None:
    """Raise Refused (``LimitBelowPlaces``) if the new limits have an impact and the request does not confirm them."""
    text = impact_text(impact)
    if text and request.query_params.get(CONFIRM_LOWER_LIMIT.name) != "true":
        raise Refused(
            AttendanceReason.LIMIT_BELOW_PLACES, text=text, label=CONFIRM_LOWER_LIMIT.name, name="LimitBelowPlaces"
        )
