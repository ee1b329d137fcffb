"""Table ``oauth_sessions``: one row each time a person authorizes an app.

A refresh token names the session and its generation. Only the newest generation is valid, and use of an older one ends
the session.

Lifetimes follow the atproto OAuth specification, "Tokens and Session Lifetime"; some are shorter than it allows. A
public client cannot authenticate, so its sessions are short, no matter how often they are refreshed.
"""

from dataclasses import dataclass

from at_protocol.oauth.client_id import ClientId
from at_protocol.syntax.did import Did
from aurora_locus.oauth.access_tokens import LIFETIME
from aurora_locus.oauth.model import ClientBinding, ConnectedApp, OAuthSession
from aurora_locus.oauth.server import AuthorizationServer
from groundwork.clock import DAY, Instant
from groundwork.database.transaction import Reader, Row, Transaction, Writer

PUBLIC_SESSION = 14 * DAY
PUBLIC_REFRESH = 14 * DAY
CONFIDENTIAL_SESSION = 2 * 365 * DAY
CONFIDENTIAL_REFRESH = 90 * DAY
_COLUMNS = """
    id, did, client_id, auth_key_id, auth_algorithm, auth_thumbprint, jkt, scope, expanded_scope, may_refresh, generation,
    created_at, refresh_expires_at, expires_at
"""
_INSERT = """
    insert into oauth_sessions (id, did, client_id, client_name, auth_method, auth_key_id, auth_algorithm, auth_thumbprint,
                                jkt, scope, expanded_scope, may_refresh, generation, device_id, created_at, refreshed_at,
                                refresh_expires_at, expires_at)
    values (:id, :did, :client_id, :client_name, :auth_method, :auth_key_id, :auth_algorithm, :auth_thumbprint,
            :jkt, :scope, :expanded_scope, :may_refresh, 0,
            (select device_id from oauth_requests where id = :request_id), :now, :now, :refresh_expires_at, :expires_at)
"""
_FIND = f"select {_COLUMNS} from oauth_sessions where id = :id"
_ROTATE = """
    update oauth_sessions
       set generation = generation + 1, expanded_scope = :expanded_scope, refreshed_at = :now,
           refresh_expires_at = :refresh_expires_at
     where id = :id and generation = :generation
"""
_LIST = """
    select s.id, s.client_id, s.client_name, s.auth_key_id, s.scope, s.device_id, s.created_at, s.refreshed_at,
           case when s.may_refresh = 1 then s.refresh_expires_at else s.expires_at end as ends_at
      from oauth_sessions s join accounts a on a.did = s.did
     where s.did = :did and s.created_at >= a.tokens_valid_after and s.expires_at > :now and s.refresh_expires_at > :now
     order by s.created_at desc, s.id
"""
_END = "delete from oauth_sessions where id = :id"
_END_OWN = "delete from oauth_sessions where id = :id and did = :did"
_END_ALL = "delete from oauth_sessions where did = :did"
_SWEEP = """
    delete from oauth_sessions
     where refresh_expires_at <= :now or expires_at <= :now
        or created_at < (select a.tokens_valid_after from accounts a where a.did = oauth_sessions.did)
"""


def session_ends(created_at: Instant, *, is_confidential: bool, may_refresh: bool) -> Instant:
    """Return the absolute end of the session."""
    if not may_refresh:
        return Instant(created_at + LIFETIME)
    return Instant(created_at + (CONFIDENTIAL_SESSION if is_confidential else PUBLIC_SESSION))


def refresh_ends(now: Instant, ends_at: Instant, *, is_confidential: bool) -> Instant:
    """Return the expiry of a refresh token issued now."""
    return min(Instant(now + (CONFIDENTIAL_REFRESH if is_confidential else PUBLIC_REFRESH)), ends_at)


def access_ends(now: Instant, ends_at: Instant) -> Instant:
    """Return the expiry of an access token issued now."""
    return min(Instant(now + LIFETIME), ends_at)


@dataclass(frozen=True, slots=True)
class NewOAuthSession:
    """Values of a new OAuth session."""

    session: OAuthSession
    client_name: str | None
    request_id: bytes


def insert(w: Writer, new_session: NewOAuthSession) -> None:
    """Insert the session for a code. It belongs to the browser in which the request was approved."""
    session = new_session.session
    w.execute(
        _INSERT,
        id=session.id,
        did=session.did,
        client_id=session.client_id,
        client_name=new_session.client_name,
        auth_method=session.binding.method,
        auth_key_id=session.binding.key_id,
        auth_algorithm=session.binding.algorithm,
        auth_thumbprint=session.binding.thumbprint,
        jkt=session.jkt,
        scope=session.scope,
        expanded_scope=session.expanded_scope,
        may_refresh=int(session.may_refresh),
        request_id=new_session.request_id,
        now=session.created_at,
        refresh_expires_at=session.refresh_expires_at,
        expires_at=session.expires_at,
    )


async def find(reader: Reader, session_id: str) -> OAuthSession | None:
    """Find the OAuth session with this id, expired or not."""
    row = await reader.fetch_one(_FIND, id=session_id)
    return None if row is None else _from_row(row)


def find_now(w: Writer, session_id: str) -> OAuthSession | None:
    """Find the OAuth session with this id, expired or not, within a write transaction."""
    row = w.fetch_one(_FIND, id=session_id)
    return None if row is None else _from_row(row)


def rotate(w: Writer, session: OAuthSession, *, expanded_scope: str, refresh_expires_at: Instant) -> bool:
    """Replace the current refresh token with the next one. Return False if a concurrent request did so first."""
    return (
        w.execute(
            _ROTATE,
            id=session.id,
            generation=session.generation,
            expanded_scope=expanded_scope,
            refresh_expires_at=refresh_expires_at,
            now=w.now,
        )
        == 1
    )


async def list_of(reader: Reader, server: AuthorizationServer, did: Did) -> list[ConnectedApp]:
    """Return the valid OAuth sessions of an account, newest first."""
    return [_app(row, server) for row in await reader.fetch(_LIST, did=did, now=reader.now)]


def end_now(w: Writer, session_id: str) -> bool:
    """End an OAuth session. Return whether it existed."""
    return w.execute(_END, id=session_id) == 1


async def end(tx: Transaction, did: Did, session_id: str) -> bool:
    """End one OAuth session of an account. Return False if the account has no such session."""
    return await tx.execute(_END_OWN, id=session_id, did=did) == 1


def end_all_now(w: Writer, did: Did) -> int:
    """End all OAuth sessions of an account and return how many."""
    return w.execute(_END_ALL, did=did)


def sweep(w: Writer) -> int:
    """Delete expired OAuth sessions and return how many."""
    return w.execute(_SWEEP, now=w.now)


def _from_row(row: Row) -> OAuthSession:
    return OAuthSession(
        id=row["id"],
        did=Did(row["did"]),
        client_id=ClientId(row["client_id"]),
        binding=ClientBinding(
            key_id=row["auth_key_id"], algorithm=row["auth_algorithm"], thumbprint=row["auth_thumbprint"]
        ),
        jkt=row["jkt"],
        scope=row["scope"],
        expanded_scope=row["expanded_scope"],
        may_refresh=bool(row["may_refresh"]),
        generation=row["generation"],
        created_at=Instant(row["created_at"]),
        refresh_expires_at=Instant(row["refresh_expires_at"]),
        expires_at=Instant(row["expires_at"]),
    )


def _app(row: Row, server: AuthorizationServer) -> ConnectedApp:
    client_id = ClientId(row["client_id"])
    return ConnectedApp(
        id=row["id"],
        client_id=client_id,
        client_name=row["client_name"] if client_id in server.trusted_clients else None,
        is_confidential=row["auth_key_id"] is not None,
        scopes=tuple(row["scope"].split()),
        device_id=row["device_id"],
        created_at=Instant(row["created_at"]),
        refreshed_at=Instant(row["refreshed_at"]),
        expires_at=Instant(row["ends_at"]),
    )
