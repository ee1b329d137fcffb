"""Reasons for refusals and invalid input with profiles."""

from groundwork.errors import Reason


class ProfileReason(Reason):
    """Reason codes; their messages are in ``i18n/reasons/accounts.py``."""

    CANNOT_FOLLOW_ONESELF = "profile.cannot_follow_oneself"
    FOLLOWS_TOO_MANY = "profile.follows_too_many"
    NOT_FOLLOWED = "profile.not_followed"
    CANNOT_FOLLOW = "profile.cannot_follow"
