"""A recovery key from its creation to its deletion, on both engines."""

from groundwork.clock import DAY
from groundwork.database.transaction import Database
from openmeet.domain.identities import recovery_key_queries
from openmeet.domain.users.model import UserId
from openmeet.network.repositories import recovery_keys
from tests.databases import MakeDatabase
from tests.openmeet.deployment import Deployment
from tests.openmeet.site_under_test import person

DID = "did:plc:ragtjsm2j2vknwkz3zp4oxrd"


async def keys(db: Database) -> list[tuple[str | None, bool]]:
    """For each key: its DID, and whether it has been taken over and is due for deletion."""
    async with db.reader() as reader:
        rows = await reader.fetch("select did, taken_over_at from recovery_keys")
    return [(row["did"], row["taken_over_at"] is not None) for row in rows]


async def waiting(db: Database, user_id: UserId) -> recovery_key_queries.WaitingKey | None:
    async with db.reader() as reader:
        return await recovery_key_queries.unsaved_key(reader, user_id)


async def test_the_life_of_a_recovery_key(deployment: Deployment, make_database: MakeDatabase):
    db = await make_database("openmeet", clock=deployment.clock)
    async with db.transaction() as tx:
        ana = (await person(tx, "Ana")).user_id
        await recovery_keys.make(tx, deployment.network, ana)
        first = await recovery_key_queries.unused(tx, ana)
        await recovery_keys.make(tx, deployment.network, ana)
        second = await recovery_key_queries.unused(tx, ana)
        assert first != second
        # Without an account there is no key to take over, so this call changes nothing.
        await recovery_key_queries.note_taken_over(tx, DID)
    assert await keys(db) == [(None, False)]
    async with db.transaction() as tx:
        await recovery_key_queries.note_used(tx, ana, DID)
        assert await recovery_key_queries.has_key(tx, DID)
        assert await recovery_key_queries.unused(tx, ana) is None
        assert not await recovery_key_queries.erase_unsaved(tx, ana, str(second))
    assert await waiting(db, ana) is None
    async with db.transaction() as tx:
        await recovery_key_queries.note_taken_over(tx, DID)
    since = await waiting(db, ana)
    assert since is not None
    assert (since.public_key, since.did) == (second, DID)
    assert recovery_keys.unseal(deployment.network, since).startswith("z42")
    assert "sealed" not in repr(since)
    deployment.clock.turn(DAY)
    async with db.transaction() as tx:
        # The time limit runs from the first takeover.
        await recovery_key_queries.note_taken_over(tx, DID)
        assert not await recovery_key_queries.erase_unsaved(tx, ana, str(first))
    assert await waiting(db, ana) == since
    assert await recovery_keys.erase_overdue(db) == 0
    async with db.transaction() as tx:
        assert await recovery_key_queries.erase_unsaved(tx, ana, str(second))
    assert await keys(db) == []
