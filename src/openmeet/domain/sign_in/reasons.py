"""Reasons for refusals and invalid input at sign-in."""

from groundwork.errors import Reason


class SignInReason(Reason):
    """Reason codes; their messages are in ``i18n/reasons/accounts.py``."""

    EMAIL_NEEDED = "sign_in.email_needed"
    EMAIL_OR_HANDLE_NEEDED = "sign_in.email_or_handle_needed"
    MALFORMED_EMAIL = "sign_in.malformed_email"
    CODES_USED_UP = "sign_in.codes_used_up"
    CODES_USED_UP_OPEN_LINK = "sign_in.codes_used_up_open_link"
    WRONG_CODE = "sign_in.wrong_code"
    CODE_OVER = "sign_in.code_over"
    CODE_OR_PASSWORD_NEEDED = "sign_in.code_or_password_needed"
    NO_PASSWORD_SIGN_IN = "sign_in.no_password_sign_in"
    NO_NETWORK_SIGN_IN = "sign_in.no_network_sign_in"
    NO_SUCH_DOCUMENT = "sign_in.no_such_document"
    HANDLE_NEEDED = "sign_in.handle_needed"
    PASSWORD_NEEDED = "sign_in.password_needed"
    TRY_AGAIN_LATER = "sign_in.try_again_later"
    SERVER_REFUSES_US = "sign_in.server_refuses_us"
    BEGIN_AGAIN_LATER = "sign_in.begin_again_later"
