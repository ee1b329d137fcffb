"""Reasons for refusals of reports, blocks and mutes."""

from groundwork.errors import Reason


class SafetyReason(Reason):
    """Reason codes; their messages are in ``i18n/reasons/accounts.py``."""

    OWN_CONTENT = "safety.own_content"
    CANNOT_BLOCK_ONESELF = "safety.cannot_block_oneself"
    NOT_BLOCKED = "safety.not_blocked"
    CANNOT_MUTE_ONESELF = "safety.cannot_mute_oneself"
    NO_SUCH_PERSON_OR_GROUP = "safety.no_such_person_or_group"
    NOT_MUTED = "safety.not_muted"
    NO_SUCH_PAGE = "safety.no_such_page"
