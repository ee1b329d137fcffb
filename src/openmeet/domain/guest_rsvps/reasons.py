"""Reasons for refusals and invalid input in guest RSVPs."""

from groundwork.errors import Reason


class GuestRsvpReason(Reason):
    """Reason codes; their messages are in ``i18n/reasons/events.py``."""

    NO_GUESTS = "guest_rsvp.no_guests"
    TOO_MANY_EMAILS = "guest_rsvp.too_many_emails"
    LINK_OVER = "guest_rsvp.link_over"
