"""Reasons of the package: why something is refused or wrong."""

from groundwork.errors import Reason


class ModerationEffectsReason(Reason):
    """Codes; their messages are in ``i18n/reasons/site.py``."""

    NO_SUCH_SUBJECT = "moderation_effects.no_such_subject"
