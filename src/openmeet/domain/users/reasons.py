"""Reasons for refusals and invalid input with users."""

from groundwork.errors import Reason


class UserReason(Reason):
    """Reason codes; their messages are in ``i18n/reasons/accounts.py``."""

    UNKNOWN_ZONE = "user.unknown_zone"
    UNKNOWN_LANGUAGE = "user.unknown_language"
    CHANGED_SINCE_OPENED = "user.changed_since_opened"
    CHANGED_WHILE_OPEN = "user.changed_while_open"
    NAME_NEEDED = "user.name_needed"
    NAME_IS_HANDLE = "user.name_is_handle"
    EMAIL_IN_USE = "user.email_in_use"
    NAMES_NOBODY = "user.names_nobody"
    GUEST_EMAIL_IN_USE = "user.guest_email_in_use"
    NOTICE_NEEDED = "user.notice_needed"
    VERSION_NEEDED = "user.version_needed"
    CHOICE_CHANGED_SINCE_READ = "user.choice_changed_since_read"
    PUBLISHES_NOTHING = "user.publishes_nothing"
    NO_RECOVERY_KEY = "user.no_recovery_key"
    NOT_YOUR_ACCOUNT = "user.not_your_account"
    ACCOUNT_NEEDED = "user.account_needed"
    NO_ACCOUNT_KEPT = "user.no_account_kept"
    NOTHING_LOST = "user.nothing_lost"
    NO_SUCH_ACCOUNT = "user.no_such_account"
    BEING_DELETED = "user.being_deleted"
    WRONG_CONFIRMATION = "user.wrong_confirmation"
    PROOF_EXPIRED = "user.proof_expired"
    SIGN_IN_TO_DELETE = "user.sign_in_to_delete"
    APP_PASSWORD_IS_NO_PROOF = "user.app_password_is_no_proof"
    SILENT_SIGN_IN_IS_NO_PROOF = "user.silent_sign_in_is_no_proof"
    APP_PASSWORD_ADDS_NOTHING = "user.app_password_adds_nothing"
