"""Revocation (RFC 7009) and introspection (RFC 7662) of a token by the app that holds it."""

from collections.abc import Mapping

from at_protocol.failures import Malformed
from aurora_locus.oauth import refusals, sessions
from aurora_locus.oauth.client_authentication import AuthenticatedClient
from aurora_locus.oauth.model import OAuthSession
from aurora_locus.oauth.server import AuthorizationServer
from groundwork.clock import SECOND
from groundwork.database.transaction import Writer


async def revoke(
    server: AuthorizationServer, authenticated: AuthenticatedClient, jkt: str, form: Mapping[str, str]
) -> dict[str, object]:
    """End the session of a token. The response is the same for a token of another app. Without a proof, the client's
    authentication and the token are enough.
    """
    session_id = _session_of(server, _token(form))
    if session_id is not None:

        def work(w: Writer) -> None:
            session = sessions.find_now(w, session_id)
            if session is not None and _is_theirs(session, authenticated, jkt or session.jkt):
                sessions.end_now(w, session_id)
                w.after_commit(lambda: server.session_cache.forget(session_id))

        await server.registry.db.write(work)
    return {}


async def introspect(
    server: AuthorizationServer, authenticated: AuthenticatedClient, jkt: str, form: Mapping[str, str]
) -> dict[str, object]:
    """Return a token's state to the confidential client that holds it. In all other cases ``active`` is false."""
    if not authenticated.client.is_confidential:
        raise refusals.invalid_client("Only confidential clients may introspect tokens.")
    token, now = _token(form), server.registry.clock.now()
    session_id = _session_of(server, token)
    if session_id is None or await server.session_cache.owner_of(session_id) is None:
        return {"active": False}
    async with server.registry.db.reader() as reader:
        session = await sessions.find(reader, session_id)
    if session is None or not _is_theirs(session, authenticated, jkt):
        return {"active": False}
    introspection: dict[str, object] = {
        "active": True,
        "client_id": session.client_id,
        "sub": session.did,
        "scope": session.expanded_scope,
        "iss": server.issuer,
        "cnf": {"jkt": session.jkt},
    }
    name = server.refresh_tokens.read(token)
    if name is not None:
        if name.generation != session.generation or session.refresh_expires_at <= now:
            return {"active": False}
        return {**introspection, "exp": session.refresh_expires_at // SECOND}
    access = server.access_tokens.read(token)
    if access.expires_at <= now:
        return {"active": False}
    issued, expires_at = access.issued_at // SECOND, access.expires_at // SECOND
    return {**introspection, "token_type": "DPoP", "scope": access.scope, "iat": issued, "exp": expires_at}


def _token(form: Mapping[str, str]) -> str:
    token = form.get("token")
    if not token:
        raise refusals.invalid_request("token is missing.")
    return token


def _session_of(server: AuthorizationServer, token: str) -> str | None:
    """Return the session id of a token that we issued."""
    name = server.refresh_tokens.read(token)
    if name is not None:
        return name.session_id
    try:
        return server.access_tokens.read(token).session_id
    except Malformed:
        return None


def _is_theirs(session: OAuthSession, authenticated: AuthenticatedClient, jkt: str) -> bool:
    return session.client_id == authenticated.client.client_id and session.jkt == jkt
