"""The repository that is kept for somebody who turns out to be somebody else here: we still get in."""

from dataclasses import replace

from groundwork.database.resealing import reseal
from groundwork.sealing import Sealer
from openmeet.domain.account_merge import tables
from openmeet.domain.identities import queries, session_queries
from openmeet.domain.users import actions as users
from openmeet.network.repositories import sessions
from programs.resealing import sealed_columns
from tests.openmeet.town import Town


async def test_a_kept_repository_is_entered_after_a_joining_under_any_sealing_key(town: Town):
    """Its password was sealed for the one who is gone, and is sealed anew for the same."""
    ana = await town.person("Ana")
    async with town.db.transaction() as tx:
        other = await users.create_person(tx, display_name="Ana at work", email="work@example.org")
        await tables.reassign_identities(tx, ana.user_id, other)
        identity = (await queries.of_user(tx, other))[0]
        await session_queries.delete(tx, identity.did)
    columns = [one for one in sealed_columns(town.network.tenant) if one.table == "custodial_accounts"]
    rotated = Sealer([b"n" * 32, bytes(32)])
    assert await reseal(town.db, rotated, columns) == (1, 1)
    alone = replace(town.network, sealer=Sealer([b"n" * 32]))
    session = await sessions.open_session(town.db, alone, identity)
    assert (session.stored.did, identity.user_id) == (identity.did, other)
