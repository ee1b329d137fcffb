"""An account as its own session sees it: the fields that createSession, refreshSession and getSession share."""

from typing import Any

import msgspec

from at_protocol.syntax.did import Did
from aurora_locus.accounts.model import Account
from aurora_locus.repository.model import HostingStatus
from aurora_locus.xrpc.host import XrpcHost
from groundwork.errors import NotFound, RemoteFailed, RemoteSlow, Unavailable
from groundwork.telemetry.logs import log


async def session_view(host: XrpcHost, account: Account, *, shows_email: bool = True) -> dict[str, Any]:
    """Return the account as its own session sees it.

    If ``shows_email`` is False, the address is left out, as for apps without that scope. The DID document is included
    if the operator enables it.
    """
    view: dict[str, Any] = {
        "did": account.did,
        "handle": account.handle,
        "active": account.status is HostingStatus.ACTIVE,
    }
    if host.settings.enable_did_doc_with_session:
        view |= await document_view(host, account.did)
    if shows_email and account.email is not None:
        view["email"] = account.email
        view["emailConfirmed"] = account.email_confirmed_at is not None
        # Present only if it is on: it is an optional field, and the reference server, which lacks the feature, sends
        # nothing.
        if account.asks_mail_code:
            view["emailAuthFactor"] = True
    if account.status is not HostingStatus.ACTIVE:
        view["status"] = account.status.value
    if account.moved_to is not None:
        # The current PDS of the account. Not in the Lexicon, which allows additional fields.
        view["movedTo"] = account.moved_to
    return view


async def document_view(host: XrpcHost, did: Did) -> dict[str, Any]:
    """Return the field with the DID document; nothing if it cannot be resolved, because a failing directory must not
    prevent sign-in.
    """
    try:
        document = await host.network.resolve_did(did)
    except (NotFound, RemoteFailed, RemoteSlow, Unavailable) as failure:
        log.warning("session.without_document", did=did, why=failure.why)
        return {}
    return {"didDoc": msgspec.Raw(document.source)}
