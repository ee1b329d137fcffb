"""Stored repository sessions: one lease has one holder, and the cache contains only ciphertext and is always compared
with the stored row.
"""

import asyncio
import gc
import os

import pytest
from redis.asyncio import Redis

from groundwork.cache.contract import Cache
from groundwork.cache.open_ import open_cache
from groundwork.clock import SECOND, Instant
from groundwork.database.transaction import Database
from groundwork.errors import NotSignedIn
from groundwork.sealing import Sealer
from openmeet.domain.identities import actions, queries, session_queries
from openmeet.domain.identities.model import Identity, NewSession, PdsSessionKind, SealedSession
from openmeet.network.repositories import agents, credentials_cache, session_sealing, sessions
from openmeet.network.repositories.clients import NetworkClients
from openmeet.network.repositories.credentials_cache import CachedCredentials
from openmeet.network.repositories.reasons import RepositoryReason
from tests.databases import MakeDatabase
from tests.external_dependencies import needs
from tests.openmeet.identities.offline_clients import offline_network
from tests.openmeet.ingestion.network import did

PDS = "https://pds.example"
REDIS = os.environ.get("OPENMEET_TEST_REDIS", "redis://127.0.0.1:6379/0")


@pytest.fixture
async def db(make_database: MakeDatabase) -> Database:
    return await make_database("openmeet")


@pytest.fixture(params=["embedded:", pytest.param(REDIS, marks=needs("redis"))])
async def cache(request, clock):
    cache = open_cache(request.param, prefix=f"test-{os.getpid()}", clock=clock)
    yield cache
    await cache.close()


@pytest.fixture
async def network(clock, cache):
    async with offline_network(clock, cache) as network:
        yield network


async def connected(db: Database, network: NetworkClients) -> Identity:
    async with db.transaction() as tx:
        await actions.connect(tx, did(1), handle="ana.town.test", pds_url=PDS)
        sealed = session_sealing.seal(network, did(1), "an access token", "a refresh token")
        await session_queries.put(tx, NewSession(did(1), PdsSessionKind.PASSWORD, PDS, sealed))
        found = await queries.find(tx, did(1))
    assert found is not None
    return found


async def stored(db: Database) -> SealedSession:
    async with db.reader() as reader:
        found = await session_queries.find(reader, did(1))
    assert found is not None
    return found


async def lease(db: Database, before: SealedSession, name: str) -> bool:
    async with db.transaction() as tx:
        return await session_queries.take_lease(tx, before, name, until=Instant(tx.now + 60 * SECOND))


async def replace(db: Database, before: SealedSession, name: str) -> bool:
    async with db.transaction() as tx:
        return await session_queries.replace(
            tx, before, name, sealed=name.encode(), scope="atproto", access_ends_at=None
        )


async def test_only_the_lease_holder_refreshes_a_session(db: Database, network: NetworkClients, clock):
    """A lease belongs to one worker until it expires. Without it nothing can be stored, and an old version cannot be
    leased.
    """
    await connected(db, network)
    before = await stored(db)
    assert await lease(db, before, "first")
    assert not await lease(db, before, "second")
    clock.turn(60 * SECOND)
    assert await lease(db, before, "second")
    assert not await replace(db, before, "first")
    assert await replace(db, before, "second")
    assert not await replace(db, before, "second")
    assert not await lease(db, before, "third")
    after = await stored(db)
    assert (after.sealed, after.version) == (b"second", before.version + 1)


async def test_a_new_sign_in_ends_every_lease(db: Database, network: NetworkClients):
    """Tokens of a session that was replaced meanwhile do not overwrite the new ones."""
    await connected(db, network)
    before = await stored(db)
    assert await lease(db, before, "old")
    await connected(db, network)
    assert not await replace(db, before, "old")
    assert (await stored(db)).version > before.version


async def test_a_new_session_does_not_reuse_versions(db: Database, network: NetworkClients, clock):
    """A caller that still has the ended session cannot use it as the new one."""
    await connected(db, network)
    before = await stored(db)
    async with db.transaction() as tx:
        await session_queries.delete(tx, did(1))
    clock.turn(SECOND)
    await connected(db, network)
    assert (await stored(db)).version != before.version


async def test_tokens_can_be_decrypted_only_for_their_tenant_and_did(db: Database, network: NetworkClients, clock):
    """A row copied to another person or tenant cannot be decrypted, and no token is stored in it in plain text."""
    identity = await connected(db, network)
    row = await stored(db)
    assert b"token" not in row.sealed
    assert session_sealing.unseal(network, row).access == "an access token"
    async with offline_network(clock, network.cache, tenant="another") as other:
        with pytest.raises(NotSignedIn):
            await sessions.open_session(db, other, identity)
    async with offline_network(clock, network.cache, sealer=Sealer([b"y" * 32])) as other:
        with pytest.raises(NotSignedIn):
            await agents.agent_for(db, other, identity)


async def test_the_key_can_be_rotated_under_open_sessions(db: Database, network: NetworkClients, clock):
    """With a new key in front, old sessions can still be opened, and new ones need the new key only."""
    identity = await connected(db, network)
    async with offline_network(clock, network.cache, sealer=Sealer([b"n" * 32, bytes(32)])) as rotated:
        session = await sessions.open_session(db, rotated, identity)
        assert session.refresh == "a refresh token"
        assert not rotated.sealer.is_stale(session_sealing.seal(rotated, identity.did, "a", "b"))


async def test_the_cache_holds_only_ciphertext(db: Database, network: NetworkClients, cache: Cache):
    """The cache holds ciphertext under the user's key, for an hour at most. It contains DID, handle and both tokens."""
    identity = await connected(db, network)
    await agents.agent_for(db, network, identity)
    kept = await cache.get(f"bluesky:credentials:{identity.user_id}")
    assert kept is not None
    for word in (b"token", identity.did.encode(), b"ana", b"Jwt"):
        assert word not in kept
    opened = network.sealer.unseal(kept, f"default:bluesky:credentials:{identity.user_id}")
    for word in (b'"did"', b'"handle"', b'"accessJwt":"an access token"', b'"refreshJwt":"a refresh token"'):
        assert word in opened
    assert credentials_cache.TTL_SECONDS <= 3600


async def test_the_cache_counts_only_for_the_stored_version(db: Database, network: NetworkClients, cache: Cache):
    """A stale cache entry or one of another person changes nothing, and a missing one is replaced by the stored row."""
    identity = await connected(db, network)
    row = await stored(db)
    old = CachedCredentials(identity.did, identity.handle, "stale", "stale", row.version - 1)
    await credentials_cache.put(network, identity.user_id, old)
    assert (await sessions.open_session(db, network, identity)).access == "an access token"
    await cache.put(f"bluesky:credentials:{identity.user_id}", b"put there by a stranger", ttl_seconds=60)
    assert (await sessions.open_session(db, network, identity)).access == "an access token"
    await cache.delete(f"bluesky:credentials:{identity.user_id}")
    assert (await sessions.open_session(db, network, identity)).access == "an access token"


async def test_signing_out_takes_precedence_over_the_cache(db: Database, network: NetworkClients, cache: Cache):
    identity = await connected(db, network)
    await sessions.open_session(db, network, identity)
    async with db.transaction() as tx:
        await session_queries.delete(tx, identity.did)
    assert await cache.get(f"bluesky:credentials:{identity.user_id}") is not None
    with pytest.raises(NotSignedIn):
        await agents.agent_for(db, network, identity)


async def test_an_unreachable_cache_changes_nothing(db: Database, clock):
    """Without Redis people can publish as before."""
    away = open_cache("redis://127.0.0.1:1/0", prefix="x", clock=clock)
    async with offline_network(clock, away) as network:
        identity = await connected(db, network)
        assert (await sessions.open_session(db, network, identity)).access == "an access token"
    await away.close()


async def test_a_refusal_ends_the_refused_session_only(db: Database, network: NetworkClients):
    """A late refusal of the old session does not end the session of a sign-in that happened in the meantime."""
    identity = await connected(db, network)
    refused = NotSignedIn(RepositoryReason.SIGN_IN_AGAIN, name="ExpiredToken")
    client = await agents.agent_for(db, network, identity)
    await connected(db, network)
    await agents.note_refused(client, refused)
    assert not (await stored(db)).needs_login
    await agents.note_refused(await agents.agent_for(db, network, identity), refused)
    assert (await stored(db)).needs_login


async def test_inactive_accounts_sessions_are_not_used(db: Database, network: NetworkClients):
    """A deactivated account's session is not used until the account is active again."""
    identity = await connected(db, network)
    for status, is_open in (("deactivated", False), ("active", True)):
        async with db.transaction() as tx:
            await queries.update_from_network(tx, identity.did, handle="ana.town.test", pds_url=PDS, status=status)
            (identity,) = await queries.of_user(tx, identity.user_id)
        if is_open:
            await agents.agent_for(db, network, identity)
        else:
            with pytest.raises(NotSignedIn, match=RepositoryReason.ACCOUNT_INACTIVE):
                await agents.agent_for(db, network, identity)


@needs("redis")
async def test_redis_holds_one_encrypted_key_per_user(db: Database, clock):
    """Redis has one encrypted key per tenant and user that expires within an hour. Without it everybody stays signed
    in.
    """
    tenant = f"town-{os.getpid()}"
    cache = open_cache(REDIS, prefix=tenant, clock=clock)
    redis = Redis.from_url(REDIS)
    async with offline_network(clock, cache, tenant=tenant) as network:
        identity = await connected(db, network)
        await agents.agent_for(db, network, identity)
        (key,) = [key async for key in redis.scan_iter(match=f"{tenant}:*")]
        assert key.decode() == f"{tenant}:bluesky:credentials:{identity.user_id}"
        assert 0 < await redis.pttl(key) <= 3_600_000
        assert b"token" not in await redis.get(key)
        await redis.delete(key)
        assert (await sessions.open_session(db, network, identity)).refresh == "a refresh token"
        assert await redis.exists(key), "read from the row and cached again"
        await redis.delete(key)
    await redis.aclose()
    await cache.close()


async def test_a_cancelled_refresh_leaves_nothing_behind(db: Database, network: NetworkClients):
    """The caller is cancelled while the server cannot be reached. No exception is left unhandled, and the session can
    be refreshed again.
    """
    identity = await connected(db, network)
    session = await sessions.open_session(db, network, identity)
    heard: list[dict[str, object]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _loop, context: heard.append(context))
    asking = asyncio.create_task(sessions.renew(db, network, identity, session))
    while not network.refreshing:  # noqa: ASYNC110 - it rings no bell
        await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    while network.refreshing:  # noqa: ASYNC110 - it rings no bell
        await asyncio.sleep(0)
    gc.collect()
    assert heard == []
    assert await lease(db, await stored(db), "next")
