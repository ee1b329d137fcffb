"""Sessions of repositories: sealed at rest, refreshed by one worker at a time, kept alive, and ended when their account
moves.

A refresh token works only once. A worker that wants to use it first takes the row's lease, in a short separate
transaction, and stores the result by compare-and-set on the row's version; all others wait and find the new tokens
there. The result of a refresh that was sent is stored even if the request that caused it was cancelled. If a process
crashes between the server's response and the store, the session's token is used up: its lease ends, the next worker
tries the old token, and if the server does not allow a second use, the person has to sign in again. Nothing else is
lost.

An ended session is marked as such. A custodial account signs in again on its own; other people must sign in themselves
(``NotSignedIn``). An unreachable server does not end a session.
"""

import asyncio
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from at_network.bearer_session import BearerTokens, create_session, delete_session, refresh_session
from at_network.oauth_client import INVALID_GRANT
from at_protocol.crypto import p256
from groundwork.clock import DAY, SECOND, Instant
from groundwork.database.pages import change_in_pages
from groundwork.database.transaction import Database, Transaction
from groundwork.errors import Failure, NotFound, NotSignedIn, RemoteSlow, Unavailable
from groundwork.sealing import CannotUnseal
from groundwork.telemetry.logs import log
from openmeet.domain.identities import queries, session_queries
from openmeet.domain.identities.model import ACTIVE, CustodialAccount, Identity, IdentityKind, NewSession, SealedSession
from openmeet.domain.users.model import UserId
from openmeet.network.repositories import credentials_cache, oauth_client_keys, session_sealing
from openmeet.network.repositories.clients import NetworkClients
from openmeet.network.repositories.credentials_cache import CachedCredentials
from openmeet.network.repositories.reasons import RepositoryReason
from openmeet.network.repositories.session_sealing import (
    PdsSession,
    new_password_session,
    seal,
    unseal,
    unseal_password,
)
from openmeet.outbox import publication_rechecks

# Errors that servers return for an ended session, even for a token that was just received.
_ENDED = frozenset({"AuthMissing", "AuthenticationRequired", "ExpiredToken", "InvalidToken", "invalid_token"})

# Longer than a refresh can take: two lookups, two requests of ten seconds each, and the store.
LEASE_SECONDS = 60
# A worker that finds the lease taken waits this long for the holder's tokens. If the holder is another process, it checks
# at this interval.
_WAIT_SECONDS = 25.0
_LOOK_SECONDS = 0.05
# Nothing slow happens between lease and request. A process that was suspended in between must not send any more.
_SEND_WITHIN_SECONDS = 30.0


async def open_session(db: Database, network: NetworkClients, identity: Identity) -> PdsSession:
    """Return the session in which we act for a DID. Raises NotSignedIn if the person must sign in (again)."""
    async with db.reader() as reader:
        stored = await session_queries.find_of(reader, identity.did, identity.user_id)
        account = await queries.custodial_account(reader, identity.user_id)
    if stored is not None and not stored.needs_login:
        cached = await credentials_cache.get(network, identity.user_id, identity.did, stored.version)
        if cached is not None:
            key = p256.P256PrivateKey(cached.key) if cached.key else None
            return PdsSession(stored, cached.access_jwt, cached.refresh_jwt, key)
        try:
            session = unseal(network, stored)
        except CannotUnseal:
            log.warning("session.sealed_with_lost_key", did=identity.did)
        else:
            await _cache_session(network, identity, session)
            return session
    if identity.kind is not IdentityKind.CUSTODIAL or account is None or account.did != identity.did:
        raise NotSignedIn(RepositoryReason.SIGN_IN_AGAIN)
    return await _sign_in_custodial(db, network, identity, account)


async def refresh(db: Database, network: NetworkClients, did: str) -> None:
    """Refresh the session of a DID. Also raises NotSignedIn if nobody here has that DID; otherwise the same errors as
    ``renew``.
    """
    async with db.reader() as reader:
        identity = await queries.find(reader, did)
    if identity is None:
        raise NotSignedIn(RepositoryReason.SIGN_IN_AGAIN)
    await renew(db, network, identity, await open_session(db, network, identity))


async def renew(db: Database, network: NetworkClients, identity: Identity, session: PdsSession) -> PdsSession:
    """Return the session with fresh tokens: those that another worker has obtained since, or new ones.

    Raises NotSignedIn (the session has ended), Unavailable (another worker is refreshing it and does not finish), and
    the errors of the server.
    """
    lease = secrets.token_urlsafe(12)
    patience = time.monotonic() + _WAIT_SECONDS
    while True:
        async with db.transaction() as tx:
            stored = await session_queries.find_of(tx, identity.did, identity.user_id)
            if stored is None or stored.needs_login:
                raise NotSignedIn(RepositoryReason.SIGN_IN_AGAIN)
            if stored.version != session.stored.version:
                return _unsealed(network, stored)
            until = Instant(tx.now + LEASE_SECONDS * SECOND)
            if await session_queries.take_lease(tx, stored, lease, until=until):
                break
        if time.monotonic() > patience:
            raise Unavailable(RepositoryReason.SESSION_BUSY)
        if running := network.renewals.get(identity.did):
            await asyncio.wait([running], timeout=patience - time.monotonic())
        else:
            await asyncio.sleep(_LOOK_SECONDS)
    task = asyncio.create_task(_refresh_tokens(db, network, identity, session, lease))
    # Once the request is sent, the response must be stored: the caller may disconnect, but the token is used up.
    network.refreshing.add(task)
    network.renewals[identity.did] = task
    task.add_done_callback(lambda done: _forget_task(network, identity.did, done))
    return await asyncio.shield(task)


def _forget_task(network: NetworkClients, did: str, done: "asyncio.Task[PdsSession]") -> None:
    network.refreshing.discard(done)
    if network.renewals.get(did) is done:
        del network.renewals[did]
    # If no caller awaits the task any more, nobody retrieves the exception, and the event loop would report it as an
    # error.
    if not done.cancelled():
        done.exception()


async def note_refused(
    db: Database, network: NetworkClients, identity: Identity, session: SealedSession, refused: NotSignedIn
) -> None:
    """Note that the PDS no longer accepts this session: the next use needs a login (automatic for a custodial account).

    A refusal with another cause, such as a proof, does not end the session, and neither does a newer sign-in.
    """
    if refused.name in _ENDED:
        await end(db, network, identity, session)


async def end(db: Database, network: NetworkClients, identity: Identity, session: SealedSession) -> None:
    """Mark the session as ended at the server: the next use needs a login."""
    async with db.transaction() as tx:
        await session_queries.set_needs_login(tx, session)
    await credentials_cache.drop(network, identity.user_id)


async def _refresh_tokens(
    db: Database, network: NetworkClients, identity: Identity, session: PdsSession, lease: str
) -> PdsSession:
    """Request new tokens under the lease, and store them."""
    started = time.monotonic()
    try:
        fresh = await _refresh(db, network, session, before=started + _SEND_WITHIN_SECONDS)
    except NotSignedIn as refused:
        await end(db, network, identity, session.stored)
        log.info("session.ended", did=identity.did, reason=refused.name)
        raise NotSignedIn(RepositoryReason.SIGN_IN_AGAIN, name=refused.name) from refused
    except Failure:
        async with db.transaction() as tx:
            await session_queries.release(tx, session.stored, lease)
        raise
    sealed = seal(network, identity.did, fresh.access, fresh.refresh, session.key)
    async with db.transaction() as tx:
        is_stored = await session_queries.replace(
            tx,
            session.stored,
            lease,
            sealed=sealed,
            scope=fresh.scope,
            access_ends_at=fresh.access_ends_at,
        )
        stored = await session_queries.find(tx, identity.did)
    if stored is None:
        # The person signed out in the meantime, and the token that was revoked may be the one that this refresh
        # replaced.
        await revoke_at_server(db, network, replace(session.stored, sealed=sealed))
        raise NotSignedIn(RepositoryReason.SIGN_IN_AGAIN)
    if not is_stored:
        raise Unavailable(RepositoryReason.SESSION_BUSY)
    renewed = PdsSession(stored, fresh.access, fresh.refresh, session.key)
    await _cache_session(network, identity, renewed)
    return renewed


@dataclass(frozen=True, slots=True)
class _RefreshedTokens:
    access: str = field(repr=False)
    refresh: str = field(repr=False)
    scope: str
    access_ends_at: Instant | None


async def _refresh(db: Database, network: NetworkClients, session: PdsSession, *, before: float) -> _RefreshedTokens:
    stored = session.stored
    if session.key is None:
        _still_in_time(before)
        old = BearerTokens(stored.did, session.access, session.refresh)
        tokens = await refresh_session(network.http, network.clock, stored.pds_url, old, circuits=network.circuits)
        return _RefreshedTokens(tokens.access, tokens.refresh, "", None)
    if not session.refresh:
        raise NotSignedIn(RepositoryReason.SIGN_IN_AGAIN, name="NoRefreshToken")
    await _check_residence(network, stored)
    client = await oauth_client_keys.client_of_session(
        db, network, client_id=stored.client_id, key_id=stored.client_key_id
    )
    server = await network.servers.at(stored.issuer)
    _still_in_time(before)
    granted = await network.oauth.refresh(server, client, session.key, session.refresh)
    if granted.did != stored.did:
        raise NotSignedIn(RepositoryReason.SERVER_NAMED_OTHER_ACCOUNT, name=INVALID_GRANT)
    # A server that does not rotate refresh tokens sends none.
    refresh = granted.refresh or session.refresh
    return _RefreshedTokens(granted.access, refresh, granted.scope, access_end(network, granted.expires_in_seconds))


async def _check_residence(network: NetworkClients, stored: SealedSession) -> None:
    """Make sure that the account has not moved, so that no token is sent to its old server.

    The document is resolved afresh; the cached one is used only if no server responds.
    """
    network.dids.recheck(stored.did)
    try:
        document = await network.dids.resolve(stored.did)
    except NotFound as failure:
        raise NotSignedIn(RepositoryReason.ACCOUNT_CLOSED, name="IdentityGone") from failure
    if document.pds != stored.pds_url or await network.servers.issuer_of(document.pds) != stored.issuer:
        raise NotSignedIn(RepositoryReason.ACCOUNT_MOVED, name="AccountMoved")


def access_end(network: NetworkClients, seconds: int | None) -> Instant | None:
    """Return when an access token with this lifetime, starting now, expires."""
    return None if seconds is None else Instant(network.clock.now() + seconds * SECOND)


def _still_in_time(before: float) -> None:
    if time.monotonic() > before:
        raise Unavailable(RepositoryReason.SESSION_BUSY)


async def _sign_in_custodial(
    db: Database, network: NetworkClients, identity: Identity, account: CustodialAccount
) -> PdsSession:
    tokens = await create_session(
        network.http,
        network.clock,
        identity.pds_url,
        identity.did,
        unseal_password(network, account),
        circuits=network.circuits,
        headers=network.custodial_headers(identity.pds_url),
    )
    async with db.transaction() as tx:
        await session_queries.put(tx, new_password_session(network, identity.pds_url, tokens))
        stored = await session_queries.find(tx, identity.did)
    if stored is None:
        raise Unavailable(RepositoryReason.SESSION_BUSY)
    return PdsSession(stored, tokens.access, tokens.refresh, None)


async def _cache_session(network: NetworkClients, identity: Identity, session: PdsSession) -> None:
    key = session.key.to_bytes() if session.key is not None else b""
    credentials = CachedCredentials(
        identity.did, identity.handle, session.access, session.refresh, session.stored.version, key
    )
    await credentials_cache.put(network, identity.user_id, credentials)


def _unsealed(network: NetworkClients, stored: SealedSession) -> PdsSession:
    try:
        return unseal(network, stored)
    except CannotUnseal:
        raise NotSignedIn(RepositoryReason.SIGN_IN_AGAIN) from None


# Best effort: tokens of an unreachable server expire on their own.
REVOKE_SECONDS = 5.0


async def delete_all(tx: Transaction, user_id: UserId) -> list[SealedSession]:
    """Delete a person's sessions here; return those to revoke (``revoke_all_at_servers``) once the deletion is durable."""
    ended = await session_queries.of_user(tx, user_id)
    for session in ended:
        await session_queries.delete(tx, session.did)
    return ended


async def revoke_all_at_servers(
    db: Database, network: NetworkClients, user_id: UserId, ended: Sequence[SealedSession]
) -> None:
    """Revoke deleted sessions at their servers, concurrently."""
    await credentials_cache.drop(network, user_id)
    await asyncio.gather(*(revoke_at_server(db, network, session) for session in ended))


def revoke_later(db: Database, network: NetworkClients, ended: NewSession | SealedSession) -> None:
    """Revoke a session at its server in the background, before the program ends."""
    task = asyncio.create_task(revoke_at_server(db, network, ended))
    network.refreshing.add(task)
    task.add_done_callback(network.refreshing.discard)


async def revoke_at_server(db: Database, network: NetworkClients, ended: NewSession | SealedSession) -> None:
    """Revoke a session at its server. A failure is only logged; nothing here depends on it."""
    try:
        async with asyncio.timeout(REVOKE_SECONDS):
            await _revoke(db, network, ended)
    except TimeoutError:
        log.warning("session.not_revoked", did=ended.did, reason=RemoteSlow.__name__)
    except Failure as failure:
        log.warning("session.not_revoked", did=ended.did, reason=failure.name, why=failure.why)


async def _revoke(db: Database, network: NetworkClients, ended: NewSession | SealedSession) -> None:
    try:
        session = session_sealing.tokens_of(network, ended)
    except CannotUnseal:
        return  # a session that cannot be unsealed cannot be used
    if session.key is None:
        tokens = BearerTokens(ended.did, session.access, session.refresh)
        await delete_session(network.http, network.clock, ended.pds_url, tokens)
        return
    client = await oauth_client_keys.client_of_session(
        db, network, client_id=ended.client_id, key_id=ended.client_key_id
    )
    server = await network.servers.at(ended.issuer)
    await network.oauth.revoke(server, client, session.key, session.refresh or session.access)


async def follow_account(tx: Transaction, before: Identity, *, pds_url: str, status: str) -> None:
    """Adapt the sessions of an identity that was refreshed (``#identity``, ``#account``). ``before``: the identity
    before that.

    A new handle changes nothing. A new PDS ends the session: its tokens belong to the old one, and we send nothing to a
    server that did not issue it, least of all a password. The session of an inactive account is suspended; when the
    account is active again, waiting jobs become due.
    """
    if before.pds_url and pds_url and pds_url != before.pds_url:
        session = await session_queries.find(tx, before.did)
        if session is not None:
            await session_queries.set_needs_login(tx, session)
        if before.kind is IdentityKind.CUSTODIAL:
            # The person has migrated the account and holds its keys; our password no longer works there.
            await queries.release_custodial(tx, before.did)
        log.info("session.account_moved", did=before.did)
    if status == ACTIVE and before.status != ACTIVE and before.can_write:
        await publication_rechecks.make_unpublished_due_of(tx, before.user_id)


# An unused refresh token of a public client is valid for two weeks; those of confidential clients and password sessions
# for longer. Refreshing daily loses none.
REFRESHED_EVERY = DAY
# The longest that a server may keep an unused refresh token valid (atproto OAuth profile).
UNUSED_FOR = 180 * DAY
# Until then the page can still show which scopes were refused.
OVER_FOR = 30 * DAY
# Enough for twenty thousand people a day at this task's interval, but few enough not to overload one server.
_AT_ONCE = 4
_BATCH = 150


async def keep_alive(db: Database, network: NetworkClients) -> int:
    """Refresh sessions that will be needed: those of people who publish, and of enqueued records. Returns how many."""
    async with db.transaction() as tx:
        dids = await session_queries.take_to_keep_alive(tx, before=Instant(tx.now - REFRESHED_EVERY), limit=_BATCH)
    slots = asyncio.Semaphore(_AT_ONCE)

    async def refresh(did: str) -> bool:
        async with slots:
            return await _try_refresh(db, network, did)

    return sum(await asyncio.gather(*(refresh(did) for did in dids)))


async def delete_expired(db: Database) -> int:
    """Delete sessions that are no longer usable, and sign-ins that nobody finished."""
    return await change_in_pages(db, _delete_some_expired)


async def _delete_some_expired(tx: Transaction) -> int:
    deleted_count = await session_queries.delete_expired(
        tx, over_before=Instant(tx.now - OVER_FOR), unused_before=Instant(tx.now - UNUSED_FOR)
    )
    return deleted_count + await session_queries.forget_old_authorizations(tx, Instant(tx.now - DAY))


async def _try_refresh(db: Database, network: NetworkClients, did: str) -> bool:
    try:
        await refresh(db, network, did)
    except NotSignedIn:
        return False  # it has ended, and its row is marked as ended
    except Failure as failure:
        log.warning("session.not_refreshed", did=did, why=failure.why)
        return False
    return True
