"""Reasons why a place is not found."""

from groundwork.errors import Reason


class PlaceReason(Reason):
    """Reason codes; their messages are in ``i18n/reasons/events.py``."""

    NOT_READY = "place.not_ready"
    UNKNOWN = "place.unknown"
    SEVERAL = "place.several"
    NO_SUCH_PLACE = "place.no_such_place"
    STREETS_NOT_ASKED = "place.streets_not_asked"
