"""Reasons of the package: why something is refused or wrong."""

from groundwork.errors import Reason


class GuestRsvpReason(Reason):
    """Codes; their messages are in ``i18n/reasons/events.py``."""

    NO_GUESTS = "guest_rsvp.no_guests"
    TOO_MANY_EMAILS = "guest_rsvp.too_many_emails"
    LINK_OVER = "guest_rsvp.link_over"
