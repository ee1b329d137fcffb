"""SQL for repository sessions, and for the OAuth sign-ins that open them.

A session is one row per DID, with its version and the lease of the process that refreshes it. A pending sign-in can be
completed once.
"""

from dataclasses import dataclass

from at_protocol.syntax.did import Did
from groundwork.clock import Instant
from groundwork.database.pages import delete_some
from groundwork.database.transaction import Reader, Row, Transaction
from openmeet.domain.identities.model import NewSession, PdsSessionKind, SealedSession
from openmeet.domain.users.model import UserId

COLUMNS = """did, kind, pds_url, sealed, issuer, client_id, client_key_id, scope, asked_scope, access_ends_at, version,
    needs_login, refreshed_at"""

# The first version is the current time, so an ended session and a later one of the same DID never share a version.
PUT = """
    insert into repository_sessions (did, kind, pds_url, sealed, issuer, client_id, client_key_id, scope, asked_scope,
                                     access_ends_at, version, needs_login, lease, leased_until, refreshed_at, updated_at)
    values (:did, :kind, :pds_url, :sealed, :issuer, :client_id, :client_key_id, :scope, :asked_scope,
            :access_ends_at, :now, 0, '', null, :now, :now)
        on conflict (did) do update
       set kind = excluded.kind, pds_url = excluded.pds_url, sealed = excluded.sealed, issuer = excluded.issuer,
           client_id = excluded.client_id, client_key_id = excluded.client_key_id, scope = excluded.scope,
           asked_scope = excluded.asked_scope, access_ends_at = excluded.access_ends_at,
           version = case when excluded.version > repository_sessions.version then excluded.version
                          else repository_sessions.version + 1 end,
           needs_login = 0, lease = '', leased_until = null, refreshed_at = excluded.refreshed_at,
           updated_at = excluded.updated_at
"""

FIND = f"select {COLUMNS} from repository_sessions where did = :did"

# A session is used only for the user who opened it, because its DID may belong to another user by now.
FIND_OF = f"""
    select {COLUMNS} from repository_sessions
     where did = :did and exists (select 1 from identities i where i.did = :did and i.user_id = :user_id)
"""

OF_USER = f"""
    select {COLUMNS} from repository_sessions
     where did in (select did from identities where user_id = :user_id) order by did
"""

# Custodial accounts sign in again on their own, so signing out of them would have no effect.
_AT_SERVERS = """exists (
        select 1 from identities si join repository_sessions ss on ss.did = si.did
         where si.user_id = {person} and si.kind = 'connected' and ss.needs_login = 0)"""

LEASE = """
    update repository_sessions set lease = :lease, leased_until = :until
     where did = :did and version = :version and needs_login = 0 and (leased_until is null or leased_until <= :now)
"""

RELEASE = """
    update repository_sessions set lease = '', leased_until = null
        where did = :did and version = :version and lease = :lease
"""

REPLACE = """
    update repository_sessions
       set sealed = :sealed, scope = :scope, access_ends_at = :access_ends_at, version = version + 1, lease = '',
           leased_until = null, refreshed_at = :now, updated_at = :now
     where did = :did and version = :version and lease = :lease
"""

NEEDS_LOGIN = """
    update repository_sessions set needs_login = 1, lease = '', leased_until = null, updated_at = :now
     where did = :did and version = :version
"""

# Sessions of users who publish and of repositories with pending publications. Their tokens must work when they are
# needed. Custodial accounts sign in again on their own.
TO_KEEP_ALIVE = """
    select s.did from repository_sessions s join identities i on i.did = s.did
     where i.kind = 'connected' and s.needs_login = 0 and s.refreshed_at <= :before and i.status = 'active'
       and (exists (select 1 from consents c where c.user_id = i.user_id and c.publishing = 1)
            or exists (select 1 from publications p
                        where p.did = s.did and p.state in ('waiting', 'due', 'sending', 'retrying', 'retracting')))
     order by s.updated_at, s.did limit :limit
"""

NOTE_TRIED = "update repository_sessions set updated_at = :now where did in :dids and needs_login = 0"

_IS_EXPIRED = """
    (needs_login = 1 and updated_at <= :over_before) or (kind = 'oauth' and refreshed_at <= :unused_before)
"""

DELETE = "delete from repository_sessions where did = :did"
INSERT_AUTHORIZATION = """
    insert into oauth_requests (state_hash, sealed, created_at, expires_at, used_at)
    values (:state_hash, :sealed, :now, :expires_at, null)
"""
FIND_AUTHORIZATION = "select sealed, expires_at from oauth_requests where state_hash = :state_hash and used_at is null"
USE_AUTHORIZATION = """
    update oauth_requests set used_at = :now where state_hash = :state_hash and used_at is null and expires_at > :now
"""
# Rows are kept for a day after expiry, to tell an expired sign-in from an unknown one.
_IS_OLD_AUTHORIZATION = "expires_at <= :before or used_at is not null"


@dataclass(frozen=True, slots=True)
class PendingAuthorization:
    """A sign-in that was started but not completed."""

    sealed: bytes
    is_over: bool


def is_at_servers(person: str) -> str:
    """SQL condition: this user (a column or parameter) has an open session at the PDS of one of their accounts."""
    return _AT_SERVERS.format(person=person)


async def has_session_at_servers(reader: Reader, user_id: UserId) -> bool:
    """Whether a user has an open session at the PDS of one of their accounts."""
    row = await reader.fetch_one(
        f"select case when {is_at_servers(':user_id')} then 1 else 0 end as found", user_id=user_id
    )
    return row is not None and bool(row["found"])


async def put(tx: Transaction, new: NewSession) -> None:
    """Store the session of a sign-in. Replaces an earlier session of the DID."""
    await tx.execute(
        PUT,
        did=new.did,
        kind=new.kind.value,
        pds_url=new.pds_url,
        sealed=new.sealed,
        issuer=new.issuer,
        client_id=new.client_id,
        client_key_id=new.client_key_id,
        scope=new.scope,
        asked_scope=new.asked_scope,
        access_ends_at=new.access_ends_at,
        now=tx.now,
    )


async def find(reader: Reader, did: str) -> SealedSession | None:
    row = await reader.fetch_one(FIND, did=did)
    return None if row is None else session_of(row)


async def find_of(reader: Reader, did: str, user_id: str) -> SealedSession | None:
    """The session of a DID, if it belongs to this user."""
    row = await reader.fetch_one(FIND_OF, did=did, user_id=user_id)
    return None if row is None else session_of(row)


async def of_user(reader: Reader, user_id: str) -> list[SealedSession]:
    """The sessions of all DIDs of a user."""
    return [session_of(row) for row in await reader.fetch(OF_USER, user_id=user_id)]


async def take_lease(tx: Transaction, before: SealedSession, lease: str, *, until: Instant) -> bool:
    """Take the lease to refresh this version. False if another process holds it or has already refreshed."""
    return (await tx.execute(LEASE, did=before.did, version=before.version, lease=lease, until=until, now=tx.now)) == 1


async def release(tx: Transaction, before: SealedSession, lease: str) -> None:
    """Release the lease after a failed refresh."""
    await tx.execute(RELEASE, did=before.did, version=before.version, lease=lease)


async def replace(
    tx: Transaction,
    before: SealedSession,
    lease: str,
    *,
    sealed: bytes,
    scope: str,
    access_ends_at: Instant | None,
) -> bool:
    """Store refreshed tokens by compare-and-set. False if the lease expired and another process refreshed, or the
    session was replaced.
    """
    changed = await tx.execute(
        REPLACE,
        did=before.did,
        version=before.version,
        lease=lease,
        sealed=sealed,
        scope=scope,
        access_ends_at=access_ends_at,
        now=tx.now,
    )
    return changed == 1


async def set_needs_login(tx: Transaction, before: SealedSession) -> bool:
    """End the session. False if it has been refreshed or replaced since."""
    return await tx.execute(NEEDS_LOGIN, did=before.did, version=before.version, now=tx.now) == 1


async def take_to_keep_alive(tx: Transaction, *, before: Instant, limit: int) -> list[str]:
    """DIDs of sessions to keep alive that were not refreshed since, the least recently updated first.

    They move to the end of the order even if the refresh fails, so that one unavailable server does not delay others.
    """
    dids = [row["did"] for row in await tx.fetch(TO_KEEP_ALIVE, before=before, limit=limit)]
    if dids:
        await tx.execute(NOTE_TRIED, dids=dids, now=tx.now)
    return dids


async def delete_expired(tx: Transaction, *, over_before: Instant, unused_before: Instant) -> int:
    return await delete_some(
        tx, "repository_sessions", _IS_EXPIRED, over_before=over_before, unused_before=unused_before
    )


async def delete(tx: Transaction, did: str) -> None:
    await tx.execute(DELETE, did=did)


def session_of(row: Row) -> SealedSession:
    """Parse a row of ``COLUMNS``."""
    ends = row["access_ends_at"]
    return SealedSession(
        Did(row["did"]),
        PdsSessionKind(row["kind"]),
        row["pds_url"],
        bytes(row["sealed"]),
        row["issuer"],
        row["client_id"],
        row["client_key_id"],
        row["scope"],
        row["asked_scope"],
        None if ends is None else Instant(ends),
        row["version"],
        bool(row["needs_login"]),
        Instant(row["refreshed_at"]),
    )


async def insert_authorization(tx: Transaction, state_hash: bytes, sealed: bytes, *, expires_at: Instant) -> None:
    await tx.execute(INSERT_AUTHORIZATION, state_hash=state_hash, sealed=sealed, expires_at=expires_at, now=tx.now)


async def find_authorization(reader: Reader, state_hash: bytes) -> PendingAuthorization | None:
    row = await reader.fetch_one(FIND_AUTHORIZATION, state_hash=state_hash)
    return None if row is None else PendingAuthorization(bytes(row["sealed"]), row["expires_at"] <= reader.now)


async def use_authorization(tx: Transaction, state_hash: bytes) -> bool:
    """Consume the row. If two callbacks have the same state, only one of them gets it."""
    return await tx.execute(USE_AUTHORIZATION, state_hash=state_hash, now=tx.now) == 1


async def forget_old_authorizations(tx: Transaction, before: Instant) -> int:
    return await delete_some(tx, "oauth_requests", _IS_OLD_AUTHORIZATION, before=before)
