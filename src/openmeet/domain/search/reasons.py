"""Reasons for refusals and invalid input in searches."""

from groundwork.errors import Reason


class SearchReason(Reason):
    """Reason codes; their messages are in ``i18n/reasons/events.py``."""

    LAST_DAY_BEFORE_FIRST = "search.last_day_before_first"
    MALFORMED_TAG = "search.malformed_tag"
    TAG_TOO_LONG = "search.tag_too_long"
    UNKNOWN_LANGUAGE = "search.unknown_language"
    DISTANCE_OUT_OF_RANGE = "search.distance_out_of_range"
    MALFORMED_POINT = "search.malformed_point"
    UNKNOWN_GROUPS = "search.unknown_groups"
    SIGN_IN_FOR_GROUPS = "search.sign_in_for_groups"
    MALFORMED_DAY = "search.malformed_day"
