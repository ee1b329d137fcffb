"""Lowering a limit below the people who have a place: a form asks first, a program says that it is meant."""

from collections.abc import Mapping
from typing import Final

from starlette.requests import Request

from groundwork.errors import Refused
from openmeet.domain.attendance.capacity_change import Lowered, words
from openmeet.web.api.operations import Parameter
from openmeet.web.site.asking import Asks

# The hidden field of a form that has asked: it holds what was asked about.
ASKED: Final = "lowered"

# The same in the API.
CONFIRM: Final = Parameter(
    "confirmLowerLimit", "true: also below those who have a place, or wait with more people", shape=bool
)


def must_be_meant(typed: Mapping[str, str], field: str, key: str, lowered: Lowered) -> None:
    """Asks the first time that a form lowers a limit below those who stand. ``key``: what it was asked about."""
    text = words(lowered)
    if text and typed.get(ASKED) != key:
        raise Asks(field, f"{text} Save again if that is right.", name=ASKED, key=key)


def must_be_confirmed(request: Request, lowered: Lowered) -> None:
    """Refused (``LimitBelowPlaces``) where a program lowers a limit below those who stand and has not said that this is meant."""
    text = words(lowered)
    if text and request.query_params.get(CONFIRM.name) != "true":
        raise Refused(f"{text} Send it again with {CONFIRM.name}=true if that is right.", name="LimitBelowPlaces")
