"""Token endpoint: codes and refresh tokens (RFC 6749 sections 4.1.3 and 6; OAuth 2.1 draft).

Rules: a code is used once, and a second use ends its session. A refresh token is used once, without a grace period: of
two requests with the same token one succeeds and the other ends the session, because one of them may come from an
attacker and we cannot tell which. A refresh token that is presented by another client, with another key, or after its
account's tokens were ended is treated as stolen, and also ends the session. Every decision and its consequences are one
transaction.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace

from at_protocol.failures import Malformed
from at_protocol.oauth import pkce
from at_protocol.syntax.did import Did
from aurora_locus.oauth import codes, refusals, requests, sessions
from aurora_locus.oauth.client_authentication import AuthenticatedClient
from aurora_locus.oauth.codes import AuthorizationCode
from aurora_locus.oauth.model import AuthorizationRequest, ClientBinding, OAuthSession
from aurora_locus.oauth.permission_documents import expanded
from aurora_locus.oauth.server import AuthorizationServer
from aurora_locus.oauth.sessions import NewOAuthSession
from aurora_locus.repository.model import HostingStatus
from groundwork.clock import SECOND, Instant
from groundwork.database.transaction import Writer
from groundwork.errors import Failure
from groundwork.token_hash import hash_token

_VALID_SINCE = """
    select r.status, a.tokens_valid_after from accounts a join repositories r on r.did = a.did where a.did = :did
"""


@dataclass(frozen=True, slots=True)
class IssuedSession:
    """A session for which tokens are issued."""

    session: OAuthSession
    issued_at: Instant


async def for_code(
    server: AuthorizationServer, authenticated: AuthenticatedClient, jkt: str, form: Mapping[str, str]
) -> dict[str, object]:
    """Return the response to ``grant_type=authorization_code``. Raises ``invalid_grant`` for any problem with the code."""
    code_hash = hash_token(form.get("code", ""))
    verifier, redirect_uri = form.get("code_verifier", ""), form.get("redirect_uri", "")
    session_id = secrets.token_urlsafe(16)

    def work(w: Writer) -> IssuedSession | None:
        code = codes.find(w, code_hash)
        if code is None:
            return None
        if code.session_id is not None:
            _end(w, server, code.session_id)
            return None
        request = requests.find_by_id(w, server, code.request_id)
        issued_at = _issue_time(w, code.did, code.created_at)
        if request is None or issued_at is None:
            return None
        if not _is_theirs(request, authenticated, jkt) or redirect_uri != request.redirect_uri:
            return None
        if not _verifies_challenge(verifier, request.code_challenge) or not codes.use_challenge(
            w, request.code_challenge
        ):
            return None
        if not codes.spend(w, code_hash, session_id):
            return None
        session = _session(session_id, code, request, issued_at)
        client = request.client
        sessions.insert(w, NewOAuthSession(session, client.name, request.id))
        return IssuedSession(session, issued_at)

    issued = await server.registry.db.write(work)
    if issued is None:
        raise refusals.invalid_grant()
    return _token_response(server, issued)


async def for_refresh_token(
    server: AuthorizationServer, authenticated: AuthenticatedClient, jkt: str, form: Mapping[str, str]
) -> dict[str, object]:
    """Return the response to ``grant_type=refresh_token``. Raises ``invalid_grant``."""
    name = server.refresh_tokens.read(form.get("refresh_token", ""))
    if name is None:
        raise refusals.invalid_grant()
    async with server.registry.db.reader() as reader:
        stored_session = await sessions.find(reader, name.session_id)
    if stored_session is None:
        raise refusals.invalid_grant()
    if set(form.get("scope", "").split()) - {*stored_session.scope.split(), *stored_session.expanded_scope.split()}:
        raise refusals.invalid_scope("A refresh cannot add scopes. Request authorization again for other scopes.")
    expanded_scope = await _expanded_again(server, stored_session)

    def work(w: Writer) -> IssuedSession | None:
        session = sessions.find_now(w, name.session_id)
        if session is None:
            return None
        issued_at = _issue_time(w, session.did, session.created_at)
        is_good = (
            issued_at is not None
            and name.generation == session.generation
            and session.may_refresh
            and session.client_id == authenticated.client.client_id
            and session.binding == authenticated.binding
            and session.jkt == jkt
            and min(session.refresh_expires_at, session.expires_at) > w.now
        )
        refresh_expires_at = sessions.refresh_ends(w.now, session.expires_at, is_confidential=_is_confidential(session))
        if (
            not is_good
            or issued_at is None
            or not sessions.rotate(w, session, expanded_scope=expanded_scope, refresh_expires_at=refresh_expires_at)
        ):
            _end(w, server, session.id)
            return None
        return IssuedSession(
            replace(session, expanded_scope=expanded_scope, generation=session.generation + 1), issued_at
        )

    issued = await server.registry.db.write(work)
    if issued is None:
        raise refusals.invalid_grant()
    return _token_response(server, issued)


async def end_for_lost_key(server: AuthorizationServer, form: Mapping[str, str], key_id: str) -> None:
    """End the session of a client that refreshes with a key that it no longer publishes, if the session is bound to
    that key.
    """
    name = server.refresh_tokens.read(form.get("refresh_token", ""))
    if name is None:
        return

    def work(w: Writer) -> None:
        session = sessions.find_now(w, name.session_id)
        if session is not None and session.binding.key_id == key_id:
            _end(w, server, session.id)

    await server.registry.db.write(work)


def _token_response(server: AuthorizationServer, issued: IssuedSession) -> dict[str, object]:
    session = issued.session
    ends_at = sessions.access_ends(issued.issued_at, session.expires_at)
    token = server.access_tokens.sign(
        session.did,
        session.id,
        session.client_id,
        session.expanded_scope,
        session.jkt,
        issued_at=issued.issued_at,
        ends_at=ends_at,
    )
    response: dict[str, object] = {
        "access_token": token,
        "token_type": "DPoP",
        "expires_in": (ends_at - issued.issued_at) // SECOND,
        "scope": session.expanded_scope,
        "sub": session.did,
    }
    if session.may_refresh:
        response["refresh_token"] = server.refresh_tokens.make(session.id, session.generation)
    return response


async def _expanded_again(server: AuthorizationServer, session: OAuthSession) -> str:
    """Expand the session's scopes with the permission sets as they are published now.

    This is done before the transaction, which must not wait for the network. If a set cannot be fetched, nothing
    changes.
    """
    if "include:" not in session.scope:
        return session.expanded_scope
    scopes = session.scope.split()
    try:
        return expanded(scopes, await server.permission_documents.find_all(scopes))
    except Failure:
        return session.expanded_scope


def _issue_time(w: Writer, did: Did, since: Instant) -> Instant | None:
    """Return the issue time of a token; None if the account may not authorize apps, or ended its sessions after this
    one began.

    Tokens carry whole seconds. A new token that is issued in the second in which older ones were ended must not be
    dated before that end.
    """
    row = w.fetch_one(_VALID_SINCE, did=did)
    if row is None or row["status"] != HostingStatus.ACTIVE.value or since < row["tokens_valid_after"]:
        return None
    return Instant(max(w.now, row["tokens_valid_after"]))


def _is_theirs(request: AuthorizationRequest, authenticated: AuthenticatedClient, jkt: str) -> bool:
    return (
        request.client_id == authenticated.client.client_id
        and request.binding == authenticated.binding
        and request.jkt == jkt
    )


def _verifies_challenge(verifier: str, challenge: str) -> bool:
    try:
        return pkce.answers(verifier, challenge)
    except Malformed:
        return False


def _session(session_id: str, code: AuthorizationCode, request: AuthorizationRequest, now: Instant) -> OAuthSession:
    is_confidential, may_refresh = request.binding != ClientBinding(), request.client.may_refresh
    expires_at = sessions.session_ends(now, is_confidential=is_confidential, may_refresh=may_refresh)
    return OAuthSession(
        id=session_id,
        did=code.did,
        client_id=request.client_id,
        binding=request.binding,
        jkt=request.jkt,
        scope=code.scope,
        expanded_scope=expanded(code.scope.split(), request.permission_sets),
        may_refresh=may_refresh,
        generation=0,
        created_at=now,
        refresh_expires_at=sessions.refresh_ends(now, expires_at, is_confidential=is_confidential),
        expires_at=expires_at,
    )


def _is_confidential(session: OAuthSession) -> bool:
    return session.binding != ClientBinding()


def _end(w: Writer, server: AuthorizationServer, session_id: str) -> None:
    sessions.end_now(w, session_id)
    w.after_commit(lambda: server.session_cache.forget(session_id))
