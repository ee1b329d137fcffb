"""Reasons for refusals and invalid input in moderation."""

from groundwork.errors import Reason


class ModerationReason(Reason):
    """Reason codes; their messages are in ``i18n/reasons/site.py``."""

    DECIDED_MEANWHILE = "moderation.decided_meanwhile"
    NOTHING_REPORTED = "moderation.nothing_reported"
    NO_SUCH_ACTION = "moderation.no_such_action"
    ALREADY_UNDONE = "moderation.already_undone"
    DECIDED_SINCE = "moderation.decided_since"
    CHANGED_SINCE = "moderation.changed_since"
    REASON_NEEDED = "moderation.reason_needed"
    NOTHING_TO_CHANGE = "moderation.nothing_to_change"
    TEXT_NEEDED = "moderation.text_needed"
    EXPLANATION_NEEDED = "moderation.explanation_needed"
    MALFORMED_PDS = "moderation.malformed_pds"
    NOT_MUTABLE = "moderation.not_mutable"
    CHANGED_SINCE_OPENED = "moderation.changed_since_opened"
    MODERATORS_ONLY = "moderation.moderators_only"
    NO_SUCH_SUBJECT = "moderation.no_such_subject"
    INVALID_CURSOR = "moderation.invalid_cursor"
    MALFORMED_SUBJECT = "moderation.malformed_subject"
    NUMBER_OUT_OF_RANGE = "moderation.number_out_of_range"
