"""An account as the administration sees it, in the Lexicon's shape."""

from typing import Any

from at_protocol.syntax.datetime import format_datetime
from aurora_locus.accounts.account_details import AccountDetails
from aurora_locus.xrpc.com_atproto_server.invite_view import invite_view


def account_view(account: AccountDetails) -> dict[str, Any]:
    """Return an account as ``com.atproto.admin.defs#accountView``. Fields without a value are omitted."""
    view: dict[str, Any] = {
        "did": account.did,
        "handle": account.handle,
        "indexedAt": format_datetime(account.created_at),
        "invites": [invite_view(code) for code in account.invites],
        "invitesDisabled": account.invites_are_disabled,
    }
    if account.email is not None:
        view["email"] = account.email
    if account.email_confirmed_at is not None:
        view["emailConfirmedAt"] = format_datetime(account.email_confirmed_at)
    if account.deactivated_at is not None:
        view["deactivatedAt"] = format_datetime(account.deactivated_at)
    if account.invite_note is not None:
        view["inviteNote"] = account.invite_note
    if account.invited_by is not None:
        view["invitedBy"] = invite_view(account.invited_by)
    return view
