"""An account as its own session sees it: the fields that createSession, refreshSession and getSession share."""

from typing import Any

from aurora_locus.accounts.model import Account
from aurora_locus.repository.model import Status


def session_view(account: Account) -> dict[str, Any]:
    """The common fields."""
    view: dict[str, Any] = {
        "did": account.did,
        "handle": account.handle,
        "active": account.status is Status.ACTIVE,
    }
    if account.email is not None:
        view["email"] = account.email
        view["emailConfirmed"] = account.email_confirmed_at is not None
    if account.status is not Status.ACTIVE:
        view["status"] = account.status.value
    return view
