"""An account as its own session sees it: the fields that createSession, refreshSession and getSession share."""

from typing import Any

from aurora_locus.accounts.model import Account
from aurora_locus.repository.model import Status


def session_view(account: Account, *, shows_email: bool = True) -> dict[str, Any]:
    """The common fields; the address not for every app."""
    view: dict[str, Any] = {
        "did": account.did,
        "handle": account.handle,
        "active": account.status is Status.ACTIVE,
    }
    if shows_email and account.email is not None:
        view["email"] = account.email
        view["emailConfirmed"] = account.email_confirmed_at is not None
        view["emailAuthFactor"] = account.asks_mail_code
    if account.status is not Status.ACTIVE:
        view["status"] = account.status.value
    if account.moved_to is not None:
        # Not in the Lexicon, which leaves room for it: where the owner finds the account now.
        view["movedTo"] = account.moved_to
    return view
