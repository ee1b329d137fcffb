"""Reasons for refusals and invalid input in identities."""

from groundwork.errors import Reason


class IdentityReason(Reason):
    """Reason codes; their messages are in ``i18n/reasons/accounts.py``."""

    NOT_YOUR_ACCOUNT = "identity.not_your_account"
    KEPT_HERE = "identity.kept_here"
    RECOVERY_KEY_WAITS = "identity.recovery_key_waits"
    LAST_WAY_IN = "identity.last_way_in"
    ACCOUNT_OF_ANOTHER_PERSON = "identity.account_of_another_person"
    CANNOT_DELETE_ACCOUNT = "identity.cannot_delete_account"
    MAY_STILL_BE_MADE = "identity.may_still_be_made"
    SERVER_WAS_AWAY = "identity.server_was_away"
    CHANGED_SINCE_OPENED = "identity.changed_since_opened"
