"""Reasons for refusals and invalid input with pictures."""

from groundwork.errors import Reason


class MediaReason(Reason):
    """Reason codes; their messages are in ``i18n/reasons/events.py``."""

    TOO_NARROW = "media.too_narrow"
    TOO_LARGE = "media.too_large"
    UNREADABLE = "media.unreadable"
    TOO_MANY_PICTURES = "media.too_many_pictures"
    TOO_MANY_PIXELS = "media.too_many_pixels"
    NO_SUCH_PICTURE = "media.no_such_picture"
    ALT_NEEDED = "media.alt_needed"
    UPLOAD_EXPECTED = "media.upload_expected"
    KEEPS_NO_PICTURES = "media.keeps_no_pictures"
    TOO_MANY_CARDS = "media.too_many_cards"
