"""Tables ``oauth_codes`` and ``oauth_challenges``. Used codes are remembered, because a second use means that the code
was stolen, and then its session ends.
"""

from dataclasses import dataclass

from at_protocol.syntax.did import Did
from groundwork.clock import DAY, Instant
from groundwork.database.transaction import Reader, Transaction, Writer

CHALLENGE_MEMORY = DAY

_FORGET_UNSPENT = "delete from oauth_codes where request_id = :request_id and spent_at is null"
_INSERT = """
    insert into oauth_codes (code_hash, request_id, did, scope, created_at, expires_at)
    values (:code_hash, :request_id, :did, :scope, :created_at, :expires_at)
    on conflict (request_id) do nothing
"""
_WAS_SPENT = "select 1 from oauth_codes where request_id = :request_id and spent_at is not null"
_FIND = """
    select request_id, did, scope, session_id, created_at, expires_at from oauth_codes where code_hash = :code_hash
"""
_SPEND = """
    update oauth_codes set spent_at = :now, session_id = :session_id
     where code_hash = :code_hash and spent_at is null and expires_at > :now
"""
_USE_CHALLENGE = """
    insert into oauth_challenges (code_challenge, used_at) values (:code_challenge, :now)
    on conflict (code_challenge) do nothing
"""
_SWEEP = "delete from oauth_codes where expires_at <= :long_ago"
_SWEEP_CHALLENGES = "delete from oauth_challenges where used_at <= :long_ago"


@dataclass(frozen=True, slots=True)
class AuthorizationCode:
    """A stored code. ``session_id`` is set once it was used."""

    request_id: bytes
    did: Did
    scope: str
    session_id: str | None
    created_at: Instant
    expires_at: Instant


async def replace(
    tx: Transaction,
    request_id: bytes,
    code_hash: bytes,
    did: Did,
    *,
    scope: str,
    created_at: Instant,
    expires_at: Instant,
) -> bool:
    """Store the authorization code of a request, replacing an unused one. Return False if one was already used."""
    await tx.execute(_FORGET_UNSPENT, request_id=request_id)
    row_count = await tx.execute(
        _INSERT,
        code_hash=code_hash,
        request_id=request_id,
        did=did,
        scope=scope,
        created_at=created_at,
        expires_at=expires_at,
    )
    return row_count == 1


async def was_spent(reader: Reader, request_id: bytes) -> bool:
    """Whether the app has exchanged the code."""
    return await reader.fetch_one(_WAS_SPENT, request_id=request_id) is not None


def find(w: Writer, code_hash: bytes) -> AuthorizationCode | None:
    """Find the authorization code with this hash, used or not."""
    row = w.fetch_one(_FIND, code_hash=code_hash)
    if row is None:
        return None
    return AuthorizationCode(
        bytes(row["request_id"]),
        Did(row["did"]),
        row["scope"],
        row["session_id"],
        Instant(row["created_at"]),
        Instant(row["expires_at"]),
    )


def spend(w: Writer, code_hash: bytes, session_id: str) -> bool:
    """Use an authorization code for a session. Return False if it was already used or has expired."""
    return w.execute(_SPEND, code_hash=code_hash, session_id=session_id, now=w.now) == 1


def use_challenge(w: Writer, code_challenge: str) -> bool:
    """Mark a PKCE challenge as used. Return False if it was used within the last day, because its verifier is no longer
    secret then.
    """
    return w.execute(_USE_CHALLENGE, code_challenge=code_challenge, now=w.now) == 1


def sweep(w: Writer) -> int:
    """Delete codes and challenges after a day. Return the number of codes."""
    w.execute(_SWEEP_CHALLENGES, long_ago=w.now - CHALLENGE_MEMORY)
    return w.execute(_SWEEP, long_ago=w.now - CHALLENGE_MEMORY)
