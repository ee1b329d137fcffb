"""Reasons for refusals and invalid input in notifications."""

from groundwork.errors import Reason


class NotificationReason(Reason):
    """Reason codes; their messages are in ``i18n/reasons/site.py``."""

    ZONE_NEEDED = "notification.zone_needed"
    MALFORMED_TIME = "notification.malformed_time"
    TIMES_INCOMPLETE = "notification.times_incomplete"
    HOUR_NEEDED = "notification.hour_needed"
    LIST_OUTDATED = "notification.list_outdated"
