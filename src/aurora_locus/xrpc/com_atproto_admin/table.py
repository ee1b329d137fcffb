"""Method table of ``com.atproto.admin.*``.

Methods that the moderation service may call with its token require a moderator; the others require the administrator
password. Each action checks the required role again (``moderation.roles``).
"""

from functools import partial

from aurora_locus.accounts.registry import Registry
from aurora_locus.xrpc.authentication import Need
from aurora_locus.xrpc.com_atproto_admin import (
    delete_account,
    disable_account_invites,
    disable_invite_codes,
    enable_account_invites,
    get_account_info,
    get_account_infos,
    get_invite_codes,
    get_subject_status,
    search_accounts,
    send_email,
    update_account_email,
    update_account_handle,
    update_account_password,
    update_account_signing_key,
    update_subject_status,
)
from aurora_locus.xrpc.method import Method, procedure, query


def methods(registry: Registry) -> list[Method]:
    """Return every method of the administration, bound to the running server's registry."""
    admin = "com.atproto.admin"
    return [
        procedure(f"{admin}.deleteAccount", partial(delete_account.run, registry), Need.ADMIN),
        procedure(f"{admin}.disableAccountInvites", partial(disable_account_invites.run, registry), Need.MODERATOR),
        procedure(f"{admin}.disableInviteCodes", partial(disable_invite_codes.run, registry), Need.MODERATOR),
        procedure(f"{admin}.enableAccountInvites", partial(enable_account_invites.run, registry), Need.MODERATOR),
        query(f"{admin}.getAccountInfo", partial(get_account_info.run, registry), Need.MODERATOR),
        query(f"{admin}.getAccountInfos", partial(get_account_infos.run, registry), Need.MODERATOR),
        query(f"{admin}.getInviteCodes", partial(get_invite_codes.run, registry), Need.MODERATOR),
        query(f"{admin}.getSubjectStatus", partial(get_subject_status.run, registry), Need.MODERATOR),
        query(f"{admin}.searchAccounts", partial(search_accounts.run, registry), Need.MODERATOR),
        procedure(f"{admin}.sendEmail", partial(send_email.run, registry), Need.MODERATOR),
        procedure(f"{admin}.updateAccountEmail", partial(update_account_email.run, registry), Need.ADMIN),
        procedure(f"{admin}.updateAccountHandle", partial(update_account_handle.run, registry), Need.ADMIN),
        procedure(f"{admin}.updateAccountPassword", partial(update_account_password.run, registry), Need.ADMIN),
        procedure(f"{admin}.updateAccountSigningKey", partial(update_account_signing_key.run, registry), Need.ADMIN),
        procedure(f"{admin}.updateSubjectStatus", partial(update_subject_status.run, registry), Need.MODERATOR),
    ]
