"""Actions of the consent pages: open a pushed request, approve or deny it, manage the resulting sessions.

Rules: a request can be answered only by the browser that opened it first, only by the account that the app named, if it
named one, and only with scopes that were requested. Nothing redirects before client and redirect URI are verified;
after that, every outcome is sent back to the app with ``state`` and ``iss``.
"""

import secrets
from collections.abc import Sequence
from urllib.parse import urlencode

from at_protocol.oauth.permissions import ATPROTO
from at_protocol.syntax.did import Did
from aurora_locus.accounts import queries as accounts
from aurora_locus.i18n.sentences import gettext_noop, localizable
from aurora_locus.oauth import codes, grants, requests, sessions
from aurora_locus.oauth.model import AuthorizationRequest, ConnectedApp, RequestStage, RequestUnusable, UnusableReason
from aurora_locus.oauth.server import AuthorizationServer
from aurora_locus.repository.model import HostingStatus
from groundwork.clock import MINUTE, Instant
from groundwork.database.transaction import Reader, Transaction, Writer
from groundwork.errors import Forbidden, InvalidInput, Refused
from groundwork.token_hash import hash_token

# How long a person may take between two pages.
INACTIVITY = 5 * MINUTE

# How long a request can stay open in total.
LONGEST = 60 * MINUTE

CODE_LIFETIME = 2 * MINUTE


async def open_request(
    server: AuthorizationServer, tx: Transaction, request_uri: str, client_id: str, device_id: str
) -> AuthorizationRequest:
    """Bind the pushed request to this browser and return it. Every call extends it by five minutes.

    Called for each page and form of the flow, in its transaction. An answered request is returned again to the same
    browser (double click, back button) until its app has exchanged the code. Raises RequestUnusable, which must be
    shown as an error *page*, never as a redirect.
    """
    stored = await requests.find(tx, server, request_uri)
    if stored is None:
        raise _unusable(UnusableReason.UNKNOWN)
    request, owner = stored
    if request.client_id != client_id:
        raise _unusable(UnusableReason.ANOTHER_CLIENT)
    if owner is not None and owner != device_id:
        raise _unusable(UnusableReason.ANOTHER_BROWSER)
    if request.expires_at <= tx.now:
        raise _unusable(UnusableReason.EXPIRED)
    if request.stage is RequestStage.APPROVED and await codes.was_spent(tx, request.id):
        raise _unusable(UnusableReason.ANSWERED)
    # If two browsers open a request concurrently, this statement decides.
    if not await requests.open_for(tx, request.id, device_id, Instant(tx.now + INACTIVITY), LONGEST):
        raise _unusable(UnusableReason.ANOTHER_BROWSER)
    return request


async def remembered_grant(reader: Reader, request: AuthorizationRequest, did: Did) -> tuple[str, ...] | None:
    """Return the scopes that this person granted this app before, if the same set of scopes was requested then.

    Return None if the person must be asked: for a public client (which anybody can impersonate), for a different set of
    scopes, or for a ``prompt`` that demands consent. The result can be passed to ``approve`` without asking.
    """
    if not request.client.is_confidential or request.prompt in ("consent", "select_account", "create"):
        return None
    earlier = await grants.find(reader, did, request.client_id)
    if earlier is None or earlier.requested != frozenset(request.scopes):
        return None
    return tuple(scope for scope in request.scopes if scope in earlier.granted)


async def approve(
    server: AuthorizationServer,
    tx: Transaction,
    request: AuthorizationRequest,
    did: Did,
    granted_scopes: Sequence[str],
    device_id: str,
) -> str:
    """Approve the request with a code. Return the URL to redirect the browser to (303), with ``code``, ``state`` and
    ``iss``.

    ``request`` comes from ``open_request`` in this transaction; ``did`` is an account for which this browser has
    just entered the password, or which is signed in on it. A second approval replaces the unused code of the first.
    Raises InvalidInput for scopes that were not requested or without ``atproto``, Refused if the app asked for another
    account, Forbidden for an inactive account, RequestUnusable if the request was denied or its code was used.
    """
    granted = [scope for scope in request.scopes if scope in set(granted_scopes)]
    if set(granted_scopes) - set(granted) or ATPROTO not in granted:
        raise InvalidInput(
            "scope", gettext_noop("You can only allow what the app asked for. It always sees who you are.")
        )
    account = await accounts.find(tx, did)
    if account is None or account.status is not HostingStatus.ACTIVE:
        raise Forbidden(gettext_noop("This account is paused, so it can’t give apps access. Bring it back first."))
    if request.login_hint not in (None, account.did, account.handle):
        raise Refused(
            localizable(
                "The app asked for %(login_hint)s. Sign in with that account, or go back to the app.",
                login_hint=request.login_hint,
            )
        )
    if request.stage is RequestStage.DENIED or not await requests.store_decision(tx, request.id, RequestStage.APPROVED):
        raise _unusable(UnusableReason.ANSWERED)
    # The end of an account's tokens is dated to the end of its second. What is approved in the rest of that second must
    # not be dated before it.
    approved_at = Instant(max(tx.now, account.tokens_valid_after))
    code = secrets.token_urlsafe(32)
    is_stored = await codes.replace(
        tx,
        request.id,
        hash_token(code),
        did,
        scope=" ".join(granted),
        created_at=approved_at,
        expires_at=Instant(tx.now + CODE_LIFETIME),
    )
    if not is_stored:
        raise _unusable(UnusableReason.ANSWERED)
    await requests.keep_until(tx, request.id, Instant(tx.now + CODE_LIFETIME), device_id)
    await grants.remember(
        tx, did, request.client_id, requested=request.scopes, granted=granted, approved_at=approved_at
    )
    return answer_address(server, request, {"code": code})


async def deny(server: AuthorizationServer, tx: Transaction, request: AuthorizationRequest) -> str:
    """Deny the request. Return the URL to redirect the browser to, with ``error=access_denied``."""
    return await refuse(server, tx, request, "access_denied", "The user denied the request.")


async def refuse(
    server: AuthorizationServer, tx: Transaction, request: AuthorizationRequest, error: str, description: str
) -> str:
    """Refuse the request. Return the redirect URL with the error for the app: ``login_required``, ``consent_required``,
    ``account_selection_required`` (for ``prompt=none``), ``access_denied``, ``server_error``,
    ``temporarily_unavailable``.

    Raises RequestUnusable if the request was already approved.
    """
    if not await requests.store_decision(tx, request.id, RequestStage.DENIED):
        raise _unusable(UnusableReason.ANSWERED)
    return answer_address(server, request, {"error": error, "error_description": description})


def answer_address(server: AuthorizationServer, request: AuthorizationRequest, response: dict[str, str]) -> str:
    """Return the redirect URI with the response in the requested mode. It always contains ``iss`` (RFC 9207)."""
    text = urlencode({"state": request.state, "iss": server.issuer, **response})
    if request.response_mode == "fragment":
        return f"{request.redirect_uri}#{text}"
    return f"{request.redirect_uri}{'&' if '?' in request.redirect_uri else '?'}{text}"


async def list_sessions(server: AuthorizationServer, reader: Reader, did: Did) -> list[ConnectedApp]:
    """Return the authorized apps, newest first."""
    return await sessions.list_of(reader, server, did)


async def revoke_session(server: AuthorizationServer, tx: Transaction, did: Did, session_id: str) -> bool:
    """End one session of this account at the owner's request. Its tokens are refused from the next request on, and its
    app must ask again. Return False if it does not exist.
    """
    await grants.forget_app_of(tx, did, session_id)
    did_end = await sessions.end(tx, did, session_id)
    tx.after_commit(lambda: server.session_cache.forget(session_id))
    return did_end


def revoke_sessions_of(server: AuthorizationServer, w: Writer, did: Did) -> int:
    """End every session of this account and forget its grants, so that each app must ask again. Return the number of
    sessions.
    """
    ended_count = sessions.end_all_now(w, did)
    grants.forget(w, did)
    w.after_commit(lambda: server.session_cache.forget_account(did))
    return ended_count


_SENTENCES = {
    UnusableReason.UNKNOWN: gettext_noop("This request is no longer valid. Go back to the app and start again."),
    UnusableReason.EXPIRED: gettext_noop("This request has expired. Go back to the app and start again."),
    UnusableReason.ANSWERED: gettext_noop("You’ve already answered this request. Go back to the app."),
    UnusableReason.ANOTHER_CLIENT: gettext_noop(
        "This request belongs to another app. Go back to yours and start again."
    ),
    UnusableReason.ANOTHER_BROWSER: gettext_noop(
        "This request was opened in another browser. Go back to the app and start again here."
    ),
}


def _unusable(reason: UnusableReason) -> RequestUnusable:
    return RequestUnusable(reason, _SENTENCES[reason])
