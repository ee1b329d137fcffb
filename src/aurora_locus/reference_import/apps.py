"""Import of OAuth sessions and grants: apps stay signed in, and people are not asked for consent again.

The old server stored refresh tokens in plain text. Ours stores none, and finds the session by a value derived from the
token (``oauth.refresh_tokens``). Old access tokens are invalid on the new server, so the app refreshes, as it does
every hour. Sessions of clients whose authentication method is not part of the OAuth profile are left out.
"""

import sqlite3
from collections.abc import Iterator
from typing import Any

import msgspec

from at_protocol.oauth.client_id import ClientId
from at_protocol.syntax.did import Did, parse_did
from aurora_locus.oauth import sessions
from aurora_locus.oauth.model import ClientBinding, OAuthSession
from aurora_locus.oauth.refresh_tokens import session_id_of_reference_token
from aurora_locus.reference_import.old_folder import instant
from groundwork.clock import Instant
from groundwork.database.transaction import Writer

_TOKENS = """
    select did, clientId, clientAuth, parameters, scope, currentRefreshToken, createdAt, updatedAt
      from token
     where currentRefreshToken is not null and did in (select did from actor)
     order by id
"""
_CONSENTS = "select did, clientId, updatedAt, data from authorized_client where did in (select did from actor)"

_INSERT_GRANT = """
    insert into oauth_grants (did, client_id, asked_scope, scope, approved_at)
    values (:did, :client_id, :asked_scope, :scope, :approved_at)
"""


def app_sessions(db: sqlite3.Connection) -> Iterator[OAuthSession]:
    """Yield the OAuth sessions of apps that can be refreshed, with the expiry that they have on the new server."""
    for row in db.execute(_TOKENS):
        binding = _binding(msgspec.json.decode(row["clientAuth"]))
        session_id = session_id_of_reference_token(row["currentRefreshToken"])
        parameters = msgspec.json.decode(row["parameters"])
        jkt, scope = parameters.get("dpop_jkt"), parameters.get("scope")
        if binding is None or session_id is None or not jkt or not scope:
            continue
        created_at, refreshed_at = instant(row["createdAt"]), instant(row["updatedAt"])
        is_confidential = binding != ClientBinding()
        expires_at = sessions.session_ends(created_at, is_confidential=is_confidential, may_refresh=True)
        yield OAuthSession(
            id=session_id,
            did=parse_did(row["did"]),
            client_id=ClientId(row["clientId"]),
            binding=binding,
            jkt=jkt,
            scope=scope,
            expanded_scope=row["scope"] or scope,
            may_refresh=True,
            generation=0,
            created_at=created_at,
            refresh_expires_at=sessions.refresh_ends(refreshed_at, expires_at, is_confidential=is_confidential),
            expires_at=expires_at,
        )


def keep_apps(w: Writer, db: sqlite3.Connection) -> None:
    """Import every unexpired session, and every grant."""
    for session in app_sessions(db):
        if min(session.refresh_expires_at, session.expires_at) > w.now:
            sessions.insert(w, sessions.NewOAuthSession(session, None, b""))
    for row in db.execute(_CONSENTS):
        scope = " ".join(msgspec.json.decode(row["data"]).get("authorizedScopes", ()))
        if scope:
            _keep_consent(w, parse_did(row["did"]), row["clientId"], scope, instant(row["updatedAt"]))


def count(db: sqlite3.Connection) -> tuple[int, int]:
    """Return the number of sessions that continue, and of those that do not."""
    active_count = sum(1 for _ in app_sessions(db))
    return active_count, int(db.execute("select count(*) from token").fetchone()[0]) - active_count


def _keep_consent(w: Writer, did: Did, client_id: str, scope: str, approved_at: Instant) -> None:
    w.execute(_INSERT_GRANT, did=did, client_id=client_id, asked_scope=scope, scope=scope, approved_at=approved_at)


def _binding(auth: Any) -> ClientBinding | None:
    match auth:
        case {"method": "none"}:
            return ClientBinding()
        case {"method": "private_key_jwt", "kid": str(key_id), "alg": str(algorithm), "jkt": str(thumbprint)}:
            return ClientBinding(key_id=key_id, algorithm=algorithm, thumbprint=thumbprint)
        case _:
            return None
