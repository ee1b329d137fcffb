"""Method table of ``com.atproto.server.*``."""

from collections.abc import Awaitable, Callable
from functools import partial

from aurora_locus.accounts.limits import (
    CREATE_ACCOUNT,
    DELETE_ACCOUNT,
    REQUEST_CONFIRMATION,
    REQUEST_DELETION,
    REQUEST_EMAIL_UPDATE,
    REQUEST_PASSWORD_RESET,
    RESERVE_KEY,
    RESET_PASSWORD,
    SIGN_IN,
    SIGN_IN_ADDRESS,
    SIGN_IN_DAILY,
)
from aurora_locus.accounts.registry import Registry
from aurora_locus.xrpc.authentication import Need
from aurora_locus.xrpc.com_atproto_server import (
    activate_account,
    check_account_status,
    confirm_email,
    create_account,
    create_app_password,
    create_invite_code,
    create_invite_codes,
    create_session,
    deactivate_account,
    delete_account,
    delete_session,
    describe_server,
    get_account_invite_codes,
    get_service_auth,
    get_session,
    list_app_passwords,
    refresh_session,
    request_account_delete,
    request_email_confirmation,
    request_email_update,
    request_password_reset,
    reserve_signing_key,
    reset_password,
    revoke_app_password,
    update_email,
)
from aurora_locus.xrpc.limits import (
    Charges,
    all_of,
    per_account,
    per_address,
    per_identifier_and_address,
    with_limits,
)
from aurora_locus.xrpc.method import Method, Outcome, Run, XrpcCall, procedure, query

OfAccounts = Callable[[Registry, XrpcCall], Awaitable[Outcome]]


def methods(registry: Registry) -> list[Method]:
    """Return the methods of ``com.atproto.server``, bound to the running server's registry."""

    def over(run: OfAccounts) -> Run:
        return partial(run, registry)

    sign_in = with_limits(
        registry,
        all_of(per_identifier_and_address(SIGN_IN, SIGN_IN_DAILY), per_address(SIGN_IN_ADDRESS)),
        over(create_session.run),
    )
    server = "com.atproto.server"
    return [
        query(f"{server}.describeServer", over(describe_server.run), Need.ANYBODY),
        procedure(
            f"{server}.createAccount",
            with_limits(registry, per_address(CREATE_ACCOUNT), over(create_account.run)),
            Need.ARRIVAL,
        ),
        procedure(f"{server}.createSession", sign_in, Need.ANYBODY),
        procedure(f"{server}.refreshSession", over(refresh_session.run), Need.REFRESH),
        query(f"{server}.getSession", over(get_session.run), Need.ACCESS),
        procedure(f"{server}.deleteSession", over(delete_session.run), Need.REFRESH),
        procedure(f"{server}.createInviteCode", over(create_invite_code.run), Need.ADMIN),
        procedure(f"{server}.createInviteCodes", over(create_invite_codes.run), Need.ADMIN),
        query(f"{server}.getAccountInviteCodes", over(get_account_invite_codes.run), Need.FULL_ACCESS),
        query(f"{server}.checkAccountStatus", over(check_account_status.run), Need.ACCESS),
        procedure(
            f"{server}.reserveSigningKey",
            with_limits(registry, per_address(RESERVE_KEY), over(reserve_signing_key.run)),
            Need.ANYBODY,
        ),
        procedure(f"{server}.createAppPassword", over(create_app_password.run), Need.FULL_ACCESS),
        query(f"{server}.listAppPasswords", over(list_app_passwords.run), Need.ACCESS),
        procedure(f"{server}.revokeAppPassword", over(revoke_app_password.run), Need.ACCESS),
        query(f"{server}.getServiceAuth", over(get_service_auth.run), Need.ACCESS),
        procedure(f"{server}.deactivateAccount", over(deactivate_account.run), Need.FULL_ACCESS),
        procedure(f"{server}.activateAccount", over(activate_account.run), Need.FULL_ACCESS),
        *_by_mail(registry),
    ]


def _by_mail(registry: Registry) -> list[Method]:
    """Return the methods that use an e-mailed token."""

    def limited_over(charges: Charges, run: OfAccounts) -> Run:
        return with_limits(registry, charges, partial(run, registry))

    server = "com.atproto.server"
    return [
        procedure(
            f"{server}.requestEmailConfirmation",
            limited_over(per_account(*REQUEST_CONFIRMATION), request_email_confirmation.run),
            Need.ACCESS,
        ),
        procedure(f"{server}.confirmEmail", partial(confirm_email.run, registry), Need.ACCESS),
        procedure(
            f"{server}.requestEmailUpdate",
            limited_over(per_account(*REQUEST_EMAIL_UPDATE), request_email_update.run),
            Need.FULL_ACCESS,
        ),
        procedure(f"{server}.updateEmail", partial(update_email.run, registry), Need.FULL_ACCESS),
        procedure(
            f"{server}.requestPasswordReset",
            limited_over(per_address(*REQUEST_PASSWORD_RESET), request_password_reset.run),
            Need.ANYBODY,
        ),
        procedure(
            f"{server}.resetPassword", limited_over(per_address(RESET_PASSWORD), reset_password.run), Need.ANYBODY
        ),
        procedure(
            f"{server}.requestAccountDelete",
            limited_over(per_account(*REQUEST_DELETION), request_account_delete.run),
            Need.FULL_ACCESS,
        ),
        procedure(
            f"{server}.deleteAccount", limited_over(per_address(DELETE_ACCOUNT), delete_account.run), Need.ANYBODY
        ),
    ]
