"""Method table of ``com.atproto.admin.*``.

Methods that the moderation service may call with its token require a moderator; the others require the administrator
password. Each action checks the required role again (``moderation.roles``).
"""

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
from aurora_locus.xrpc.method import Method

METHODS: tuple[Method, ...] = (
    delete_account.METHOD,
    disable_account_invites.METHOD,
    disable_invite_codes.METHOD,
    enable_account_invites.METHOD,
    get_account_info.METHOD,
    get_account_infos.METHOD,
    get_invite_codes.METHOD,
    get_subject_status.METHOD,
    search_accounts.METHOD,
    send_email.METHOD,
    update_account_email.METHOD,
    update_account_handle.METHOD,
    update_account_password.METHOD,
    update_account_signing_key.METHOD,
    update_subject_status.METHOD,
)
