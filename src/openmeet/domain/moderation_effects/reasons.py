"""Reasons for refusals of moderators' decisions."""

from groundwork.errors import Reason


class ModerationEffectsReason(Reason):
    """Reason codes; their messages are in ``i18n/reasons/site.py``."""

    NO_SUCH_SUBJECT = "moderation_effects.no_such_subject"
